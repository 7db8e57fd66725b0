import json
import os

import pytest

from alignment.errors import StoreError
from alignment.reporting import jsontext
from alignment.reporting.document import document
from alignment.reporting.write import write_report
from support.reporting_sample import results

OWNED = ("report.json", "report.md", "report.html", "cases.csv", "cases.parquet")
OWNED += tuple(f"figures/{name}.{kind}" for name in ("rates", "trend") for kind in ("svg", "pdf"))


def write(folder, report=None, *more, text="one\n", without=()):
    """Write a report with every kind of file; `more` are further names."""
    report = document(results()) if report is None else report
    names = ("report.md", "report.html", "cases.csv", "figures/rates.svg", *more)
    made = {name: [text] for name in names if name not in without}
    made |= {name: text.encode() for name in made if name.startswith("figures/")}
    return write_report(
        folder, report, made | {"report.json": jsontext.pieces(report)}, owned=OWNED
    )


def files(folder):
    """Everything in a folder: name -> bytes."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


ALL = {"report.json", "report.md", "report.html", "cases.csv", "figures/rates.svg"}
PARTIAL = {"report.partial.json", "report.partial.md", "report.partial.html"}


def test_a_complete_run_writes_all_and_nothing_else(tmp_path):
    report = document(results())
    path = write(tmp_path / "new" / "folder", report)
    assert path == tmp_path / "new" / "folder" / "report.json"
    assert json.loads(path.read_text(encoding="utf-8")) == report
    assert files(path.parent).keys() == ALL


@pytest.mark.parametrize("changes", [{"complete": False}, {"limit": 5}])
def test_a_partial_run_never_replaces_a_complete_one(tmp_path, changes):
    write(tmp_path)
    before = files(tmp_path)
    path = write(tmp_path, document(results(**changes)), text="two\n")
    assert path.name == "report.partial.json"
    after = files(tmp_path)
    assert {name: after[name] for name in before} == before
    assert after.keys() == ALL | PARTIAL


def test_a_partial_run_alone_has_the_partial_names_too(tmp_path):
    write(tmp_path, document(results(limit=5)))
    assert files(tmp_path).keys() == PARTIAL


def test_a_complete_run_removes_partial_files(tmp_path):
    write(tmp_path, document(results(limit=5)))
    write(tmp_path)
    assert files(tmp_path).keys() == ALL


def test_what_only_an_earlier_run_had_is_removed_and_nothing_foreign(tmp_path):
    write(tmp_path, None, "cases.parquet", "figures/trend.svg", "figures/rates.pdf")
    (tmp_path / "figures" / "mine.svg").write_text("mine")
    (tmp_path / "notes.md").write_text("mine")
    write(tmp_path, document(results(right=(199, 199))))
    assert files(tmp_path).keys() == ALL | {"figures/mine.svg", "notes.md"}


def test_a_folder_of_figures_that_is_left_empty_goes(tmp_path):
    write(tmp_path)
    write(tmp_path, document(results(right=(199, 199))), without=("figures/rates.svg",))
    assert not (tmp_path / "figures").exists()


def test_the_same_report_in_another_format_leaves_its_other_files(tmp_path):
    write(tmp_path)
    write(tmp_path, None, "cases.parquet", without=("report.html", "figures/rates.svg"))
    assert files(tmp_path).keys() == ALL | {"cases.parquet"}


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("refused", ["report.json", "report.html", "figures/rates.svg"])
def test_when_one_file_cannot_be_replaced_all_are_as_before(tmp_path, existing, refused):
    """Somebody's folder is where a file should be."""
    if existing:
        write(tmp_path, None, "figures/trend.svg")
        (tmp_path / refused).unlink()
    (tmp_path / refused).mkdir(parents=True)
    (tmp_path / refused / "mine").write_text("mine")
    before = files(tmp_path)
    with pytest.raises(StoreError, match=f"{refused}: Is a directory") as caught:
        write(tmp_path, document(results(right=(199, 199))), text="two\n")
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == before


@pytest.mark.parametrize("existing", [True, False])
def test_a_disk_that_is_full_half_way_leaves_all_as_before(tmp_path, existing):
    if existing:
        write(tmp_path)
    before = files(tmp_path)

    def full():
        yield "x" * 100_000
        raise OSError(28, "No space left on device")

    report = document(results(right=(199, 199)))
    made = {"report.md": ["two\n"], "figures/rates.svg": b"two", "report.json": full()}
    with pytest.raises(StoreError, match="No space left on device"):
        write_report(tmp_path, report, made, owned=OWNED)
    assert files(tmp_path) == before
    assert existing or not (tmp_path / "figures").exists()


def test_a_rendering_that_crashes_leaves_all_as_before(tmp_path):
    write(tmp_path)
    before = files(tmp_path)
    report = document(results())
    report["cases"][0]["score"] = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path, report, text="two\n")
    assert files(tmp_path) == before


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o700), (0o002, 0o770), (0o077, 0o700)])
def test_a_new_folder_is_for_its_owner_and_the_group_that_the_umask_lets_write(
    tmp_path, mask, mode
):
    before = os.umask(mask)
    try:
        path = write(tmp_path / "new")
    finally:
        os.umask(before)
    assert path.parent.stat().st_mode & 0o777 == mode


def test_a_folder_that_is_there_keeps_its_permissions_and_a_link_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real").chmod(0o2755)
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").stat().st_mode & 0o7777 == 0o2755
    assert files(tmp_path / "real").keys() == ALL
    assert {path.name for path in tmp_path.iterdir()} == {"link", "real"}


@pytest.mark.parametrize("taken", ["", "figures"])
def test_a_folder_that_is_a_file_is_one_plain_line(tmp_path, taken):
    (tmp_path / "out").mkdir()
    (place := tmp_path / "out" / taken if taken else tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written"):
        write(tmp_path / "out" if taken else place)


def test_files_have_the_permissions_of_any_new_file(tmp_path):
    mask = os.umask(0o022)
    try:
        path = write(tmp_path)
    finally:
        os.umask(mask)
    for name in ALL:
        assert (path.parent / name).stat().st_mode & 0o777 == 0o644


def test_text_is_utf_8_with_the_line_ends_it_brings(tmp_path):
    write(tmp_path, text="é\r\nü\n")
    assert (tmp_path / "cases.csv").read_bytes() == b"\xc3\xa9\r\n\xc3\xbc\n"
