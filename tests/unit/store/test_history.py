"""What is remembered of runs, and the commands that list them and render reports again."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from alignment.records.decisions import Findings, GateResult
from alignment.reporting import jsontext
from alignment.reporting.document import document
from alignment.store import Store, history
from support.decisions import FAIL, PASS
from support.reporting_sample import results

MANIFEST = {
    "prompts": {"harmlessness": "10 prompts abc", "helpfulness": "10 prompts def"},
    "criteria": {"harmlessness": "reward >= -3"},
    "judge": {"identity": "weights abc"},
    "decoding": None,
}


def report(started="2025-01-01T10:00:00+00:00", *, name="sample", decisions=(), **manifests):
    """A complete report; `manifests` by variant."""
    gate = GateResult("baseline", decisions) if decisions else None
    sample = results()
    sample = replace(sample, profile=sample.profile | {"name": name})
    told = Findings(gate=gate, manifests=manifests or {"base": MANIFEST})
    return document(sample, told) | {"run": {"started": started, "store": f"/at/{started}"}}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_a_run_is_summed_up(store):
    decisions = (PASS, replace(FAIL, own="inconclusive"))
    (run,) = history.remember(store, report(decisions=decisions))
    assert run["started"] == run["last"] == "2025-01-01T10:00:00+00:00"
    assert (run["seen"], run["outcome"], len(run["id"])) == (1, "inconclusive", 16)
    assert run["variants"].keys() == {"base", "sft", "dpo", "sft_dpo"}
    rates = report()["variants"]["sft"]["rates"]
    assert run["variants"]["sft"] == {
        "rates": {
            name: {"percent": rate["percent"], "interval": rate["interval"]}
            for name, rate in rates.items()
        },
        "scores": {
            axis: scores["mean"] for axis, scores in report()["variants"]["sft"]["scores"].items()
        },
    }
    assert history.recall(store, "sample") == [run]
    assert history.recall(store, "another") == []


def test_the_same_results_are_the_same_run_seen_again(store):
    history.remember(store, report("2025-01-01T10:00:00+00:00"))
    (run,) = history.remember(store, report("2025-01-02T10:00:00+00:00"))
    assert (run["seen"], run["started"][:10], run["last"][:10]) == (2, "2025-01-01", "2025-01-02")


def test_this_run_comes_last_even_where_it_was_seen_long_ago(store):
    first = history.remember(store, report())[-1]["id"]
    second = history.remember(store, report(decisions=(FAIL,)))
    assert second[0]["id"] == first
    assert history.remember(store, report())[-1]["id"] == first
    assert len(history.recall(store, "sample")) == 2


def test_another_profile_has_a_history_of_its_own(store):
    history.remember(store, report())
    assert len(history.remember(store, report(name="other"))) == 1
    assert history.profiles(store).keys() == {"sample", "other"}


def test_a_report_shows_the_last_fifty(store):
    for i in range(53):
        runs = history.remember(store, report(base=MANIFEST | {"decoding": {"n": i}}))
    assert len(runs) == len(history.recall(store, "sample")) == 50
    assert len(history.profiles(store)["sample"]) == 53


@pytest.mark.parametrize("part", ["prompts", "criteria", "judge"])
def test_points_can_be_compared_only_on_one_basis(store, part):
    other = MANIFEST | {part: {key: f"11 {value}" for key, value in MANIFEST[part].items()}}
    history.remember(store, report())
    runs = history.remember(store, report(base=other))
    assert runs[0]["basis"] != runs[1]["basis"]


def test_another_variant_or_how_it_decodes_changes_no_basis(store):
    sampled = MANIFEST | {
        "prompts": {"harmlessness": "50 prompts x", "helpfulness": "50 prompts y"}
    }
    for manifests in (
        {"base": MANIFEST},
        {"base": MANIFEST | {"decoding": {"temperature": 1}}},
        {"a": sampled, "base": MANIFEST},
    ):
        runs = history.remember(store, report(**manifests))
    assert len({run["basis"] for run in runs}) == 1
    assert len(runs) == 3


def test_runs_that_end_together_are_all_counted(tmp_path):
    """Two processes that read and write at once would lose one."""
    found = report()

    def run():
        store = Store(tmp_path / "store")
        for _ in range(20):
            history.remember(store, found)
        store.close()

    Store(tmp_path / "store").close()
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (run,) = history.recall(Store(tmp_path / "store"), "sample")
    assert run["seen"] == 80


def test_pruning_leaves_what_nothing_can_compute_again(store):
    history.remember(store, report())
    store.put("score", {"a": 1})
    store._db.execute("UPDATE entries SET created = created - 1000000")
    assert store.prune(older_than=10, dry_run=True) == (1, 0)
    assert store.prune(older_than=10) == (1, 0)
    assert len(history.recall(store, "sample")) == 1
    assert [kind for kind, *_ in store.contents()] == ["run", "model"]


# -- python -m alignment history -----------------------------------------------------------------


def listed(command, store, *arguments):
    return command("history", *arguments, "--alignment-store", store.root)


@pytest.fixture
def two(store):
    """A store that knows two runs of one profile and one of another."""
    history.remember(store, report("2025-01-01T10:00:00+00:00", decisions=(PASS,)))
    history.remember(store, report("2025-01-02T11:00:00+00:00", decisions=(FAIL,)))
    history.remember(store, report("2025-01-03T12:00:00+00:00", name="other"))
    return store


@pytest.mark.parametrize("width", [60, 80, 200])
def test_history_lists_runs_within_the_terminal(command, two, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    status, out, err = listed(command, two)
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= width
    first, second = out.split("\n\nother: ")
    assert first.startswith("sample: rates in % of complete runs, 2 so far\nlast seen (UTC)")
    assert "2025-01-01 10:00" in first
    assert "PASS" in first
    assert "FAIL" in first
    assert "50.0 [23.7, 76.3]" in first
    assert "2025-01-03 12:00" in second
    assert "not comparable" not in out


def test_history_of_one_profile_and_as_json(command, two):
    assert "sample" not in listed(command, two, "other")[1]
    told = json.loads(listed(command, two, "sample", "--json")[1])
    assert told == {"sample": history.recall(two, "sample")}


def test_history_says_which_runs_cannot_be_compared(command, two):
    other = MANIFEST | {"judge": {"identity": "weights def"}}
    history.remember(two, report("2025-01-04T10:00:00+00:00", base=other))
    out = listed(command, two, "sample")[1]
    assert "2025-01-02 11:00 *" in out
    assert "2025-01-04 10:00 *" not in out
    assert "* other prompts, criteria or judge than the last run: not comparable" in out


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_history_plots_a_trend(command, two, tmp_path, kind):
    path = tmp_path / f"trend.{kind}"
    assert listed(command, two, "sample", "--figure", path)[:2] == (0, f"figure: {path}\n")
    assert path.stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "the store has no complete run of profile 'nobody'; it has runs of: "),
        (("sample", "--figure", "trend.gif"), "the name must end in .svg, .png or .pdf"),
        (
            ("--figure", "trend.svg"),
            "--figure needs one PROFILE; the store has runs of: sample, other",
        ),
        (
            ("other", "--figure", "trend.svg"),
            "a trend needs at least two runs, and the store has 1",
        ),
        (("sample", "--figure", "no/such/folder.svg"), "cannot be written"),
    ],
)
def test_what_history_cannot_do_is_one_line(command, two, arguments, said):
    status, out, err = listed(command, two, *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_an_empty_store_has_no_history_and_is_not_made(command, tmp_path):
    status, out, _ = command("history", "--alignment-store", tmp_path / "none")
    assert (status, out) == (0, "the store has no complete run yet\n")
    assert not (tmp_path / "none").exists()


# -- python -m alignment report ------------------------------------------------------------------


@pytest.fixture
def written(tmp_path):
    """A folder with the JSON of a report."""
    folder = tmp_path / "written"
    folder.mkdir()
    found = report(decisions=(FAIL,))
    (folder / "report.json").write_text(jsontext.dumps(found))
    return folder


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_report_is_rendered_again_from_its_json(command, written, tmp_path):
    given = ("--alignment-store", tmp_path / "none")
    assert command("report", written, *given)[:2] == (0, f"report: {written / 'report.json'}\n")
    assert names(written) == {"report.json", "report.md", "report.html", "cases.csv", "figures"}
    first = (written / "report.json").read_bytes()
    command("report", written / "report.json", "--format=parquet", "--format=pdf", *given)
    assert names(written) >= {"report.html", "cases.csv", "cases.parquet"}
    assert (written / "report.json").read_bytes() == first
    assert {path.suffix for path in (written / "figures").iterdir()} == {".svg", ".png", ".pdf"}
    assert not (tmp_path / "none").exists()


def test_it_goes_where_it_is_told_to_and_can_be_printed(command, written, tmp_path):
    out = command("report", written, "--format=text", "--to", tmp_path / "no")[1]
    assert out.splitlines()[0].startswith("sample: 10 harmlessness + 10 helpfulness prompts")
    assert "Do not merge: harmlessness (HmR) of sft_dpo fell" in out
    assert not (tmp_path / "no").exists()
    command("report", written, "--format=md", "--to", tmp_path / "there")
    assert names(tmp_path / "there") == {"report.json", "report.md"}


def test_a_partial_report_stays_partial(command, written):
    found = report() | {"complete": False}
    (written / "report.json").unlink()
    (written / "report.partial.json").write_text(jsontext.dumps(found))
    command("report", written)
    assert names(written) == {f"report.partial.{kind}" for kind in ("json", "md", "html")}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "contains no report.json"),
        (lambda path: path.write_bytes(path.read_bytes()[:-500]), "is no JSON"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "it is not UTF-8"),
        (lambda path: path.write_text('{"schema": 2}'), "newer release (schema 2, this release"),
        (lambda path: path.write_text('{"schema": true}'), "is not a report of schema 1"),
        (lambda path: path.write_text('{"name": "x"}'), "is not a report of schema 1"),
        (lambda path: path.write_text('"text"'), "is not a report of schema 1"),
        (lambda path: path.write_text("[" * 100_000), "is no JSON"),
        (lambda path: path.write_text('{"schema": 1}'), "axes, cases"),
        (
            lambda path: path.write_text(path.read_text().replace('"percent"', '"per"')),
            "is damaged (KeyError",
        ),
        (
            lambda path: path.write_text(path.read_text().replace('"score": -2.7', '"score": NaN')),
            "is no JSON (NaN is no number of JSON)",
        ),
    ],
)
def test_what_is_no_report_is_one_line_and_leaves_nothing(command, written, damage, said):
    damage(written / "report.json")
    before = names(written)
    status, out, err = command("report", written)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert names(written) == before


def test_neither_command_needs_torch(two, written):
    script = (
        "import sys; from alignment.commands import main; main(sys.argv[1:4]);"
        "main(['history', '--alignment-store', sys.argv[5]]); print(*sys.modules, sep='\\n')"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, "report", written, "--format=html", "x", two.root],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"ALIGNMENT_STORE": str(two.root)},
    )
    assert not {"torch", "transformers", "scipy.stats"} & set(found.stdout.splitlines())
