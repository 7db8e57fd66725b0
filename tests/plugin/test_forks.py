"""Runs in forks, as most tests here make them, come out as those of processes started afresh do."""

import re

import pytest

from support.worlds import told

GOOD = {"harmlessness": [1] * 30 + [-1] * 10, "helpfulness": [1] * 20 + [-1] * 20}
WORSE = {"harmlessness": [-1] * 40, "helpfulness": GOOD["helpfulness"]}
TWO = ("-n", "2")
ARGUMENTS = {
    "a gate that blocks": TWO,
    "an acceptance": ("--snapshot-update", "--alignment-reason=meant"),
    "a refusal": ("--alignment-set=nonsense=1", *TWO),
    "a part": ("-k", "helpfulness", "-v"),
    "a crash": ("-p", "crashing"),
}
TIMES = re.compile(r"\d+\.\d+ ?s\b|\(\d:\d+:\d+\)|runpytest-\d+|gw\d|=+|_+")
DOTS = re.compile(r"[.FsxXE]+ +\[ *\d+%\]$")
CRASHING = """
def pytest_runtest_setup(item):
    raise RuntimeError("of no test")
"""


@pytest.fixture
def fallen(world):
    """A world whose gate blocks."""
    world.write("crashing.py", CRASHING)
    world.accepted(GOOD)
    world.record("base.jsonl", WORSE)
    return world


def outcome(world, arguments, **how):
    """What a run ends with, says and reports: without times, and in no order."""
    result = world.run(*arguments, **how)
    report = world.report()
    report.pop("run")
    lines = [TIMES.sub("", line) for line in (*result.outlines, *told(result))]
    # Of two workers either may be first.
    lines = sorted("".join(sorted(line)) if DOTS.match(line) else line for line in lines)
    return result.ret, lines, report


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_fork_comes_out_as_a_process_of_its_own(fallen, name):
    baseline = fallen.path / "__baselines__/world/base.json"
    before = baseline.read_text()
    found = []
    for number, fresh in enumerate((True, False)):
        baseline.write_text(before)
        found.append(outcome(fallen, ARGUMENTS[name], store=f"store{number}", fresh=fresh))
    assert found[0] == found[1]
