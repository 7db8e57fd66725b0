"""Scores beside verdicts: against scipy, and on the paper's own scores."""

import json
import random

import pytest
from scipy import stats

from alignment.analysis.decision_rule import Evidence, GateRule, decide
from alignment.analysis.score_test import paired_t, score_changes, sweep
from alignment.records.decisions import PairedVerdict
from support.places import ROOT


def pair(number, before, after, cluster=None, threshold=0.0):
    id_ = f"p{number}"
    return PairedVerdict(id_, cluster or id_, before > threshold, after > threshold, before, after)


@pytest.mark.parametrize("size", [2, 3, 10, 101])
def test_the_test_is_scipys_paired_t(size):
    rng = random.Random(size)
    pairs = [pair(number, rng.gauss(0, 1), rng.gauss(0.3, 1)) for number in range(size)]
    expected = stats.ttest_rel([p.score_after for p in pairs], [p.score_before for p in pairs])
    mean, p_value = paired_t(pairs)
    assert p_value == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-12)
    assert mean == pytest.approx(sum(p.score_after - p.score_before for p in pairs) / size)


def test_equal_dialogues_are_tested_by_their_totals():
    rng = random.Random(1)
    pairs = [
        pair(4 * d + i, shift, shift + rng.gauss(d % 3 - 0.5, 0.1), cluster=str(d))
        for d in range(15)
        for i, shift in enumerate(rng.gauss(0, 1) for _ in range(4))
    ]
    totals = [
        sum(p.score_after - p.score_before for p in pairs if p.cluster == str(d)) for d in range(15)
    ]
    assert paired_t(pairs)[1] == pytest.approx(stats.ttest_1samp(totals, 0).pvalue)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([pair(0, 1, 0)], (-1, 1.0)),
        ([pair(n, 1, 1) for n in range(9)], (0, 1.0)),
        ([pair(n, 1, 0) for n in range(9)], (-1, 0.0)),
        ([pair(n, n, 0, cluster="one") for n in range(9)], (-4, 1.0)),
    ],
)
def test_what_has_no_spread(pairs, expected):
    assert paired_t(pairs) == expected


def test_no_pairs_are_refused():
    with pytest.raises(ValueError, match="no prompts"):
        paired_t([])


def test_a_sweep_is_the_change_at_the_deciles():
    pairs = [pair(number, float(number), float(number) - 2.5) for number in range(50)]
    scores = [score for p in pairs for score in (p.score_before, p.score_after)]
    found = dict(sweep(pairs, ">="))
    assert len(found) == 9
    for threshold, change in found.items():
        before = sum(p.score_before >= threshold for p in pairs)
        after = sum(p.score_after >= threshold for p in pairs)
        assert change == 2 * (after - before)
        assert threshold in scores
    assert sweep([pair(0, 0, 1), pair(1, 1, 1)], ">=") == ()


def papers(name):
    path = ROOT / "alignment" / "profiles" / "paper" / f"{name}.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["prompt_id"]: row["score"] for row in rows if row["axis"] == "helpfulness"}


def test_the_papers_scores_show_what_its_verdicts_do_not():
    """SFT against DPO on helpfulness: -10 points, p = 0.30 by verdicts; p = 0.0001 by scores."""
    before, after = papers("sft"), papers("dpo")
    pairs = [pair(id_, before[id_], after[id_], threshold=-2) for id_ in before]
    key = ("dpo", "helpfulness")
    decision = decide({key: Evidence(pairs)}, {"helpfulness": GateRule("HpR")}, "sft")[key]
    assert decision.change.difference == -10
    assert decision.change.p_exact == pytest.approx(0.30, abs=0.005)
    found = score_changes({key: pairs}, {"helpfulness": ">"})[key]
    assert found.p_value == pytest.approx(0.0001, abs=0.00005)
    assert found.difference < 0
