import json
import os
import runpy
from pathlib import Path

import pytest

from alignment.errors import StoreError
from alignment.reporting.document import document
from alignment.reporting.write import write_report

SAMPLE = runpy.run_path(str(Path(__file__).with_name("reporting_sample.py")))
results = SAMPLE["results"]


@pytest.fixture(autouse=True)
def _no_step_summary(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_complete_run_writes_both_and_nothing_else(tmp_path):
    report = document(results())
    path = write_report(tmp_path / "new" / "folder", report)
    assert path == tmp_path / "new" / "folder" / "report.json"
    assert json.loads(path.read_text(encoding="utf-8")) == report
    assert names(path.parent) == ["report.json", "report.md"]


@pytest.mark.parametrize("changes", [{"complete": False}, {"limit": 5}])
def test_a_partial_run_never_replaces_a_complete_one(tmp_path, changes):
    write_report(tmp_path, document(results()))
    before = (tmp_path / "report.json").read_bytes()
    path = write_report(tmp_path, document(results(**changes)))
    assert path.name == "report.partial.json"
    assert (tmp_path / "report.json").read_bytes() == before
    assert names(tmp_path) == [
        "report.json",
        "report.md",
        "report.partial.json",
        "report.partial.md",
    ]


def test_a_partial_run_alone_has_the_partial_name_too(tmp_path):
    write_report(tmp_path, document(results(limit=5)))
    assert names(tmp_path) == ["report.partial.json", "report.partial.md"]


def test_a_complete_run_removes_partial_files(tmp_path):
    write_report(tmp_path, document(results(limit=5)))
    write_report(tmp_path, document(results()))
    assert names(tmp_path) == ["report.json", "report.md"]


def test_the_same_run_writes_the_same_bytes(tmp_path):
    first = write_report(tmp_path / "a", document(results()))
    second = write_report(tmp_path / "b", document(results()))
    assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "a" / "report.md").read_bytes() == second.with_suffix(".md").read_bytes()


@pytest.mark.parametrize("existing", [True, False])
def test_when_one_file_cannot_be_replaced_both_are_as_before(tmp_path, monkeypatch, existing):
    if existing:
        write_report(tmp_path, document(results()))
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    replace = Path.replace

    def refuse(self, target):
        if Path(target).suffix == ".json":
            raise PermissionError(13, "Permission denied", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StoreError, match=r"report\.json: Permission denied") as caught:
        write_report(tmp_path, document(results(right=(199, 199))))
    assert "\n" not in str(caught.value)
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_a_folder_that_is_a_file_is_one_plain_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written"):
        write_report(tmp_path / "file", document(results()))


def test_the_markdown_is_appended_to_the_step_summary(tmp_path, monkeypatch):
    target = tmp_path / "summary.md"
    target.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    write_report(tmp_path / "out", document(results(text=SAMPLE["HOSTILE"])))
    text = target.read_text(encoding="utf-8")
    assert text.startswith("before\n## Alignment: `sample`")


def test_files_have_the_permissions_of_any_new_file(tmp_path):
    mask = os.umask(0o022)
    try:
        path = write_report(tmp_path, document(results()))
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o644
