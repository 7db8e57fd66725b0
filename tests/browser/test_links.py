"""Whatever a link to the page says, and whatever things are called in it, the page goes on."""

from dataclasses import replace

import pytest

from alignment.analysis.rollup import summarise_variants
from alignment.records import Score
from alignment.reporting.document import document
from support.reporting_sample import AXES, results

INHERITED = (
    *("__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "isPrototypeOf"),
    *("__defineGetter__", "__lookupSetter__", "toLocaleString", "propertyIsEnumerable"),
)
"""What every object of JavaScript has without being given it."""
OTHERS = (
    *("", "-", "score-", "-down", "score-down-down", "Score", "%00", "%ff", "%", "&&", "=", "0"),
    *("-1", "1e400", "NaN", "Infinity", "9" * 400, "%E2%80%AE", "a" * 5_000, "[", "*", "\\"),
)
KEYS = ("sort", "variant", "axis", "verdict", "flip", "kind", "language", "q", "page", "case")
FOLLOW = """
([key, values]) => values.map((value) => {
  history.replaceState(null, '', `#${key}=${value}`);
  dispatchEvent(new HashChangeEvent('hashchange'));
  return document.getElementById('count').textContent;
})
"""


def test_any_value_of_a_link_is_followed_or_left_out(visit, pages):
    found = visit(pages["gated"])
    for key in KEYS:
        for said in found.page.evaluate(FOLLOW, [key, [*INHERITED, *OTHERS]]):
            assert "of 80 cases" in said or (key == "case" and said.startswith("There is no case"))
        if key == "sort":
            assert len(found.rows()) == 50


@pytest.mark.parametrize("fragment", ["#sort=__proto__", "#sort=toString-down"])
def test_a_page_that_is_opened_at_such_a_link_is_whole(visit, pages, fragment):
    found = visit(pages["gated"], fragment)
    assert len(found.rows()) == 50
    found.page.click("[data-sort=score] button")
    assert "sort=score" in found.page.url
    scores = [float(row[4]) for row in found.rows()]
    assert scores == sorted(scores)


def renamed(**names):
    """A report whose variants, axes, rates, dimensions and prompts are called otherwise."""
    kept = results()
    variants, axes = names["variants"], names["axes"]
    cases = tuple(
        replace(
            case,
            variant=variants[case.variant],
            score=Score(dict.fromkeys(names["dimensions"], case.value)),
            prompt=replace(
                case.prompt,
                axis=axes[case.prompt.axis],
                id=f"{names['variants']['base']}{case.prompt.id}",
            ),
        )
        for case in kept.cases
    )
    rates = {axes[axis]: names["rates"][rate] for axis, rate in AXES.items()}
    profile = kept.profile | {
        "reference": variants["base"],
        "axes": {
            axes[axis]: settings
            | {"rate": rates[axes[axis]], "dimension": next(iter(names["dimensions"]))}
            for axis, settings in kept.profile["axes"].items()
        },
    }
    return replace(
        kept,
        profile=profile,
        cases=cases,
        summaries=summarise_variants(cases, rates, reference=variants["base"], confidence=0.95),
        trials={axes[axis]: replace(it, axis=axes[axis]) for axis, it in kept.trials.items()},
        agreements={
            axes[axis]: replace(it, axis=axes[axis]) for axis, it in kept.agreements.items()
        },
        models={variants.get(name, name): about for name, about in kept.models.items()},
    )


@pytest.mark.parametrize(
    "words",
    [
        ("constructor", "toString", "items", "keys"),
        ("rates", "judge", "values", "get"),
    ],
    ids=lambda words: words[0],
)
def test_names_that_mean_something_elsewhere_are_names(browser, visit, tmp_path, words):
    """Those that JavaScript's objects, Jinja's mappings and our own reports have already."""
    from alignment.reporting.page import page

    first, second, third, fourth = words
    variants = dict(zip(("base", "sft", "dpo", "sft_dpo"), words, strict=True))
    made = document(
        renamed(
            variants=variants,
            axes={"harmlessness": first, "helpfulness": second},
            rates={"HmR": third, "HpR": fourth},
            dimensions=words,
        )
    )
    (path := tmp_path / "page.html").write_text(page(made, {}), encoding="utf-8")
    found = visit(path, f"#variant={second}&axis={first}&sort=score")
    rows = found.rows()
    assert len(rows) == 10
    assert {(row[1], row[2]) for row in rows} == {(second, first)}
    found.page.click("#show-all")
    text = found.page.text_content("#case-table tbody")
    assert all(f"{word} " in text for word in words)
    assert "undefined" not in text
    assert "function" not in text


def test_a_page_without_cases_is_whole(visit, tmp_path):
    from alignment.reporting.page import page

    empty = document(results(cases=()))
    (path := tmp_path / "page.html").write_text(page(empty, {}), encoding="utf-8")
    found = visit(path, "#sort=score&variant=base&page=3")
    assert found.count() == "0 of 0 cases"
    assert found.rows() == []
    for key in ("j", "k", "/", "Escape", "?", "Escape"):
        found.page.keyboard.press(key)
    found.page.click("#show-all")
    found.page.click("[data-sort=score] button")
    assert found.count() == "0 of 0 cases"
