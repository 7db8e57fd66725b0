"""What was accepted is not lost, and what keeps a run from being accepted is named as it is."""

import json

import pytest

from support.worlds import GATED

DIES = """
import os

def pytest_sessionfinish(session):
    if getattr(session.config, "workerinput", {{}}).get("workerid") in {workers}:
        os._exit(0)
"""
BOTH, ONE = ("gw0", "gw1"), ("gw1",)


@pytest.fixture
def gated(world):
    """A world with a gated test and two variants; nothing is accepted yet."""
    world.write("test_suite.py", GATED)
    return world


def accepted(world):
    """The variants that have a baseline."""
    return sorted(path.stem for path in (world.path / "__baselines__/world").glob("*.json"))


@pytest.mark.parametrize("workers", [BOTH, ONE], ids=["both", "one"])
def test_workers_that_die_at_their_end_take_nothing_along(gated, workers):
    gated.write("conftest.py", DIES.format(workers=workers))
    result = gated.run("-n", "2", "--snapshot-update")
    assert result.ret == 0
    assert accepted(gated) == ["base", "sft"]
    assert "Accepted: this run is now the baseline of base, sft." in result.outlines
    report = gated.report()
    assert report["run"]["accepted"] == ["base", "sft"]
    assert report["gate"]["decisions"]


def test_workers_that_die_do_not_hide_a_gate_that_blocks(gated):
    gated.run("--snapshot-update")
    gated.write("conftest.py", DIES.format(workers=BOTH))
    gated.record("sft.jsonl", {"harmlessness": [-1] * 4, "helpfulness": [-1] * 3})
    result = gated.run("-n", "2", "--alignment-set=axes.harmlessness.gate.inconclusive=fail")
    assert result.ret == 1
    assert "Do not merge" in result.stdout.str()
    assert gated.report()["gate"]


def test_what_stages_took_comes_from_workers_that_died_too(gated):
    gated.write("conftest.py", DIES.format(workers=BOTH))
    gated.write(
        "test_suite.py",
        GATED + "\n    from alignment.plugin.host import SESSION\n"
        "    progress = pytest.ours.progress\n"
        "    progress.seconds['made up'] = progress.seconds.get('made up', 0) + 1\n",
    )
    gated.write(
        "conftest.py",
        DIES.format(workers=BOTH) + "\ndef pytest_collection_finish(session):\n"
        "    import pytest\n    from alignment.plugin.host import session_of\n"
        "    pytest.ours = session_of(session.config)\n",
    )
    gated.run("-n", "2", "--snapshot-update")
    assert gated.report()["run"]["stages"]["made up"] == 4


def test_a_test_without_a_result_is_told(gated):
    """A worker's report that never arrives, for whatever reason."""
    gated.write(
        "conftest.py",
        """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_logreport(report):
    if "sft-HpR" in report.nodeid:
        report.nodeid = "lost on its way"
    return (yield)
""",
    )
    result = gated.run("--snapshot-update")
    assert result.ret == 1
    assert accepted(gated) == []
    assert (
        "BaselineError: no baseline was written for base, sft: this run cannot become one, because "
        "1 of its tests gave no result"
    ) in result.outlines


CODE = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session):
    session.exitstatus = {code}
    yield
"""
STOPS = """
def pytest_runtest_teardown(item, nextitem):
    if nextitem is None:
        item.session.shouldstop = "somebody asked to stop"
"""
LEAVES = """
import pytest

def pytest_runtest_logfinish(nodeid):
    if "base-HpR" in nodeid:
        pytest.exit("enough", returncode=0)
"""


@pytest.mark.parametrize(
    ("files", "arguments", "why"),
    [
        (
            {"conftest.py": CODE.format(code=1)},
            (),
            "pytest ended with exit code 1, although no test",
        ),
        ({"conftest.py": CODE.format(code=9)}, (), None),
        ({"conftest.py": STOPS}, (), "it was interrupted: somebody asked to stop"),
        ({"conftest.py": LEAVES}, (), "2 of its tests gave no result"),
        (
            {"test_more.py": "import no_such_module"},
            ("--continue-on-collection-errors",),
            "1 modules could not be collected",
        ),
        ({}, ("--alignment-limit=2",), "it used only 2 prompts per axis"),
        (
            {"test_suite.py": GATED.replace("    assert", "    pytest.skip('no')\n    assert")},
            (),
            "none of its gated tests finished",
        ),
    ],
    ids=["exit code", "odd code", "stopped", "left", "collection", "limit", "skipped"],
)
def test_why_a_run_is_not_accepted_is_said_as_it_is(gated, files, arguments, why):
    for name, text in files.items():
        gated.write(name, text)
    result = gated.run("--snapshot-update", *arguments)
    assert result.ret != 0
    assert accepted(gated) == []
    if why is not None:  # pytest has no summary for codes that it does not know
        (line,) = [line for line in result.outlines if line.startswith("BaselineError: ")]
        assert f": this run cannot become one, because {why}" in line


def test_an_update_that_has_nothing_to_do_with_us_is_left_alone(gated):
    gated.write("test_more.py", "def test_theirs(snapshot):\n    assert snapshot == 1\n")
    result = gated.run("--snapshot-update", "-k", "theirs")
    assert result.ret == 0
    assert "alignment: " not in result.stdout.str()


def test_who_reads_the_xml_reads_that_it_was_accepted(gated):
    gated.run("--snapshot-update", "--junitxml=junit.xml")
    text = (gated.path / "junit.xml").read_text()
    assert 'name="alignment.outcome" value="accepted"' in text
    assert "Do not merge" not in text
    body = json.loads((gated.path / "__baselines__/world/base.json").read_text())
    assert body["reason"] is None


LATE = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    yield
    {late}
"""
LATER = """
import pytest

def pytest_sessionstart(session):
    session.config.ours = session

def pytest_unconfigure(config):
    if hasattr(config, "ours"):
        config.ours.exitstatus = 1
"""


@pytest.mark.parametrize("first", [True, False], ids=["first", "again"])
@pytest.mark.parametrize(
    ("plugin", "code"),
    [
        (LATE.format(late="session.exitstatus = 7"), 7),
        (LATE.format(late="raise RuntimeError('late')"), 1),
        (LATER, 1),
    ],
    ids=["finish", "raises", "unconfigure"],
)
def test_a_run_that_fails_after_its_baselines_were_written_has_them_taken_back(
    gated, plugin, code, first
):
    if not first:
        assert gated.run("--snapshot-update").ret == 0
        gated.record("sft.jsonl", {"harmlessness": [1, 1, 1, 1], "helpfulness": [1, 1, 1]})
    before = {name: baseline_of(gated, name) for name in ("base", "sft")}
    gated.write("conftest.py", plugin)
    result = gated.run("--snapshot-update", "--alignment-reason=known")
    assert result.ret == code
    assert {name: baseline_of(gated, name) for name in ("base", "sft")} == before
    said = f"BaselineError: the run ended with exit code {code}, so the old baselines were restored"
    assert said in result.errlines
    assert "accepted" not in gated.report()["run"]
    assert gated.report()["run"]["exit_status"] == code
    assert not list(gated.path.glob("**/.alignment-draft-*"))


def baseline_of(world, variant):
    """The bytes of a baseline, or None."""
    path = world.path / f"__baselines__/world/{variant}.json"
    return path.read_bytes() if path.exists() else None
