"""The page of a task as text: what is in it, and what is not. A browser opens it in `browser/`."""

import base64
import hashlib
import json
import re

from alignment.labels.page import page_of
from alignment.labels.task import AxisQuestion, LabelTask, question_for
from alignment.records.labels import LabelItem
from support.hostile import responses

ITEMS = tuple(
    {i.id: i for i in (LabelItem.of("harmlessness", f"Human: {t[:200]}", t) for t in responses())}
    .values()
)  # fmt: skip
TASK = LabelTask("t-1", (question_for("harmlessness"),), ITEMS)


def data(page):
    (found,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL
    )
    return json.loads(found)


def test_the_items_are_in_it_as_they_are_and_nothing_else_of_them():
    found = data(page_of(TASK))
    assert found.keys() == {"format", "version", "task", "questions", "items"}
    for item, entry in zip(ITEMS, found["items"], strict=True):
        assert entry.keys() == {"item", "axis", "prompt", "response", "shown"}
        assert LabelItem(*(entry[key] for key in ("item", "axis", "prompt", "response"))) == item


def test_what_is_shown_is_safe():
    for entry in data(page_of(TASK))["items"]:
        for name in ("prompt", "response"):
            shown = entry["shown"].get(name, entry[name])
            assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


def test_no_text_ends_the_data_or_begins_markup():
    odd = AxisQuestion("</script>", "</script><b>", "<i>", "\u202e")
    item = LabelItem.of("</script>", "<!--<script>", "</script>")
    plain = LabelTask("t", (question_for("a"),), (LabelItem.of("a", "b", "c"),))
    hostile = LabelTask("<b>\u202e</b>", (odd,), (item,))
    tags = [re.findall(r"<[^>]{1,20}", page_of(task)) for task in (plain, hostile, TASK)]
    assert len(tags[0]) == len(tags[1]) == len(tags[2])
    assert r"&lt;b&gt;\u202e" in page_of(hostile)


def test_it_loads_nothing_and_runs_its_own_script_alone():
    page = page_of(TASK)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; ")
    own = [*re.findall(r"<style>(.*?)</style>", page, re.DOTALL), page.rpartition("<script>")[2]]
    for text in (*own[:-1], own[-1].partition("</script>")[0]):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    outside = page.replace(page[page.index('id="data"') : page.rindex("<script>")], "")
    assert not re.search(r"https?://|\ssrc=|@import|url\(", outside)
    assert " style=" not in outside
    assert not re.search(r"\son\w+=", outside)
