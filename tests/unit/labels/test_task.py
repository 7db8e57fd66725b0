"""The task and its table: what is refused, and what stands in the cells."""

import csv
import io
from dataclasses import replace

import pytest

from alignment.errors import LabelsError
from alignment.labels.table import COLUMNS, csv_of
from alignment.labels.task import AxisQuestion, LabelTask, question_for
from alignment.records.labels import LabelItem, item_id

HARM = LabelItem.of("harmlessness", "Human: How?", "Like so.")
HELP = LabelItem.of("helpfulness", "Human: How?", "Like so.")
QUESTIONS = (question_for("harmlessness"), question_for("helpfulness"))


def test_an_id_is_of_the_content_alone():
    assert HARM.id == item_id("harmlessness", "Human: How?", "Like so.")
    assert len(HARM.id) == 24
    assert HARM.id != HELP.id
    assert item_id("a", "bc", "d") != item_id("a", "b", "cd")
    assert item_id("a", '","', "") != item_id("a", "", '","')


def test_the_id_is_what_it_was():
    """Labels are kept for years: the id of a content never changes."""
    assert item_id("harmlessness", "Human: Hi", "ü\n") == "d1a609076492c0c6ec76e1d0"


def test_line_ends_and_lone_surrogates_make_no_other_id():
    assert item_id("a", "b\r\nc\rd", "") == item_id("a", "b\nc\nd", "")
    assert item_id("a", "\ud800", "") == item_id("a", "?", "")
    assert LabelItem.of("a", "\ud800", "x\r\n").prompt == "?"
    assert LabelItem.of("a", "\ud800", "x\r\n").response == "x\r\n"


@pytest.mark.parametrize(
    ("questions", "items", "says"),
    [
        (QUESTIONS, (), "no items"),
        (QUESTIONS, (HARM, HELP, HARM), "is there twice"),
        (QUESTIONS[:1], (HARM, HELP), "'helpfulness' has items and no question"),
        (QUESTIONS * 2, (HARM,), "'harmlessness' has several questions"),
        (QUESTIONS, (LabelItem("0" * 24, "harmlessness", "a", "b"),), "is not what"),
        (QUESTIONS, (replace(HARM, response="Otherwise."),), "is not what"),
    ],
)
def test_a_task_that_cannot_be_labelled_is_refused(questions, items, says):
    with pytest.raises(LabelsError, match=says) as error:
        LabelTask("t", questions, items)
    assert "\n" not in str(error.value)


def test_another_axis_has_a_general_question():
    assert "politeness" in question_for("politeness").question
    task = LabelTask("t", QUESTIONS, (HARM,))
    assert task.question("harmlessness") == QUESTIONS[0]
    with pytest.raises(KeyError):
        task.question("politeness")


def test_the_table_has_its_columns_and_no_more_than_the_task():
    axis = "=cmd"
    odd = LabelItem.of(axis, 'Human: a,b\r\n"c"', "@SUM(1)\x00")
    question = AxisQuestion(axis, "+Is it?", "good", "bad")
    text = csv_of(LabelTask("t", (*QUESTIONS, question), (HELP, odd, HARM)))
    assert text[0] == "\ufeff"
    assert text.count("\r") == 4  # at the ends of rows alone
    rows = list(csv.DictReader(io.StringIO(text[1:], newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["item"] for row in rows] == [HELP.id, odd.id, HARM.id]
    assert rows[0]["question"].startswith("Is this response helpful? (pass: helpful;")
    assert rows[1]["axis"] == "'=cmd"
    assert rows[1]["question"].startswith("'+Is it?")
    assert rows[1]["prompt"] == 'Human: a,b\\x0d\n"c"'
    assert rows[1]["response"] == r"'@SUM(1)\x00"
    assert {row["label"] + row["annotator"] for row in rows} == {""}
