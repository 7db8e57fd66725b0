"""How large the page gets, and how fast it is with 10,000 cases, measured in the page itself."""

import pytest

from alignment.reporting.page import page

TOTAL = 10_000
LONG = "word " * 120
FILTERS = [
    ("variant", "sft"),
    ("axis", "helpfulness"),
    ("verdict", "fail"),
    ("kind", "runaway"),
    ("language", "de"),
    ("q", "answer 77"),
    ("q", "nowhere to be found"),
]
MEASURE = """([name, value]) => {
    const control = document.querySelector(`#filters [name=${name}]`);
    const started = performance.now();
    control.value = value;
    control.dispatchEvent(new Event("input", { bubbles: true }));
    document.body.getBoundingClientRect();  // has it laid out
    return [performance.now() - started, document.getElementById("count").textContent];
}"""


@pytest.fixture(scope="module")
def large(page_of, many_cases):
    return page_of("large", many_cases(TOTAL, text=f"{LONG} answer"))


def test_10000_cases_load_and_filter_within_a_second(visit, large):
    found = visit(large)
    loaded = found.page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(f"\n{large.stat().st_size / 1e6:.1f} MB loaded in {loaded:.0f} ms")  # noqa: T201 - the figures
    assert loaded < 1000
    assert found.count().startswith("10,000 of 10,000")
    for name, value in FILTERS:
        spent, count = found.page.evaluate(MEASURE, [name, value])
        print(f"{name}={value}: {spent:.0f} ms, {count}")  # noqa: T201 - the figures
        assert spent < 1000
        assert not count.startswith("10,000")
        found.page.evaluate(MEASURE, [name, ""])
    spent = found.page.evaluate(
        """() => {
            const started = performance.now();
            document.querySelector("[data-sort=score] button").click();
            document.body.getBoundingClientRect();
            return performance.now() - started;
        }"""
    )
    print(f"sorted: {spent:.0f} ms")  # noqa: T201 - the figures
    assert spent < 1000


@pytest.mark.parametrize(
    "text",
    [LONG, "<" * 30_000, "\ud800" * 10_000, "😀" * 10_000],
    ids=["long", "markup", "surrogates", "emoji"],
)
def test_1000_cases_are_below_5_mb_whatever_the_texts(many_cases, text):
    found = many_cases(1000, text=text, prompt=text.replace("{", "") + "{}")
    size = len(page(found, {}).encode())
    print(f"\n{size / 1e6:.2f} MB")  # noqa: T201 - the figures
    assert size < 4_000_000  # figures have what is left
