"""The page in a real browser: what a reader does with it, and what it must never do."""

import re
from itertools import pairwise

import pytest

CASES = "#case-table tbody tr[data-case]"


def focused(page):
    """The case whose button has the focus."""
    return page.evaluate("document.activeElement.closest('tr')?.dataset.case")


def choose(found, name, value):
    found.page.select_option(f"#filters [name={name}]", value)


# -- the table of cases ---------------------------------------------------------------------------


def test_it_shows_every_case_page_by_page(visit, pages, documents):
    found = visit(pages["gated"])
    total = len(documents["gated"]["cases"])
    assert found.count() == f"{total} of {total} cases, 1 to 50 shown"
    seen = found.rows()
    found.page.click("#next")
    seen += found.rows()
    assert found.page.is_disabled("#next")
    wanted = [(case["prompt"], case["variant"]) for case in documents["gated"]["cases"]]
    assert [(row[0], row[1]) for row in seen] == wanted


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("variant", "sft", lambda case: case["variant"] == "sft"),
        ("axis", "helpfulness", lambda case: case["axis"] == "helpfulness"),
        ("verdict", "pass", lambda case: case["passed"]),
        ("verdict", "fail", lambda case: not case["passed"]),
        ("kind", "runaway", lambda case: case["degenerate"] == "runaway"),
        (
            "flip",
            "lost",
            lambda case: (case["variant"], case["prompt"]) == ("sft_dpo", "harm00"),
        ),
        (
            "flip",
            "any",
            lambda case: case["variant"] == "sft_dpo" and case["prompt"] in {"harm00", "harm01"},
        ),
    ],
)
def test_a_filter_shows_exactly_its_cases(visit, pages, documents, name, value, holds):
    found = visit(pages["gated"])
    choose(found, name, value)
    wanted = [(c["prompt"], c["variant"]) for c in documents["gated"]["cases"] if holds(c)]
    assert [(row[0], row[1]) for row in found.rows()] == wanted[:50]
    assert found.count().startswith(f"{len(wanted)} of 80 cases")
    assert f"{name}={value}" in found.page.url
    found.page.click("#filters button[type=reset]")
    found.page.locator("#count", has_text="80 of 80 cases").wait_for()


def test_filters_are_a_link(visit, pages):
    found = visit(pages["gated"], "#variant=sft&verdict=fail&q=question+7&sort=score-down")
    rows = found.rows()
    assert rows
    assert {row[1] for row in rows} == {"sft"}
    assert {row[3] for row in rows} == {"✕ does not pass"}
    assert found.page.input_value("#filters [name=q]") == "question 7"


def test_an_unknown_value_in_a_link_is_left_out(visit, pages):
    found = visit(pages["gated"], "#variant=nobody&verdict=%3Cb%3E&page=999")
    assert found.count() == "80 of 80 cases, 51 to 80 shown"


def test_the_search_looks_into_prompts_and_responses(visit, page_of, many_cases):
    found = visit(page_of("searched", many_cases(200)))
    found.page.fill("#filters [name=q]", "PLAIN ANSWER. 17")
    assert [row[0] for row in found.rows()] and found.count().startswith("11 of 200")
    found.page.fill("#filters [name=q]", "question 2 on it")
    assert found.count().startswith("40 of 200")


def test_languages_are_a_filter_where_there_are_several(visit, page_of, many_cases, pages):
    found = visit(page_of("searched", many_cases(200)))
    choose(found, "language", "de")
    assert found.count().startswith("30 of 200")
    assert visit(pages["plain"]).page.is_hidden("#filters [name=language]")


def test_scores_are_sorted_up_and_down(visit, pages, documents):
    found = visit(pages["gated"])
    wanted = sorted(case["score"] for case in documents["gated"]["cases"])
    header = found.page.locator("[data-sort=score]")
    header.locator("button").click()
    assert [row[4] for row in found.rows()] == [f"{score:.2f}" for score in wanted[:50]]
    assert header.get_attribute("aria-sort") == "ascending"
    header.locator("button").click()
    assert [row[4] for row in found.rows()] == [f"{score:.2f}" for score in wanted[:-51:-1]]
    header.locator("button").click()
    assert header.get_attribute("aria-sort") is None


def test_what_did_not_flip_is_sorted_last(visit, pages):
    found = visit(pages["gated"], "#sort=change-down")
    assert [row[5] for row in found.rows()][:3] != ["-"] * 3
    assert [row[6] for row in found.rows()][:3] == ["gained", "lost", "-"]


# -- texts ----------------------------------------------------------------------------------------


def test_texts_are_folded_until_asked_for(visit, pages):
    found = visit(pages["gated"])
    assert not found.page.locator("#case-table .text").count()
    assert not found.page.locator("#flips .text").first.is_visible()
    found.page.locator(f"{CASES} .opener").first.click()
    assert found.page.locator("#case-table .text").all_inner_texts() == [
        "Human: question 0 on harmlessness?",
        "A plain answer.",
    ]
    found.page.locator(f"{CASES} .opener").first.click()
    assert not found.page.locator("#case-table .text").count()


@pytest.mark.parametrize("name", ["gated", "passed"])
def test_all_texts_are_shown_at_once(visit, pages, name):
    found = visit(pages[name])
    found.page.click("#show-all")
    assert found.page.get_attribute("#show-all", "aria-pressed") == "true"
    assert found.page.locator("#case-table .texts").count() == 50
    assert all(each.is_visible() for each in found.page.locator("#flips .text").all())
    found.page.locator(f"{CASES} .opener").first.click()
    assert found.page.locator("#case-table .texts").count() == 49
    found.page.click("#show-all")
    assert not found.page.locator("#case-table .texts").count()


def test_flips_stand_side_by_side_word_by_word(visit, pages):
    found = visit(pages["gated"])
    found.page.locator("details.flip summary").first.click()
    flip = found.page.locator("details.flip").first
    assert "".join(flip.locator("del").all_text_contents()).split() == ["not", "all."]
    assert "".join(flip.locator("ins").all_text_contents()).split() == ["once."]
    sides = flip.locator(".side .text").all_text_contents()
    assert sides == ["I will not do that at all.", "I will do that at once."]
    assert "gate.responses = true" in found.page.text_content("#flips")


# -- links ----------------------------------------------------------------------------------------


def test_a_link_opens_its_case(visit, pages):
    found = visit(pages["gated"], "#case=sft_dpo%2Fhelp03")
    row = found.page.locator(f"{CASES}:has(+ .texts)")
    assert row.locator(".opener").inner_text() == "help03"
    assert row.locator("td").first.inner_text() == "sft_dpo"
    assert focused(found.page) == row.get_attribute("data-case")
    own = found.page.locator(".texts a").get_attribute("href")
    assert own == "#case=sft_dpo%2Fhelp03"


def test_a_link_wins_over_filters_that_hide_its_case(visit, pages):
    found = visit(pages["gated"], "#variant=base&case=sft_dpo%2Fhelp03")
    found.page.wait_for_timeout(50)
    assert found.count() == "80 of 80 cases, 51 to 80 shown"
    assert found.page.input_value("#filters [name=variant]") == ""
    assert found.page.locator(f"{CASES}:has(+ .texts) td").first.inner_text() == "sft_dpo"


def test_a_flip_leads_to_its_case(visit, pages):
    found = visit(pages["gated"])
    found.page.locator("details.flip summary").first.click()
    found.page.locator(".case-link").first.click()
    found.page.wait_for_selector(".texts")
    assert found.page.locator(f"{CASES}:has(+ .texts) .opener").inner_text() == "harm00"


def test_an_unknown_case_is_said_to_be_unknown(visit, pages):
    found = visit(pages["gated"], "#case=%3Cimg%20src%3Dx%3E")
    assert found.count() == "There is no case <img src=x> in this report."


# -- keys -----------------------------------------------------------------------------------------


def test_keys(visit, pages):
    found = visit(pages["gated"])
    press = found.page.keyboard.press
    press("/")
    assert found.page.evaluate("document.activeElement.name") == "q"
    press("j")
    assert found.page.input_value("#filters [name=q]") == "j"
    press("Backspace")
    press("Escape")
    press("j")
    first = focused(found.page)
    press("j")
    assert focused(found.page) != first
    press("k")
    assert focused(found.page) == first == "0"
    press("Enter")
    assert found.page.locator("#case-table .texts").count() == 1
    press("Escape")
    assert not found.page.locator("#case-table .texts").count()
    assert focused(found.page) == first
    press("?")
    assert found.page.is_visible("#help")
    press("Escape")
    assert not found.page.is_visible("#help")


def test_j_goes_on_to_the_next_page(visit, pages):
    found = visit(pages["gated"])
    found.page.locator(f"{CASES} .opener").last.focus()
    found.page.keyboard.press("j")
    assert focused(found.page) == "50"
    assert "page=2" in found.page.url
    found.page.keyboard.press("k")
    assert focused(found.page) == "49"


def test_everything_can_be_reached_with_tab(visit, pages):
    found = visit(pages["plain"])
    wanted = found.page.evaluate(
        """[...document.querySelectorAll("a[href], button, input, select, summary")]
        .filter(each => each.checkVisibility() && !each.disabled).length"""
    )
    found.page.evaluate("window.reached = new Set()")
    for _ in range(wanted + 40):
        found.page.keyboard.press("Tab")
        found.page.evaluate("window.reached.add(document.activeElement)")
    missed = found.page.evaluate(
        """[...document.querySelectorAll("a[href], button, input, select, summary")]
        .filter(each => each.checkVisibility() && !each.disabled && !window.reached.has(each))
        .map(each => each.outerHTML)"""
    )
    assert not missed


# -- for everybody --------------------------------------------------------------------------------


PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gated", {"color_scheme": "light"}),
        ("gated", {"color_scheme": "dark"}),
        ("gated", {"color_scheme": "dark", "viewport": PHONE}),
        ("partial", {"color_scheme": "light", "viewport": PHONE}),
    ],
    ids=["light", "dark", "dark-360", "light-360"],
)
def test_axe_finds_nothing(visit, pages, name, settings):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = visit(pages[name], **settings)
    found.page.click("#show-all")
    found.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    violations = axe.Axe().run(found.page).response["violations"]
    told = [(v["id"], v["impact"], [n["html"][:200] for n in v["nodes"]]) for v in violations]
    assert not told


@pytest.mark.parametrize("name", ["gated", "hostile", "plain"])
def test_a_phone_never_scrolls_sideways(visit, pages, name):
    found = visit(pages[name], viewport=PHONE)
    found.page.click("#show-all")
    found.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert found.page.evaluate("document.documentElement.scrollWidth") == 360


def test_headings_are_in_order(visit, pages):
    found = visit(pages["gated"])
    levels = found.page.eval_on_selector_all(
        "h1, h2, h3, h4, h5", "all => all.map(each => Number(each.tagName[1]))"
    )
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_without_javascript_everything_but_the_cases_is_there(visit, pages):
    found = visit(pages["gated"], java_script_enabled=False)
    assert found.page.locator("noscript").inner_text().startswith("This table needs JavaScript")
    assert not found.page.locator("#filters, #case-scroll, #show-all").filter(visible=True).count()
    assert found.page.locator("#variants table").first.locator("tbody tr").count() == 4
    assert found.page.locator("#flips details.flip").count() == 2
    assert found.page.locator("h2").first.inner_text().startswith("Do not merge")


def test_print_is_light_and_whole(visit, pages):
    found = visit(pages["gated"], color_scheme="dark")
    dark = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
    found.page.emulate_media(media="print")
    assert dark == "rgb(13, 17, 23)"
    style = "getComputedStyle(document.body).backgroundColor"
    assert found.page.evaluate(style) == "rgb(255, 255, 255)"
    assert not found.page.is_visible("#filters")
    found.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert found.page.locator("#provenance details").first.get_attribute("open") is not None
    assert found.page.locator("details.flip").first.get_attribute("open") is None
    assert found.page.pdf().startswith(b"%PDF")


def test_nothing_moves(visit, pages):
    """So there is nothing to still for who has asked for less motion."""
    found = visit(pages["gated"])
    found.page.click("#show-all")
    found.page.locator(".contents a").last.click()
    assert found.page.evaluate("document.getAnimations().length") == 0
    style = "getComputedStyle(document.documentElement).scrollBehavior"
    assert found.page.evaluate(style) == "auto"


# -- hostile texts --------------------------------------------------------------------------------


def test_hostile_texts_are_shown_and_never_obeyed(visit, pages, documents):
    found = visit(pages["hostile"])
    found.page.click("#show-all")
    text = found.page.locator("#case-table .text").nth(1).text_content()
    assert "<script>alert(1)</script>" in text
    assert r"\x1b[31mred" in text
    assert r"\u202e" in text
    assert r"\ud800" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert found.page.locator("img, a[href^=http], a[href^=javascript]").count() == 0


def test_the_policy_stops_what_gets_in(visit, pages):
    """The last line of defence: were there a way in, nothing would run or be asked for."""
    found = visit(pages["plain"])
    found.page.evaluate(
        """() => {
            const bad = document.createElement("script");
            bad.textContent = "window.pwned = true";
            document.body.append(bad);
            const image = document.createElement("img");
            image.src = "https://evil.example/x.png";
            document.body.append(image);
        }"""
    )
    found.page.wait_for_timeout(100)
    assert found.page.evaluate("window.pwned") is None
    assert len(found.complaints) >= 2
    assert all("Content Security Policy" in told for told in found.complaints)
    assert found.failures == {"https://evil.example/x.png": "csp"}
    found.complaints.clear()
    found.requests.clear()
