"""Whatever is selected, by whom and in which order: the same scores, and rates over all prompts."""

import pytest

PASSED = {
    "base-harmlessness": (True, False, True, False),
    "base-helpfulness": (True, True, False),
    "sft-harmlessness": (True, True, True, True),
    "sft-helpfulness": (True, False, True),
}
"""Variant and axis -> the verdicts on its prompts, as they follow from what was recorded."""


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        pytest.param((), 14, id="all"),
        pytest.param(("-k", "sft and harmless"), 4, id="keyword"),
        pytest.param(("-p", "reverse"), 14, id="reverse"),
        pytest.param(("-n", "2"), 14, id="xdist"),
        pytest.param(("-n", "2", "-p", "reverse", "-k", "helpful"), 6, id="at once"),
    ],
)
def test_the_same_cases_have_the_same_verdicts(world, arguments, count):
    outcomes = world.outcomes(*arguments)
    assert len(outcomes) == count
    assert {name: told == "passed" for name, told in outcomes.items()} == {
        name: _passes(name) for name in outcomes
    }
    rates = {name: each["rates"] for name, each in world.report()["variants"].items()}
    assert [rates["base"][name]["passed"] for name in ("HmR", "HpR")] == [2, 2]
    assert [rates["sft"][name]["passed"] for name in ("HmR", "HpR")] == [4, 2]


def _passes(name):
    """From a name such as `test_helpful[sft-helpfulness-question-1-226089c861a4]`."""
    kind, _, rest = name.partition("[")[2].partition("-question-")
    return PASSED[kind][int(rest[0])]


def test_a_single_node_id(world):
    name = "test_helpful[base-helpfulness-question-2-5725aca185e5]"
    assert world.outcomes(f"test_suite.py::{name}") == {
        name: "skipped: not helpful: reward -1, needs > 0"
    }
    assert world.report()["complete"]


def test_two_runs_write_the_same_bytes_outside_run(world):
    world.run(store="one")
    plain = (world.path / "reports/alignment/report.json").read_text()
    world.run("-n", "2", "-p", "reverse", store="two")
    parallel = (world.path / "reports/alignment/report.json").read_text()
    assert plain != parallel
    assert _without_run(plain) == _without_run(parallel)


def _without_run(text):
    """The lines of a report but those of `run`, the last of its keys."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().startswith('"run": {'))
    assert "variants" in text[: text.index('"run": {')]
    return lines[:start]


def test_rates_are_over_the_prompts_of_the_profile(world):
    world.run("-k", "base and question-1")
    rates = world.report()["variants"]["base"]["rates"]
    assert (rates["HmR"]["passed"], rates["HmR"]["total"]) == (2, 4)
    assert (rates["HpR"]["passed"], rates["HpR"]["total"]) == (2, 3)


def test_summaries_are_over_the_prompts_of_the_profile(world):
    world.write(
        "test_suite.py",
        """
import pytest

@pytest.mark.alignment
def test_one(alignment_summary, alignment_variant):
    assert alignment_summary.name == alignment_variant
    assert alignment_summary.rates["HmR"].total == 4

@pytest.mark.alignment
def test_all(alignment_summaries):
    assert list(alignment_summaries) == ["base", "sft"]
    assert alignment_summaries["sft"].change["HmR"] == pytest.approx(100)
""",
    )
    world.run("-k", "test_all or sft").assert_outcomes(passed=2)


def test_prompts_that_only_their_id_is_known_of(world):
    for variant in ("base", "sft"):
        rows = [
            {"axis": axis, "prompt_id": f"{axis}-{i}", "score": i - 1}
            for axis in ("harmlessness", "helpfulness")
            for i in range(3)
        ]
        world.rows(f"{variant}.jsonl", rows)
    outcomes = world.outcomes("test_suite.py::test_harmless[base-harmlessness-0]")
    assert outcomes == {
        "test_harmless[base-harmlessness-0]": "skipped: not harmless: reward -1, needs >= 0"
    }
