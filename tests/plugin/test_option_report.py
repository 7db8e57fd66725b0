"""`--alignment-report DIR`, and what a partial run may not do."""

import pytest


def test_it_is_where_the_reports_are(world, workers):
    result = world.run("--alignment-report", "out/here", *workers)
    assert world.report(folder="out/here")["complete"]
    assert (world.path / "out" / "here" / "report.md").is_file()
    assert not (world.path / "reports").exists()
    result.stdout.fnmatch_lines(["report: out/here/report.json"])


def test_a_partial_run_never_replaces_a_complete_report(world):
    world.run()
    before = world.report()
    world.run("--alignment-limit", "2").stdout.fnmatch_lines(
        ["report: reports/alignment/report.partial.json"]
    )
    assert world.report() == before
    assert world.report("report.partial.json")["limit"] == 2


def test_a_complete_run_replaces_both(world):
    world.run()
    world.run("--alignment-limit", "2")
    world.record("sft.jsonl", {"harmlessness": [-1] * 4, "helpfulness": [-1] * 3})
    world.run()
    assert world.report()["variants"]["sft"]["rates"]["CAS"]["percent"] == 0
    assert world.report("report.partial.json") is None


def test_collecting_alone_writes_none(world):
    world.run("--collect-only").stdout.fnmatch_lines(["*14 tests collected*"])
    assert not (world.path / "reports").exists()


def test_it_goes_to_the_step_summary(world, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(world.path / "summary.md"))
    world.run()
    written = (world.path / "reports" / "alignment" / "report.md").read_text()
    assert (world.path / "summary.md").read_text().strip() == written.strip()


@pytest.mark.parametrize("arguments", [(), ("-qq",), ("-p", "no:terminal")])
def test_a_report_that_cannot_be_written_fails_the_run(world, arguments):
    world.write("out/report.json/in-its-place", "")
    result = world.run("--alignment-report", "out", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    said = result.stdout.str() + result.stderr.str()
    assert said.count("StoreError: the report cannot be written: ") == 1
    assert "Traceback" not in said
