"""The labels of a run: from the store, from files, from tables of others, beside responses."""

import json

import pytest

from alignment.config.layers import resolve
from alignment.errors import LabelsError, PromptError
from alignment.labels.book import collect_labels, stored_verdicts
from alignment.labels.imported import import_labels, remember_sample
from alignment.labels.sample import ComparisonSample, LabelSample, dumps
from alignment.progress import Progress
from alignment.records.labels import item_id
from alignment.store import Store
from alignment.study.study import Study
from support import xstest

PROFILE = """
name = "world"
judge = { recorded = true }
[axes.harmlessness]
rate = "HmR"
threshold = 0.0
comparison = ">="
prompts = { origin = { source = "recorded" } }
[variants]
base = { recorded = "base.jsonl" }
"""
PROMPT, ANSWER = "Human: hello", "good day"
ITEM = item_id("harmlessness", PROMPT, ANSWER)
SAMPLE = LabelSample(
    task="t",
    seed=0,
    comparisons=(
        ComparisonSample(
            variant="a",
            against="b",
            axis="harmlessness",
            strata={"p": "s"},
            drawn={"p": ("x", "y")},
        ),
    ),
)


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Collects the labels of the profile in this folder, with more settings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profile.toml").write_text(PROFILE)
    store = Store(tmp_path / "store")

    def collect(*settings, row=None):
        rows = [{"prompt": PROMPT, "response": ANSWER, "score": 1} | (row or {})]
        (tmp_path / "base.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
        profile = resolve(tmp_path, selected="profile.toml", assignments=settings)
        return collect_labels(Study(profile, store, progress=Progress()))

    collect.store = store
    return collect


def test_without_labels_the_book_is_empty(book):
    found = book()
    assert (found.verdicts, found.samples, found.random) == ({}, (), False)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({"label": "pass"}, True),
        ({"label": "fail"}, False),
        ({"label_anna": "pass", "label_ben": "pass", "label_eva": "fail"}, True),
        ({"label_anna": "pass", "label_ben": "fail"}, None),
        ({"label": "unsure"}, None),
    ],
)
def test_labels_beside_recorded_responses(book, row, verdict):
    assert book(row=row).verdicts == {ITEM: verdict}


@pytest.mark.parametrize("row", [{"label": None}, {"label": ""}, {"labels": "pass"}])
def test_an_empty_label_is_none(book, row):
    assert book(row=row).verdicts == {}


@pytest.mark.parametrize("label", ["Pass!", 1, True, ["pass"], "safe"])
def test_a_recorded_label_of_another_kind_is_refused(book, label):
    with pytest.raises(PromptError, match=r"`label_anna` is .*; `pass`, `fail` or `unsure`"):
        book(row={"label_anna": label})


def test_imported_labels_and_samples_are_in_the_store(book, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text(f"item,label,annotator\n{ITEM},fail,=anna\n")
    import_labels(book.store, [table])
    import_labels(book.store, [table])
    remember_sample(book.store, SAMPLE)
    found = book()
    assert found.verdicts == {ITEM: False}
    assert found.samples == (SAMPLE,)
    assert [label.annotator for label in found.labels] == ["=anna"]
    assert stored_verdicts(book.store) == {ITEM}


def test_nothing_is_imported_if_one_file_cannot_be_read(book, tmp_path):
    good, bad = tmp_path / "labels.csv", tmp_path / "bad.csv"
    good.write_text(f"item,label,annotator\n{ITEM},fail,anna\n")
    bad.write_bytes(b"PK\x03\x04")
    with pytest.raises(LabelsError, match=r"bad\.csv: is a zip archive"):
        import_labels(book.store, [good, bad])
    assert book().verdicts == {}


def test_files_of_the_profile(book, tmp_path):
    (tmp_path / "labels.csv").write_text(f"item,label,annotator\n{ITEM},fail,anna\n,pass,anna\n")
    (tmp_path / "sample.json").write_text(dumps(SAMPLE))
    found = book('labels.files=["labels.csv", "sample.json"]', "labels.random=true")
    assert (found.verdicts, found.samples, found.random) == ({ITEM: False}, (SAMPLE,), True)
    assert sum(found.skipped.values()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format": "alignment-label-sample"}', "is no label sample that this version can read"),
        ('{"format": "alignment-label-sample", "version": 2}', "version"),
        ("[" * 200 + "]" * 200, "nested deeper than 100"),
        ('{"a": ', "is no JSON"),
        (dumps(SAMPLE).replace('"seed": 0', '"seed": "x"'), "seed"),
    ],
)
def test_a_sample_that_cannot_be_read_is_one_line(book, tmp_path, text, said):
    (tmp_path / "sample.json").write_text(text)
    with pytest.raises(LabelsError, match=said) as error:
        book('labels.files=["sample.json"]')
    assert str(error.value).startswith("sample.json: ")
    assert "\n" not in str(error.value)


TABLE = (
    'labels.tables=[{path="people.csv", axis="harmlessness", prompt="question", response="answer", '
    'labels=["one", "two"], passes=["no"], fails=["yes"], where={kind=["bad", "worse"]}}]'
)


def test_a_table_of_another_layout(book, tmp_path):
    (tmp_path / "people.csv").write_text(
        f"question,answer,kind,one,two\n{PROMPT},{ANSWER},bad,yes,yes\n"
        f"{PROMPT},other,worse,no,perhaps\n{PROMPT},third,good,yes,yes\n{PROMPT},fourth,bad,,\n"
    )
    assert book(TABLE).verdicts == {
        ITEM: False,
        item_id("harmlessness", PROMPT, "other"): True,
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"question,answer,kind,one\na,b,bad,yes\n", "there is no column 'two'"),
        (b"question,answer,kind,one,two\na,b\n", "another number of cells than the header"),
        (b"question,answer,kind,one,two\na,b,bad,\xff,x\n", "not UTF-8"),
        (b'question,answer,kind,one,two\na,"b', "unexpected end of data"),
        (None, "there is no such file"),
    ],
)
def test_a_table_with_a_fault_is_one_line(book, tmp_path, content, said):
    if content is not None:
        (tmp_path / "people.csv").write_bytes(content)
    with pytest.raises(LabelsError, match=said) as error:
        book(TABLE)
    assert str(error.value).startswith("people.csv")


@xstest.needs_xstest
@pytest.mark.parametrize("judge", xstest.JUDGES)
def test_xstests_own_file_as_a_table(book, judge):
    """Two people per response; their majority is the data's final label where they agree."""
    path = xstest.path_of("mistralguard", judge)
    unsafe = sorted({row["type"] for row in xstest.raw("mistralguard", judge)})
    unsafe = [kind for kind in unsafe if kind.startswith("contrast_")]
    found = book(
        f'labels.tables=[{{path="{path}", axis="harmlessness", response="completion", '
        f'labels=["annotation_1", "annotation_2"], passes=["2_full_refusal", "3_partial_refusal"], '
        f'fails=["1_full_compliance"], where={{type={json.dumps(unsafe)}}}}}]'
    )
    assert len(found.verdicts) == 200
    people = {
        item_id(row["axis"], row["prompt"], row["response"]): row["people"]
        for row in xstest.rows_of("mistralguard", judge)
    }
    agreed = {id_: value for id_, value in found.verdicts.items() if value is not None}
    assert len(agreed) > 190
    assert agreed == {id_: people[id_] for id_ in agreed}
