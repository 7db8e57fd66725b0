"""Labels read back: every layout that is documented, and every fault of a file or of a label."""

import csv
import gzip
import io
import json
import os
import pickle
import random
import re
import subprocess
import sys
import time
import zipfile

import pytest

from alignment.errors import LabelsError
from alignment.files import foreign
from alignment.labels import reading, rows
from alignment.labels.reading import read_labels
from alignment.labels.table import csv_of
from alignment.labels.task import LabelTask, question_for
from alignment.records.labels import Label, LabelItem
from support.hostile import responses

ITEMS = tuple(
    LabelItem.of("harmlessness", f"Human: {i}?", f"Answer, {i}.\nIt ends.") for i in range(4)
)
TASK = LabelTask("t", (question_for("harmlessness"),), ITEMS)
NOISE = random.Random(1).randbytes(64) + b"\xff\xff"
HEAD = "item,axis,prompt,response,label,annotator"


@pytest.fixture
def read(tmp_path):
    """What is read from a file with this content (text or bytes)."""

    def read_content(content):
        path = tmp_path / "labels"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_labels(path)

    return read_content


@pytest.fixture
def refused(read):
    """The line with which a file of this content is refused, which begins with its name."""

    def line(content):
        with pytest.raises(LabelsError) as error:
            read(content)
        text = str(error.value)
        assert text.partition(": ")[0].endswith("/labels")
        assert "\n" not in text
        return text.partition(": ")[2]

    return line


def table(rows, columns=HEAD, **settings):
    """A table of these rows, which are (item or None, label, annotator)."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, **settings)
    writer.writerow(columns.split(","))
    for item, *rest in rows:
        writer.writerow([item.id, item.axis, item.prompt, item.response, *rest])
    return file.getvalue()


def exported(labels, annotator="Anna", **fields):
    """What the page exports: `labels` are (item, label)."""
    entries = [
        {"item": item.id, "axis": item.axis, "prompt": item.prompt, "response": item.response}
        | {"label": label}
        for item, label in labels
    ]
    fields = {"format": "alignment-labels", "version": 1, "task": "t"} | fields
    return json.dumps(fields | {"annotator": annotator, "labels": entries})


# -- what is read ---------------------------------------------------------------------------------


def test_what_the_page_exports(read):
    found = read(exported([(ITEMS[0], "pass"), (ITEMS[2], "unsure"), (ITEMS[1], "fail")]))
    assert found.labels == (
        Label(ITEMS[0].id, "Anna", "pass"),
        Label(ITEMS[2].id, "Anna", "unsure"),
        Label(ITEMS[1].id, "Anna", "fail"),
    )
    assert found.items == {item.id: item for item in ITEMS[:3]}
    assert found.skipped == {}


def test_our_own_table_when_it_was_filled(read):
    rows = list(csv.reader(io.StringIO(csv_of(TASK), newline="")))
    for row, label in zip(rows[1:], ("pass", "FAIL ", "", "?"), strict=True):
        row[5:] = [label, " Anna "]
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    found = read(file.getvalue())
    assert [each.verdict for each in found.labels] == ["pass", "fail", "unsure"]
    assert {each.annotator for each in found.labels} == {"Anna"}
    assert found.items == {item.id: item for item in (ITEMS[0], ITEMS[1], ITEMS[3])}
    assert found.skipped == {reading.NO_LABEL: 1}


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_separators_line_ends_and_marks(read, delimiter, end, mark):
    """`\\r\\r\\n` is what some tools write on Windows, also within cells."""
    text = table([(ITEMS[0], "pass", "A"), (ITEMS[1], "fail", "A")], delimiter=delimiter)
    content = mark + text.replace("\r\n", "\n").replace("\n", end).encode()
    found = read(content)
    if end == "\r\r\n":  # here a line within a text has become two
        assert found.skipped == {reading.CHANGED: 2}
        return
    assert [each.verdict for each in found.labels] == ["pass", "fail"]
    assert set(found.items) == {ITEMS[0].id, ITEMS[1].id}
    assert found.skipped == {}


@pytest.mark.parametrize(
    ("label", "verdict"),
    [
        *[(word, "pass") for word in ("pass", "Pass", " YES ", "true", "1", "1.0", "Harmless")],
        *[(word, "fail") for word in ("fail", "No", "FALSE", "0", "0.0", "harmful")],
        *[(word, "unsure") for word in ("unsure", "Unsure", "?")],
    ],
)
def test_the_words_of_a_label(read, label, verdict):
    found = read(table([(ITEMS[0], label, "A")]))
    assert found.labels == (Label(ITEMS[0].id, "A", verdict),)


@pytest.mark.parametrize(
    "label", ["2", "-1", "maybe", "helpful", "pass fail", "p", "é", "=1", "NaN"]
)
def test_a_label_out_of_range_is_counted(read, label):
    found = read(table([(ITEMS[0], label, "A"), (ITEMS[1], "pass", "A")]))
    assert [each.item for each in found.labels] == [ITEMS[1].id]
    assert set(found.items) == {ITEMS[1].id}
    assert found.skipped == {reading.UNKNOWN: 1}


def test_the_words_of_one_axis_are_none_of_another(read):
    item = LabelItem.of("helpfulness", "Human: a", "b")
    found = read(table([(item, "Harmful", "A"), (item, "not helpful", "B")]))
    assert found.labels == (Label(item.id, "B", "fail"),)
    assert found.skipped == {reading.UNKNOWN: 1}


def test_one_column_for_each_annotator(read):
    columns = "Item,axis,prompt,response,label_anna,notes,LABEL_Ben B"
    rows = [
        (ITEMS[0], "pass", "x", "fail"),
        (ITEMS[1], "", "label", "0"),
        (ITEMS[2], "", "", "so so"),
    ]
    found = read(table(rows, columns))
    assert found.labels == (
        Label(ITEMS[0].id, "anna", "pass"),
        Label(ITEMS[0].id, "Ben B", "fail"),
        Label(ITEMS[1].id, "Ben B", "fail"),
    )
    assert found.skipped == {reading.NO_LABEL: 2, reading.UNKNOWN: 1}


def test_an_empty_label_beside_those_of_each_annotator_is_none(read):
    columns = "item,axis,prompt,response,label,annotator,label_anna"
    found = read(table([(ITEMS[0], "", "", "pass"), (ITEMS[1], "fail", "Ben", "pass")], columns))
    assert found.labels == (
        Label(ITEMS[0].id, "anna", "pass"),
        Label(ITEMS[1].id, "anna", "pass"),
        Label(ITEMS[1].id, "Ben", "fail"),
    )
    assert found.skipped == {}


def test_ids_alone_and_texts_alone(read):
    found = read(f"item,label\n{ITEMS[0].id},pass\n{ITEMS[1].id.upper()},fail\n")
    assert [each.item for each in found.labels] == [ITEMS[0].id, ITEMS[1].id]
    assert found.labels[0].annotator == "unnamed"
    assert found.items == {}
    odd = LabelItem.of("harmlessness", "'=1", r"\x41 \x00")
    text = f"label,response,prompt,axis\npass,{odd.response},{odd.prompt},{odd.axis}\n"
    assert read(text).items == {odd.id: odd}  # as they stand: nobody has escaped them


def test_the_words_of_an_axis_need_no_texts(read):
    found = read(f"item,axis,label\n{ITEMS[0].id},harmlessness,harmful\n{ITEMS[1].id},x,harmful")
    assert [each.verdict for each in found.labels] == ["fail"]
    assert found.skipped == {reading.UNKNOWN: 1}


@pytest.mark.parametrize("id_", ["", "17", "1.23457E+23"], ids=["none", "another's", "a number's"])
def test_what_is_no_id_is_made_up_for_by_the_texts(read, id_):
    item = ITEMS[0]
    found = read(table([(LabelItem(id_, item.axis, item.prompt, item.response), "pass", "A")]))
    assert found.labels == (Label(item.id, "A", "pass"),)
    assert found.items == {item.id: item}


# -- other tools ----------------------------------------------------------------------------------


def test_the_export_of_label_studio(read):
    """Columns in the order of their names, all texts quoted, the imported columns kept.

    The control is called `choice`; a control called `label` would be overwritten by the imported
    column. The annotator's column is Label Studio's own, whatever was imported.
    """
    names = [
        "annotation_id", "annotator", "axis", "choice", "created_at", "id", "item", "label",
        "lead_time", "prompt", "question", "response", "updated_at",
    ]  # fmt: skip
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, names, quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    answers = [("pass", "anna@example.org"), ("fail", "ben@example.org"), ("", "ben@example.org")]
    both = '{"choices": ["pass", "fail"]}'
    for place, (choice, annotator) in enumerate([*answers, (both, "carl@example.org")]):
        item = ITEMS[place]
        writer.writerow({
            "annotation_id": place, "annotator": annotator, "choice": choice, "label": "",
            "created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z",
            "id": 7 + place, "lead_time": 3.5, "question": "Is this response harmless?",
            "item": item.id, "axis": item.axis, "prompt": item.prompt, "response": item.response,
        })  # fmt: skip
    found = read(file.getvalue())
    assert found.labels == (
        Label(ITEMS[0].id, "anna@example.org", "pass"),
        Label(ITEMS[1].id, "ben@example.org", "fail"),
    )
    assert found.skipped == {reading.NO_LABEL: 1, reading.UNKNOWN: 1}


def test_a_task_that_was_skipped_in_label_studio_has_no_label(read):
    columns = "item,axis,prompt,response,choice,annotator,was_cancelled"
    found = read(
        table([(ITEMS[0], "pass", "A", "True"), (ITEMS[1], "pass", "A", "False")], columns)
    )
    assert [each.item for each in found.labels] == [ITEMS[1].id]
    assert found.skipped == {reading.NO_LABEL: 1}


def test_what_was_imported_into_label_studio_is_not_said_by_its_annotator(read):
    columns = "item,axis,prompt,response,label,annotator,choice"
    found = read(table([(ITEMS[0], "pass", "ben", "fail"), (ITEMS[1], "pass", "ben", "")], columns))
    assert found.labels == (Label(ITEMS[0].id, "ben", "fail"),)
    assert found.skipped == {reading.NO_LABEL: 1}


def argilla():
    """Records of Argilla, flattened as `records.to_list(flatten=True)` and `to_datasets` do."""
    answers = [
        (["pass", "fail"], ["u-1", "u-2"], ["submitted", "submitted"]),
        (["fail", "pass"], ["u-1", "u-2"], ["draft", "submitted"]),
        (["unsure"], ["u-1"], ["submitted"]),
        ([], [], []),
    ]
    return {
        "id": [f"r{i}" for i in range(4)],
        "status": ["completed"] * 3 + ["pending"],
        **{key: [getattr(item, key) for item in ITEMS] for key in ("axis", "prompt", "response")},
        "item": [item.id for item in ITEMS],
        "label.responses": [each[0] for each in answers],
        "label.responses.users": [each[1] for each in answers],
        "label.responses.status": [each[2] for each in answers],
        "label.suggestion": [None] * 4,
    }


@pytest.mark.parametrize("way", ["pandas", "datasets"])
def test_the_records_of_argilla(tmp_path, way):
    """Written by the libraries themselves: pandas prints lists with commas, datasets without."""
    path = tmp_path / "argilla.csv"
    if way == "pandas":
        pytest.importorskip("pandas").DataFrame(argilla()).to_csv(path, index=False)
    else:
        pytest.importorskip("datasets").Dataset.from_dict(argilla()).to_csv(path)
    found = read_labels(path)
    assert found.labels == (
        Label(ITEMS[0].id, "u-1", "pass"),
        Label(ITEMS[0].id, "u-2", "fail"),
        Label(ITEMS[1].id, "u-2", "pass"),
        Label(ITEMS[2].id, "u-1", "unsure"),
    )
    assert found.skipped == {reading.NO_LABEL: 2}


def test_lists_of_different_lengths_do_not_say_who_said_what(read):
    columns = (
        "item,axis,prompt,response,label.responses,label.responses.users,label.responses.status"
    )
    found = read(table([(ITEMS[0], "['pass', 'fail']", "['u']", "['submitted']")], columns))
    assert (found.labels, found.skipped) == ((), {reading.UNKNOWN: 1})


# -- what is wrong with a label -------------------------------------------------------------------


def test_a_changed_text_is_counted(read):
    changed = [LabelItem(ITEMS[0].id, "harmlessness", ITEMS[0].prompt, "Another answer."), ITEMS[1]]
    assert read(table([(each, "pass", "A") for each in changed])).skipped == {reading.CHANGED: 1}
    found = read(exported([(each, "pass") for each in changed]))
    assert found.skipped == {reading.CHANGED: 1}
    assert set(found.items) == {ITEMS[1].id}


@pytest.mark.parametrize(
    "item",
    [LabelItem("", "", "Human: a", "b"), LabelItem("zz", "x", " ", "b"), LabelItem("", "", "", "")],
)
def test_what_has_no_item_is_counted(read, item):
    assert read(table([(item, "pass", "A")])).skipped == {reading.NO_ITEM: 1}
    assert read(exported([(item, "pass")])).skipped == {reading.NO_ITEM: 1}
    assert read("item,label\nfirst,pass\n").skipped == {reading.NO_ITEM: 1}


def test_a_label_that_is_repeated_counts_once(read):
    found = read(table([(ITEMS[0], word, "A") for word in ("pass", "yes", "1")]))
    assert found.labels == (Label(ITEMS[0].id, "A", "pass"),)
    assert found.skipped == {reading.REPEATED: 2}


def test_labels_of_one_annotator_that_contradict_each_other_are_all_left_out(read):
    rows = [(ITEMS[0], word, "A") for word in ("pass", "pass", "fail", "pass", "fail")]
    found = read(table([*rows, (ITEMS[0], "fail", "B")]))
    assert found.labels == (Label(ITEMS[0].id, "B", "fail"),)
    assert found.skipped == {reading.REPEATED: 1, reading.CONTRADICTORY: 4}


def test_an_item_whose_labels_all_fell_out_is_not_there(read):
    found = read(table([(ITEMS[0], "pass", "A"), (ITEMS[0], "unsure", "A")]))
    assert (found.labels, found.items) == ((), {})
    assert found.skipped == {reading.CONTRADICTORY: 2}


def test_rows_of_other_lengths(read):
    text = table([(ITEMS[0], "pass", "A")]) + f"{ITEMS[1].id}\n\n{ITEMS[2].id},a,b,c,pass,A,,\n"
    found = read(text + f"{ITEMS[2].id},a,b,c,pass,A,x\n")
    assert len(found.labels) == 1
    assert found.skipped == {reading.NO_LABEL: 1, reading.CHANGED: 1, reading.TOO_LONG: 1}


def test_each_label_of_a_damaged_row_is_counted(read):
    found = read(f"item,label_a,label_b\n{ITEMS[0].id},pass,fail,x\n{ITEMS[1].id},pass,fail\n")
    assert len(found.labels) == 2
    assert found.skipped == {reading.TOO_LONG: 2}


def test_hostile_texts_are_texts(read):
    items = [LabelItem.of("harmlessness", f"Human: {text[:99]}", text) for text in responses()]
    items = list({item.id: item for item in items}.values())
    rows = csv.reader(io.StringIO(csv_of(LabelTask("t", TASK.questions, tuple(items))), newline=""))
    csv.field_size_limit(10**7)
    file = io.StringIO(newline="")
    head, *filled = rows
    csv.field_size_limit(131_072)
    csv.writer(file).writerows([head, *([*row[:5], "pass", "<b>\u202e"] for row in filled)])
    found = read(file.getvalue())
    assert found.skipped == {}
    assert found.items == {item.id: item for item in items}
    assert csv.field_size_limit() == 131_072  # as it was
    found = read(exported([(item, "fail") for item in items], annotator="\ud800<script>"))
    assert found.items == {item.id: item for item in items}
    assert {each.annotator for each in found.labels} == {"?<script>"}


@pytest.mark.parametrize("label", [1, True, ["pass"], {"pass": 1}, 1e999, "", None])
def test_a_label_in_json_is_a_word(read, label):
    found = read(exported([(ITEMS[0], label), (ITEMS[1], "pass")]))
    assert len(found.labels) == 1
    assert sum(found.skipped.values()) == 1


@pytest.mark.parametrize("entry", [None, 1, "x", [], {}, {"item": 3, "label": "pass"}])
def test_an_entry_in_json_that_is_none_is_counted(read, entry):
    content = json.loads(exported([(ITEMS[0], "pass")]))
    content["labels"].append(entry)
    found = read(json.dumps(content))
    assert len(found.labels) == 1
    assert sum(found.skipped.values()) == 1


# -- what is wrong with a file --------------------------------------------------------------------


def archive():
    with zipfile.ZipFile(file := io.BytesIO(), "w") as made:
        made.writestr("xl/workbook.xml", "<x/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has no columns of labels: .* the first line has nothing"),
        (b"\xef\xbb\xbf", "has no columns of labels"),
        ("name,score\na,1\n", "required; the first line has 'name', 'score'"),
        ("item,score\na,1\n", "has no columns of labels"),
        ("label,prompt,response\n", "has no columns of labels"),
        ("item,label,Label\n", "has the column 'label' twice"),
        ("x" * 10**6, "has no columns of labels"),
        ("item,label\n".encode("utf-16"), "is UTF-16"),
        ("item,label\nü,pass\n".encode("latin-1"), "is not UTF-8; save it as CSV in UTF-8"),
        (b"item,label\n" + b"x,pass\n" * 20_000 + b"\xff,pass\n", "is not UTF-8"),
        (b'{"format": "\xff"}', "is not UTF-8"),
        (pickle.dumps(print), "is a pickle"),
        (pickle.dumps({"item": "label"}, protocol=0), "has no columns of labels"),
        (gzip.compress(b"item,label", mtime=0), "is a gzip archive"),
        (archive(), "is a zip archive, as .xlsx"),
        (b"PAR1....", "is a Parquet file"),
        (NOISE, "is not UTF-8|is a pickle|no columns|UTF-16"),
        ('item,label\nx,"pass\ny,fail\n', "line 3 is no row of a table"),
        ('item,label\n"x"y,pass\n', "line 2 is no row of a table"),
        ("{", "is no JSON"),
        ("[" * 10**6, "is no JSON that can be read: nested deeper than 100"),
        ('{"a":' * 10**5, "nested deeper than 100"),
        ('{"format": "alignment-labels", "labels": ' + "[" * 200 + "]" * 200 + "}", "nested"),
        ("[]", "is a list in JSON"),
        ("{}", 'has the format None; "alignment-labels" is required'),
        (exported([], format="alignment-report"), "has the format 'alignment-report'"),
        (exported([], version=2), "has version 2 of the format; version 1 is required"),
        (exported([], version=True), "has version True"),
        (exported([], version=[1]), "version 1 is required"),
        (exported([], annotator=" "), "has the annotator ' '; a name is required"),
        (exported([], annotator=7), "has the annotator 7"),
        (json.dumps(json.loads(exported([])) | {"labels": {}}), "as `labels`; a list is required"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(refused, content, says):
    assert re.search(says, refused(content)), refused(content)


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for name, says in (("fifo", "FIFO"), (".", "folder"), ("absent", "there is no such file")):
        with pytest.raises(LabelsError, match=says):
            read_labels(tmp_path / name)


@pytest.mark.parametrize(
    ("start", "size"), [(b"item,label\n", rows.TABLE), (b"{", foreign.DOCUMENT)]
)
def test_a_giant_file_is_refused_before_it_is_read(tmp_path, start, size):
    with (tmp_path / "giant").open("wb") as file:
        file.write(start)
        file.truncate(size + 1)
    started = time.perf_counter()
    with pytest.raises(LabelsError, match=r"has more than \d+ MiB, which is the limit"):
        read_labels(tmp_path / "giant")
    assert time.perf_counter() - started < 5


# -- size -----------------------------------------------------------------------------------------


MEASURED = """
import resource, sys, time
from pathlib import Path
from alignment.labels.reading import read_labels
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, started = most(), time.process_time()
found = read_labels(Path(sys.argv[1]))
print(time.process_time() - started, most() - before)
print(len(found.labels), len(found.items), found.skipped)
"""


@pytest.mark.parametrize("rows", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_many_rows_take_bounded_memory(tmp_path, rows):
    """Every row has another item, with some 300 characters of text; in a process of its own."""
    path = tmp_path / "many.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD.split(","))
        for number in range(rows):
            asked, answer = f"Human: {number} {'how ' * 20}", f"answer {number} {'so ' * 60}"
            item = LabelItem.of("harmlessness", asked, answer)
            writer.writerow([item.id, item.axis, item.prompt, item.response, "pass", "anna"])
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)], capture_output=True, text=True, check=True
    )
    figures, found = run.stdout.splitlines()
    seconds, grown = map(float, figures.split())
    size = path.stat().st_size / 2**20
    print(f"\n{rows:,} rows, {size:.0f} MiB: {seconds:.1f} s, {grown:.0f} MiB more")  # noqa: T201 - the figures
    assert found == f"{rows} {rows} {{}}"
    assert grown < 4 * size
