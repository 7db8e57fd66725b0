"""A labelling task as an HTML page: one file that loads nothing from a network."""

from __future__ import annotations

import json
from typing import Any

from alignment.labels.rows import FORMAT, VERSION
from alignment.labels.task import LabelTask
from alignment.records.labels import LabelItem
from alignment.reporting.selfcontained import content_policy, environment, source
from alignment.reporting.text import safe


def page_of(task: LabelTask) -> str:
    """The page on which annotators label a task, as HTML; `read_labels` reads what it exports.

    Texts are shown as text, with control characters as visible escapes, and exported as they are.
    """
    templates = environment()
    report_style, style, script = (
        source(templates, name) for name in ("page.css", "labels.css", "labels.js")
    )
    return templates.get_template("labels.html.j2").render(
        task=task,
        total=len(task.items),
        data=_block(task),
        styles=(report_style, style),
        script=script,
        policy=content_policy((report_style, style), script),
    )


def _block(task: LabelTask) -> str:
    r"""JSON for a `<script>` element, which it cannot end: every `<` is `\u003c`."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "task": task.id,
        "questions": {
            each.axis: {
                "question": safe(each.question),
                "pass": safe(each.pass_words),
                "fail": safe(each.fail_words),
            }
            for each in task.questions
        },
        "items": [_entry(item) for item in task.items],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _entry(item: LabelItem) -> dict[str, Any]:
    """An item for the script; `shown` has by name the texts that are shown otherwise than they are.

    What is exported has to be the text itself, of which the item's id is.
    """
    texts = {"axis": item.axis, "prompt": item.prompt, "response": item.response}
    shown = {name: safe(text, lines=True) for name, text in texts.items()}
    changed = {name: text for name, text in shown.items() if text != texts[name]}
    return {"item": item.id, **texts, "shown": changed}
