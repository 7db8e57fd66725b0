"""Whatever is in texts and files: labels come back as they were given, and none is lost."""

import csv
import io
import json
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alignment.errors import LabelsError
from alignment.labels.cells import as_cell, from_cell
from alignment.labels.reading import read_labels
from alignment.labels.table import csv_of
from alignment.labels.task import LabelTask, question_for
from alignment.records.labels import Label, LabelItem
from alignment.reporting.formulas import is_formula

FEW = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)
"""Lone surrogates and controls included."""
ODD = st.lists(
    st.sampled_from(
        [
            *"=+-@'\"\\,;\t\r\n\0 x05cub",
            "\\x00",
            "\\x5c",
            "\\u2212",
            "\x1b",
            "\ud800",
            "\ufeff",
            "\r\n",
            "\u2028",
            "\x85",
            "\uff1d",
            "\u2212",
            "]]>",
            "</script>",
            "\ud83d",
            "\ude00",
        ]
    ),
    max_size=12,
).map("".join)
TEXT = ANY | ODD
VERDICT = st.sampled_from(["pass", "fail", "unsure"])


def items_of(texts):
    """Distinct items of (axis, prompt, response); an item whose prompt is blank is left out."""
    made = [LabelItem.of(axis, f"Human:{prompt}", answer) for axis, prompt, answer in texts]
    return tuple({item.id: item for item in made}.values())


TEXTS = st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=5)


@FEW
@given(TEXT)
def test_a_cell_is_undone_and_begins_no_formula(text):
    cell = as_cell(text)
    assert from_cell(cell) == text
    assert cell[:1] == "'" or not is_formula(cell)


@FEW
@given(st.text(max_size=10), ODD)
def test_no_two_texts_have_one_cell(one, other):
    assert (as_cell(one) == as_cell(other)) == (one == other)


@FEW
@given(TEXTS, st.data())
def test_a_table_comes_back_as_it_was(tmp_path, texts, data):
    items = items_of(texts)
    axes = dict.fromkeys(item.axis for item in items)
    task = LabelTask("t", tuple(map(question_for, axes)), items)
    head, *rows = csv.reader(io.StringIO(csv_of(task)[1:], newline=""))
    verdicts = data.draw(st.lists(VERDICT, min_size=len(rows), max_size=len(rows)))
    for row, verdict in zip(rows, verdicts, strict=True):
        row[5:] = [verdict, "A"]
    delimiter, end = data.draw(st.sampled_from(",\t;")), data.draw(st.sampled_from(["\r\n", "\n"]))
    with (tmp_path / "t").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator=end).writerows([head, *rows])
    found = read_labels(tmp_path / "t")
    assert found.skipped == {}
    assert found.items == {item.id: item for item in items}
    assert found.labels == tuple(
        Label(item.id, "A", verdict) for item, verdict in zip(items, verdicts, strict=True)
    )


@FEW
@given(TEXTS, st.data(), st.booleans())
def test_an_export_comes_back_as_it_was(tmp_path, texts, data, ascii_only):
    items = items_of(texts)
    verdicts = data.draw(st.lists(VERDICT, min_size=len(items), max_size=len(items)))
    entries = [
        {"item": i.id, "axis": i.axis, "prompt": i.prompt, "response": i.response, "label": verdict}
        for i, verdict in zip(items, verdicts, strict=True)
    ]
    content = {"format": "alignment-labels", "version": 1, "task": "t", "annotator": "A"}
    text = json.dumps(content | {"labels": entries}, ensure_ascii=ascii_only)
    (tmp_path / "t").write_text(text, encoding="utf-8")
    found = read_labels(tmp_path / "t")
    assert found.skipped == {}
    assert found.items == {item.id: item for item in items}
    assert [each.verdict for each in found.labels] == verdicts


ITEMS = items_of([("harmlessness", str(i), "x") for i in range(2)])
CELLS = st.lists(
    st.tuples(
        st.sampled_from([*ITEMS, LabelItem("", "", "", ""), LabelItem(ITEMS[0].id, "a", "b", "c")]),
        st.sampled_from(["pass", "fail", "unsure", "", "?", "so so"]),
        st.sampled_from("AB"),
    ),
    max_size=12,
)


@FEW
@given(CELLS)
def test_every_label_is_accounted_for(tmp_path, cells):
    with (tmp_path / "t").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "axis", "prompt", "response", "label", "annotator"])
        for item, label, annotator in cells:
            writer.writerow([item.id, item.axis, item.prompt, item.response, label, annotator])
    found = read_labels(tmp_path / "t")
    assert len(found.labels) + sum(found.skipped.values()) == len(cells)
    assert (
        max(Counter((each.item, each.annotator) for each in found.labels).values(), default=1) == 1
    )
    said = {}
    for item, label, annotator in cells:
        if item in ITEMS and label not in {"", "so so"}:
            said.setdefault((item.id, annotator), set()).add("unsure" if label == "?" else label)
    wanted = {Label(*key, *words) for key, words in said.items() if len(words) == 1}
    assert set(found.labels) == wanted


@FEW
@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_file_is_read_or_refused_in_one_line(tmp_path, content):
    for start in (b"", b"item,label\n", b'{"format": "alignment-labels", "version": 1, '):
        (tmp_path / "t").write_bytes(start + content)
        try:
            read_labels(tmp_path / "t")
        except LabelsError as error:
            assert "\n" not in str(error)
