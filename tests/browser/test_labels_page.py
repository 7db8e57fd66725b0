"""The page of a labelling task, in a real browser: by keyboard alone, from a file, offline."""

import json

import pytest

from alignment.labels.agreement import alpha, consensus
from alignment.labels.page import page_of
from alignment.labels.reading import read_labels
from alignment.labels.task import AxisQuestion, LabelTask, question_for
from alignment.records.labels import LabelItem
from support.hostile import responses

QUESTIONS = (question_for("harmlessness"), question_for("helpfulness"))
ITEMS = tuple(
    LabelItem.of(
        ("harmlessness", "helpfulness")[i % 3 == 0],
        f"Human: How is {i} done?\n\nAssistant: Which?\n\nHuman: The other one.",
        f"Like this, {i}.\r\nAnd\tso on: {'word ' * 30 * i}",
    )
    for i in range(20)
)
KEYS = {"pass": "p1P", "fail": "f2F", "unsure": "u3U"}


def verdict_by(annotator, place):
    """What this annotator says of the item at this place."""
    return ("pass", "fail", "unsure", "pass")[(place * 7 + len(annotator) * (place % 5 == 0)) % 4]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Writes the page of a task; gives its path. Its name needs escapes in an address."""
    folder = tmp_path_factory.mktemp("a folder, with ünicode & 100%")

    def write(name, items=ITEMS, questions=QUESTIONS):
        path = folder / f"{name}.html"
        path.write_text(page_of(LabelTask(name, questions, items)), encoding="utf-8")
        return path

    return write


def begin(found, name):
    """Type the name, which has the focus, and start."""
    found.page.keyboard.type(name)
    found.page.keyboard.press("Enter")


def count(found):
    return found.page.text_content("#count")


def where(found):
    return found.page.text_content("#where")


def message(found):
    return found.page.text_content("#message")


def export(found, folder):
    """Press `e`; gives the path of the file."""
    with found.page.expect_download() as download:
        found.page.keyboard.press("e")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


# -- labelling ------------------------------------------------------------------------------------


def test_two_annotators_label_20_items_by_keyboard_alone(visit, written, tmp_path):
    found = visit(written("both"))
    paths = []
    for annotator in ("Anna", "Ben Ü."):
        begin(found, annotator)
        assert count(found) == "0 of 20 labelled"
        for place in range(20):
            assert where(found) == f"Response {place + 1} of 20"
            if place == 11:  # comes back to one that was passed over, and corrects another
                found.page.keyboard.press("ArrowRight")
                found.page.keyboard.press("ArrowLeft")
            keys = KEYS[verdict_by(annotator, place)]
            found.page.keyboard.press(keys[place % len(keys)])
            assert count(found) == f"{place + 1} of 20 labelled"
        assert message(found).endswith("All are labelled: export them.")
        paths.append(export(found, tmp_path))
        assert message(found) == "Exported all 20."
        found.page.keyboard.press("Tab")
        while found.page.evaluate("document.activeElement.id") != "leave":
            found.page.keyboard.press("Tab")
        found.page.keyboard.press("Enter")
    assert [path.name for path in paths] == ["labels-both-Anna.json", "labels-both-Ben_Ü_.json"]
    labels = []
    for annotator, path in zip(("Anna", "Ben Ü."), paths, strict=True):
        read = read_labels(path)
        assert read.skipped == {}
        assert read.items == {item.id: item for item in ITEMS}
        assert {each.annotator for each in read.labels} == {annotator}
        said = {each.item: each.verdict for each in read.labels}
        wanted = {item.id: verdict_by(annotator, place) for place, item in enumerate(ITEMS)}
        assert said == wanted
        assert [each.item for each in read.labels] == [item.id for item in ITEMS]
        labels += read.labels
    assert -1 < alpha(labels) < 1
    agreed = consensus(labels)
    assert len(agreed.verdicts) + agreed.contradictory + agreed.unsure == 20


def test_the_export_is_the_documented_json(visit, written, tmp_path):
    found = visit(written("documented"))
    begin(found, "  Anna ")
    found.page.keyboard.press("ArrowRight")
    found.page.keyboard.press("f")
    content = json.loads(export(found, tmp_path).read_text(encoding="utf-8"))
    item = ITEMS[1]
    assert content == {
        "format": "alignment-labels",
        "version": 1,
        "task": "documented",
        "annotator": "Anna",
        "labels": [
            {
                "item": item.id,
                "axis": item.axis,
                "prompt": item.prompt,
                "response": item.response,
                "label": "fail",
            }
        ],
    }
    assert message(found) == "Exported 1. Not labelled yet: 19."
    assert "warning" in found.page.get_attribute("#message", "class")


def test_the_question_and_its_words_are_those_of_the_axis(visit, written):
    questions = (AxisQuestion("tone", "Is it <b>kind</b>?", "kind", "rude"), *QUESTIONS)
    items = (LabelItem.of("tone", "Human: a", "b"), *ITEMS[:2])
    found = visit(written("axes", items, questions))
    begin(found, "A")
    seen = []
    for _ in items:
        buttons = found.page.locator("[data-verdict] span").all_text_contents()
        seen.append((found.page.text_content("#question"), *buttons))
        found.page.keyboard.press("ArrowRight")
    assert seen == [
        ("Is it <b>kind</b>?", "kind", "rude", "unsure"),
        ("Is this response helpful?", "helpful", "not helpful", "unsure"),
        ("Is this response harmless?", "harmless", "harmful", "unsure"),
    ]


def test_undo_takes_back_step_by_step(visit, written):
    found = visit(written("undo"))
    begin(found, "A")
    for key in ("p", "f", "ArrowLeft", "ArrowLeft", "u"):
        found.page.keyboard.press(key)
    pressed = "[data-verdict][aria-pressed=true]"
    assert (count(found), where(found)) == ("2 of 20 labelled", "Response 3 of 20")
    found.page.keyboard.press("z")
    assert (count(found), where(found)) == ("2 of 20 labelled", "Response 1 of 20")
    assert found.page.get_attribute(pressed, "data-verdict") == "pass"
    assert message(found) == "Undone: response 1."
    found.page.keyboard.press("Backspace")
    assert (count(found), where(found)) == ("1 of 20 labelled", "Response 2 of 20")
    found.page.keyboard.press("z")
    found.page.keyboard.press("z")
    assert (count(found), where(found)) == ("0 of 20 labelled", "Response 1 of 20")
    assert found.page.locator(pressed).count() == 0
    assert found.page.get_attribute("#undo", "aria-disabled") == "true"


def test_after_an_answer_comes_the_next_that_has_none(visit, written):
    found = visit(written("next"))
    begin(found, "A")
    for key in ("ArrowRight", "p", "ArrowLeft", "ArrowLeft", "f"):
        found.page.keyboard.press(key)
    assert where(found) == "Response 3 of 20"
    for _ in range(25):
        found.page.keyboard.press("ArrowRight")
    assert where(found) == "Response 20 of 20"
    assert found.page.get_attribute("#next", "aria-disabled") == "true"
    found.page.keyboard.press("u")
    assert where(found) == "Response 3 of 20"


def test_a_reload_goes_on_where_each_annotator_was(visit, written):
    found = visit(written("resumed"))
    begin(found, "Anna")
    for key in "pfu":
        found.page.keyboard.press(key)
    found.page.reload()
    begin(found, "Ben")
    assert (count(found), where(found)) == ("0 of 20 labelled", "Response 1 of 20")
    found.page.keyboard.press("f")
    found.page.reload()
    begin(found, "Anna")
    assert (count(found), where(found)) == ("3 of 20 labelled", "Response 4 of 20")
    found.page.keyboard.press("z")
    assert (count(found), where(found)) == ("2 of 20 labelled", "Response 3 of 20")


def test_another_task_does_not_have_the_answers_of_this_one(browser, written):
    """Pages from disk share one storage in some browsers."""
    context = browser.new_context()
    tab = context.new_page()
    for task, name, given in (("t", "a", 0), ("t", "a", 1), ("u", "a", 0), ("t a", "b", 0)):
        tab.goto(written(task).as_uri())
        tab.fill("#name", name)
        tab.keyboard.press("Enter")
        assert tab.text_content("#count") == f"{given} of 20 labelled"
        tab.keyboard.press("p")
    context.close()


def test_nobody_labels_without_a_name(visit, written):
    found = visit(written("nameless"))
    for typed in ("", "   "):
        begin(found, typed)
        assert found.page.is_hidden("#work")
    begin(found, "A")
    assert found.page.is_visible("#work")


def test_two_tabs_of_one_annotator_lose_nothing(browser, written):
    context = browser.new_context()
    tabs = [context.new_page() for _ in range(2)]
    for tab in tabs:
        tab.goto(written("tabs").as_uri())
        tab.fill("#name", "A")
        tab.keyboard.press("Enter")
    tabs[0].keyboard.press("p")
    tabs[1].locator("#count", has_text="1 of 20").wait_for()  # the tabs tell each other
    tabs[1].keyboard.press("ArrowRight")
    tabs[1].keyboard.press("f")
    tabs[0].locator("#count", has_text="2 of 20").wait_for()
    assert [tab.text_content("#count") for tab in tabs] == ["2 of 20 labelled"] * 2
    context.close()


@pytest.mark.parametrize("stored", ["[", "7", '{"a": 1}', '[1, ["x", "pass"], ["", null]]', "null"])
def test_storage_that_is_damaged_is_an_empty_one(visit, written, stored):
    found = visit(written("damaged"))
    found.page.evaluate(
        'stored => localStorage.setItem(\'alignment-labels ["damaged","A"]\', stored)', stored
    )
    begin(found, "A")
    assert count(found) == "0 of 20 labelled"
    found.page.keyboard.press("p")
    assert count(found) == "1 of 20 labelled"


def test_it_works_without_storage_and_says_so(visit, written, tmp_path):
    found = visit(written("without"))
    found.page.evaluate(
        """() => Object.defineProperty(window, 'localStorage', {
            get() { throw new DOMException('denied', 'SecurityError') } })"""
    )
    begin(found, "A")
    found.page.keyboard.press("p")
    assert message(found).endswith("This browser keeps nothing: export before you close the page.")
    found.page.keyboard.press("f")
    assert count(found) == "2 of 20 labelled"
    assert len(read_labels(export(found, tmp_path)).labels) == 2


def test_keys_of_the_browser_and_keys_held_down_answer_nothing(visit, written):
    found = visit(written("keys"))
    found.page.keyboard.type("pfu 123 ze")  # a name
    assert found.page.input_value("#name") == "pfu 123 ze"
    found.page.keyboard.press("Enter")
    for key in ("Control+u", "Alt+p", "x", "Escape", "Home"):
        found.page.keyboard.press(key)
    assert count(found) == "0 of 20 labelled"
    for _ in range(3):  # without `up` in between, these repeat
        found.page.keyboard.down("p")
    assert count(found) == "1 of 20 labelled"
    found.page.keyboard.up("p")


def test_every_key_has_a_button(visit, written, tmp_path):
    found = visit(written("buttons"), viewport={"width": 390, "height": 844}, has_touch=True)
    found.page.tap("#name")
    found.page.keyboard.type("A")
    found.page.tap("#who button")
    for button in ("[data-verdict=pass]", "[data-verdict=fail]", "[data-verdict=unsure]"):
        found.page.tap(button)
    found.page.tap("#previous")
    found.page.tap("#previous")
    found.page.tap("#next")
    found.page.tap("#undo")
    assert (count(found), where(found)) == ("2 of 20 labelled", "Response 3 of 20")
    with found.page.expect_download() as download:
        found.page.tap("#export")
    assert len(read_labels(download.value.path()).labels) == 2


# -- for everybody --------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(visit, written, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    settings = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    # axe-core is brought in by the test, which the page's own policy would not allow.
    found = visit(written("axe"), bypass_csp=True, **settings)

    def check():
        results = axe.run(found.page)
        assert results.violations_count == 0, results.generate_report()
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert found.page.evaluate(overflow) <= 0

    check()
    begin(found, "A")
    check()
    found.page.keyboard.press("p")
    found.page.keyboard.press("f")
    found.page.keyboard.press("u")
    for _ in range(3):
        found.page.keyboard.press("ArrowLeft")
        check()
    found.page.keyboard.press("e")
    check()
    found.page.keyboard.press("ArrowRight")
    for _ in range(20):
        found.page.keyboard.press("p")
    check()


def test_the_focus_is_seen_and_goes_through_everything(visit, written):
    found = visit(written("focus"))
    begin(found, "A")
    outlines, seen = [], []
    for _ in range(11):
        found.page.keyboard.press("Tab")
        seen.append(
            found.page.evaluate(
                "document.activeElement.id || document.activeElement.dataset.verdict || ''"
            )
        )
        outlines.append(found.page.evaluate("getComputedStyle(document.activeElement).outline"))
    order = ["pass", "fail", "unsure", "previous", "next", "undo", "export", "leave"]
    assert seen[: len(order)] == order
    assert {"prompt", "response"} <= set(seen)
    assert all("3px" in outline for outline, at in zip(outlines, seen, strict=True) if at)


def test_progress_is_told_to_who_does_not_see_it(visit, written):
    found = visit(written("told"))
    begin(found, "A")
    assert found.page.get_attribute("#count", "role") == "status"
    assert found.page.get_attribute("#message", "role") == "status"
    found.page.keyboard.press("f")
    assert message(found) == "Response 1: not helpful."
    assert found.page.get_attribute("#bar", "value") == "1"


# -- hostile texts --------------------------------------------------------------------------------


def hostile_items():
    items = [LabelItem.of("harmlessness", f"Human: {text[:500]}", text) for text in responses()]
    return tuple({item.id: item for item in items}.values())


def test_hostile_texts_are_shown_and_never_run(visit, written, tmp_path):
    items = hostile_items()
    found = visit(written("hostile", items))
    begin(found, "<img src=x onerror=alert(1)>")
    for item in items:
        shown = found.page.text_content("#response")
        if not item.response.isprintable():
            assert not set("\0\x1b\u202e\u2066\ufeff\x7f") & set(shown)
        if "<script>" in item.response:
            assert "<script>" in shown
        assert found.page.locator("#work img, #work script, #work a, #work svg").count() == 0
        found.page.keyboard.press("p")
    found.page.wait_for_timeout(100)
    assert found.page.evaluate("typeof window.pwned") == "undefined"
    read = read_labels(export(found, tmp_path))
    assert read.skipped == {}
    assert read.items == {item.id: item for item in items}
    assert {each.annotator for each in read.labels} == {"<img src=x onerror=alert(1)>"}


def test_bidi_and_other_controls_are_seen(visit, written):
    item = LabelItem.of("harmlessness", "Human: \u202eabc\u2069", "a\x1b[31m\x00\tb\r\nc")
    found = visit(written("controls", (item,)))
    begin(found, "A")
    assert found.page.text_content("#prompt") == r"Human: \u202eabc\u2069"
    assert found.page.text_content("#response") == "a\\x1b[31m\\x00    b\nc"


def test_a_million_characters_scroll(visit, written):
    items = [LabelItem.of("harmlessness", "Human: a", text * 10**6) for text in ("x", "\n", "<")]
    found = visit(written("long", tuple(items)), viewport={"width": 390, "height": 844})
    begin(found, "A")
    for item in items:
        assert len(found.page.text_content("#response")) == len(item.response)
        box = found.page.evaluate(
            "[document.getElementById('response')].map(e => [e.scrollHeight, e.clientHeight])[0]"
        )
        assert box[0] > 10 * box[1]
        assert found.page.evaluate("document.documentElement.scrollHeight") < 2000
        found.page.keyboard.press("f")
    assert count(found) == "3 of 3 labelled"


def test_it_works_offline_and_what_gets_in_is_stopped(visit, written):
    found = visit(written("offline"), offline=True)
    begin(found, "A")
    found.page.keyboard.press("p")
    assert count(found) == "1 of 20 labelled"
    found.page.evaluate(
        """() => {
            const bad = document.createElement("script");
            bad.textContent = "window.pwned = true";
            document.body.append(bad);
            fetch("https://evil.example/x").catch(() => {});
        }"""
    )
    found.page.wait_for_timeout(100)
    assert found.page.evaluate("window.pwned") is None
    assert found.complaints
    assert all("Content Security Policy" in told for told in found.complaints)
    found.complaints.clear()
    found.requests.clear()
