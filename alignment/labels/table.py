"""A labelling task as a table that every spreadsheet, Label Studio and Argilla can read."""

from __future__ import annotations

import csv
import io

from alignment.labels.cells import as_cell
from alignment.labels.task import AxisQuestion, LabelTask

COLUMNS = ("item", "axis", "question", "prompt", "response", "label", "annotator")
"""The columns in order; annotators fill the last two."""

_BOM = "\ufeff"


def csv_of(task: LabelTask) -> str:
    """The task as CSV by RFC 4180 (commas, CRLF, a heading), one row per item in its order.

    It begins with a byte order mark, without which spreadsheets take UTF-8 for an older encoding.
    No cell can be taken for a formula; `read_labels` gives back exactly the texts of the task.
    """
    questions = {each.axis: _asked(each) for each in task.questions}
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    file.write(_BOM)
    writer.writerow(COLUMNS)
    for item in task.items:
        texts = (item.axis, questions[item.axis], item.prompt, item.response)
        writer.writerow([item.id, *map(as_cell, texts), "", ""])
    return file.getvalue()


def _asked(question: AxisQuestion) -> str:
    words = f"pass: {question.pass_words}; fail: {question.fail_words}; or unsure"
    return f"{question.question} ({words})"
