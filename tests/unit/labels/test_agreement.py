"""What most people say, and Krippendorff's alpha against published values and by definition."""

import csv
import random
from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from alignment.labels.agreement import alpha, alpha_interval, consensus
from alignment.records.labels import Label

# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section A: two observers, ten
# binary units, with the coincidences 10, 4, 4, 2: alpha = 1 - 19 * 4 / (14 * 6) = 0.095.
PUBLISHED = ("0100000000", "1110010100")


def labels(*annotators, words={"1": "pass", "0": "fail", "?": "unsure"}):  # noqa: B006
    """One text per annotator, one character per item; a dot is no label."""
    return [
        Label(f"i{place}", f"a{number}", words[said])
        for number, text in enumerate(annotators)
        for place, said in enumerate(text)
        if said != "."
    ]


def by_definition(given):
    """1 - Do / De over all pairs of labels, as in Krippendorff's text: without any library."""
    units = {}
    for each in given:
        if each.verdict != "unsure":
            units.setdefault(each.item, []).append(each.verdict)
    units = [unit for unit in units.values() if len(unit) > 1]
    values = [value for unit in units for value in unit]
    total = len(values)
    observed = sum(
        sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units
    )
    expected = sum(a != b for a, b in permutations(values, 2)) / (total - 1)
    return 1 - observed / expected


def test_the_published_example_of_two_observers():
    assert alpha(labels(*PUBLISHED)) == pytest.approx(0.095, abs=5e-4)


def test_the_library_gives_the_published_nominal_value_of_four_observers():
    """The example has five values, ours two: what the library makes of it is checked here."""
    import krippendorff

    none = np.nan
    data = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, none, none, none],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, none, 3],
        [none, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, none],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, none],
    ]
    found = krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")
    assert found == pytest.approx(0.743, abs=5e-4)


def test_it_is_that_of_the_definition_whatever_is_missing():
    draw = random.Random(3)
    for _ in range(50):
        texts = ["".join(draw.choices("1110.?", k=15)) for _ in range(draw.randint(2, 5))]
        given = labels(*texts)
        found = alpha(given)
        if found is not None:
            assert found == pytest.approx(by_definition(given), abs=1e-12)
        assert found == alpha(draw.sample(given, len(given)))


@pytest.mark.parametrize(
    "texts",
    [(), ("10101",), ("1100", "...."), ("11..", "..00"), ("1111", "1111"), ("10", "??")],
    ids=["nothing", "one", "only one", "no item twice", "no variation", "unsure"],
)
def test_it_is_none_where_it_is_not_defined(texts):
    assert alpha(labels(*texts)) is None
    assert alpha_interval(labels(*texts)) is None


def test_full_agreement_is_one():
    assert alpha(labels("1100", "1100")) == 1


def test_an_annotator_counts_once():
    given = labels("1100", "1010")
    assert alpha(given + given) == alpha(given)


def test_the_interval_holds_alpha_and_depends_on_the_seed_alone():
    draw = random.Random(1)
    truth = draw.choices("10", k=80)
    people = ["".join(t if draw.random() < 0.85 else "10"[t == "1"] for t in truth) for _ in "abc"]
    given = labels(*people)
    found = alpha_interval(given, seed=4)
    assert found.low < alpha(given) < found.high
    assert alpha_interval(draw.sample(given, len(given)), seed=4) == found
    assert alpha_interval(given, seed=5) != found
    narrow = alpha_interval(given, confidence=0.5, seed=4)
    assert found.low < narrow.low < narrow.high < found.high


def test_the_interval_is_that_of_independent_resampling():
    """The same quantiles with numpy, its generator and the definition of alpha."""
    draw = random.Random(2)
    given = labels("".join(draw.choices("1110", k=40)), "".join(draw.choices("1110", k=40)))
    by_item = {}
    for each in given:
        by_item.setdefault(each.item, []).append(each.verdict)
    pairs = list(by_item.values())
    generator, found = np.random.default_rng(0), []
    for _ in range(2000):
        chosen = [pairs[i] for i in generator.integers(len(pairs), size=len(pairs))]
        table = Counter((a == "pass", b == "pass") for a, b in chosen)
        passed = 2 * table[True, True] + table[True, False] + table[False, True]
        total = 2 * len(pairs)
        expected = 2 * passed * (total - passed) / (total - 1)
        found.append(1 - 2 * (table[True, False] + table[False, True]) / expected)
    interval = alpha_interval(given, resamples=2000)
    low, high = np.quantile(found, [0.025, 0.975])
    assert interval.low == pytest.approx(low, abs=0.04)
    assert interval.high == pytest.approx(high, abs=0.04)


def test_there_is_no_interval_where_hardly_anything_varies():
    assert alpha(labels("1" * 19 + "0", "1" * 20)) is not None
    assert alpha_interval(labels("1" * 19 + "0", "1" * 20)) is None


# -- what most say --------------------------------------------------------------------------------


def test_the_strict_majority_of_those_who_are_sure_decides():
    found = consensus(labels("1101?.?", "1001???", "1?0.??0", "....?.?"))
    assert found.verdicts == {"i0": "pass", "i2": "fail", "i3": "pass", "i6": "fail"}
    assert (found.contradictory, found.unsure) == (1, 2)


def test_it_has_no_verdict_without_labels():
    found = consensus([])
    assert (found.verdicts, found.contradictory, found.unsure) == ({}, 0, 0)


def test_who_contradicts_himself_is_unsure_and_who_repeats_himself_counts_once():
    both = [Label("i", "a", "pass"), Label("i", "a", "fail"), Label("i", "a", "pass")]
    assert consensus(both).unsure == 1
    assert consensus([*both, Label("i", "b", "fail")]).verdicts == {"i": "fail"}
    repeated = [Label("i", "a", "pass")] * 3 + [Label("i", n, "fail") for n in "bc"]
    assert consensus(repeated).verdicts == {"i": "fail"}


# -- XSTest ---------------------------------------------------------------------------------------

XSTEST = "xstest/labels/xstest_v2_completions_{}_gpteval.csv"
MODELS = ("gpt4", "llama2new", "llama2orig", "mistralguard", "mistralinstruct")


@pytest.mark.parametrize("model", MODELS)
def test_the_agreement_of_xstests_two_annotators(shared_data, model):
    """Two people, 450 responses: with two annotators alpha is Scott's pi for small samples."""
    name = XSTEST.format(model)
    with (shared_data(name) / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    pairs = [[not row[f"annotation_{i}"].startswith("1_") for i in (1, 2)] for row in rows]
    given = [
        Label(row["id"], f"annotation_{i + 1}", "pass" if pair[i] else "fail")
        for row, pair in zip(rows, pairs, strict=True)
        for i in (0, 1)
    ]
    total = 2 * len(pairs)
    passed = sum(map(sum, pairs))
    observed = sum(a != b for a, b in pairs) / len(pairs)
    expected = 2 * passed * (total - passed) / (total * (total - 1))
    found = alpha(given)
    print(model, found)  # noqa: T201 - the figures
    assert len(rows) == 450
    assert found == pytest.approx(1 - observed / expected, abs=1e-12)
    agreed = consensus(given)
    assert len(agreed.verdicts) + agreed.contradictory == 450
    assert agreed.contradictory == sum(a != b for a, b in pairs)
