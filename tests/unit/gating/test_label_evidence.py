"""Which labels correct a comparison, and which do not."""

import pytest

from alignment.analysis.decision_rule import Evidence, GateRule, decide
from alignment.analysis.label_sampling import draw, stratum_of
from alignment.gating.label_evidence import AnsweredPair, correct
from alignment.labels.book import LabelBook
from alignment.labels.sample import ComparisonSample, LabelSample
from alignment.records.decisions import PairedVerdict
from alignment.records.labels import item_id

RULE = GateRule("HmR")
TOTAL = 200


def answered(number, *, before="old", after="new", passes=(True, True), axis="harmlessness"):
    pair = PairedVerdict(f"p{number}", f"p{number}", *passes, 0.0, 0.0)
    text = f"Human: question {number}"
    return AnsweredPair(axis, pair, text, f"{before} {number}", f"{after} {number}")


PAIRS = [answered(number, passes=(True, number % 3 > 0)) for number in range(TOTAL)]


def items(each):
    return tuple(item_id("harmlessness", each.text, text) for text in (each.before, each.after))


def book(pairs, *, labels=lambda each: (True, True), **more):
    """The labels of both answers of `pairs`."""
    verdicts = {}
    for each in pairs:
        verdicts |= dict(zip(items(each), labels(each), strict=True))
    return LabelBook(verdicts, **more)


def sample_of(pairs, drawn):
    comparison = ComparisonSample(
        variant="candidate",
        against="variant base",
        axis="harmlessness",
        strata={
            each.pair.prompt: repr(stratum_of(each.pair.before, each.pair.after)) for each in pairs
        },
        drawn={each.pair.prompt: items(each) for each in pairs if each.pair.prompt in drawn},
    )
    return LabelSample(task="t", seed=0, comparisons=(comparison,))


DRAWN = set(
    draw({each.pair.prompt: stratum_of(each.pair.before, each.pair.after) for each in PAIRS}, 60, 0)
)
SAMPLE = sample_of(PAIRS, DRAWN)
CHOSEN = [each for each in PAIRS if each.pair.prompt in DRAWN]


def test_a_sample_corrects_the_judge():
    found = correct(book(CHOSEN, samples=(SAMPLE,)), "harmlessness", PAIRS, RULE)
    assert (found.change.labelled, found.change.total, found.change.difference) == (60, TOTAL, 0)
    evidence = Evidence([each.pair for each in PAIRS], corrected=found.change)
    (decision,) = decide(
        {("candidate", "harmlessness"): evidence}, {"harmlessness": RULE}, "b"
    ).values()
    assert (decision.outcome, decision.by_judge) == ("pass", "fail")


def test_no_label_is_no_correction_and_no_reason():
    found = correct(LabelBook(samples=(SAMPLE,)), "harmlessness", PAIRS, RULE)
    assert (found.change, found.reason) == (None, "")


def test_labels_of_another_axis_do_not_count():
    pairs = [answered(n, axis="helpfulness") for n in range(TOTAL)]
    assert correct(book(CHOSEN), "helpfulness", pairs, RULE).change is None


def test_labels_that_nobody_drew_are_not_used():
    """People may have looked at the answers that seemed worst, or best."""
    found = correct(book(CHOSEN), "harmlessness", PAIRS, RULE)
    assert found.change is None
    assert found.reason.startswith("60 of 200 prompts of harmlessness have labels, and no sample")


def test_labels_that_nobody_drew_are_used_if_the_profile_says_that_they_are_random():
    found = correct(book(CHOSEN, random=True), "harmlessness", PAIRS, RULE)
    assert found.change.labelled == 60


def test_labels_of_all_prompts_need_no_sample():
    found = correct(book(PAIRS), "harmlessness", PAIRS, RULE)
    assert found.change.labelled == TOTAL
    assert found.change.here.low == found.change.here.high == 0


def test_a_task_that_is_not_finished_counts_as_far_as_it_is():
    found = correct(book(CHOSEN[:30], samples=(SAMPLE,)), "harmlessness", PAIRS, RULE)
    assert found.change.labelled == 30


def test_labels_beside_the_sample_do_not_count():
    """Whoever labels further answers of their choice does not move the estimate."""
    worse = [each for each in PAIRS if each.pair.prompt not in DRAWN][:50]
    verdicts = book(CHOSEN).verdicts | book(worse, labels=lambda _: (True, False)).verdicts
    found = correct(LabelBook(verdicts, (SAMPLE,)), "harmlessness", PAIRS, RULE)
    assert (found.change.labelled, found.change.difference) == (60, 0)


def test_a_sample_of_another_model_is_not_used_for_the_answers_that_did_not_change():
    """A checkpoint that keeps most answers: only the unchanged ones are known."""
    now = [
        answered(n, after="new" if n % 4 else "worse", passes=(True, n % 3 > 0))
        for n in range(TOTAL)
    ]
    found = correct(book(CHOSEN, samples=(SAMPLE,)), "harmlessness", now, RULE)
    assert found.change is None
    assert "no sample says that they were drawn at random for these answers" in found.reason


def test_a_sample_serves_another_model_once_its_answers_are_labelled():
    now = [answered(n, after="worse", passes=(True, n % 2 > 0)) for n in range(TOTAL)]
    labelled = [each for each in now if each.pair.prompt in DRAWN]
    verdicts = book(CHOSEN).verdicts | book(labelled, labels=lambda _: (True, False)).verdicts
    found = correct(LabelBook(verdicts, (SAMPLE,)), "harmlessness", now, RULE)
    assert (found.change.labelled, found.change.difference) == (60, -100)


def test_a_sample_of_other_prompts_is_not_used():
    fewer = LabelSample(
        task="t",
        seed=0,
        comparisons=(
            SAMPLE.comparisons[0].model_copy(
                update={"strata": dict(list(SAMPLE.comparisons[0].strata.items())[:-1])}
            ),
        ),
    )
    assert correct(book(CHOSEN, samples=(fewer,)), "harmlessness", PAIRS, RULE).change is None


def test_identical_answers_are_known_without_labels():
    now = [answered(n, after="old" if n % 2 else "new", passes=(True, True)) for n in range(TOTAL)]
    changed = [each for each in now if each.before != each.after]
    drawn = {each.pair.prompt for each in changed[:50]}
    found = correct(
        book(changed[:50], labels=lambda _: (True, False), samples=(sample_of(now, drawn),)),
        "harmlessness",
        now,
        RULE,
    )
    assert found.change.difference == pytest.approx(-50)
    assert found.change.before is None  # nobody labelled those that did not change


@pytest.mark.parametrize(("unsure", "used"), [(10, True), (20, False)])
def test_where_people_are_often_unsure_nothing_is_corrected(unsure, used):
    doubtful = {each.pair.prompt for each in CHOSEN[:unsure]}

    def labels(each):
        return (None if each.pair.prompt in doubtful else True), True

    found = correct(book(CHOSEN, labels=labels, samples=(SAMPLE,)), "harmlessness", PAIRS, RULE)
    if used:
        assert (found.change.labelled, found.change.unresolved) == (60 - unsure, unsure)
    else:
        assert found.reason.startswith("people were unsure or disagreed on 20 of 60 prompts")


def test_few_labels_are_said():
    found = correct(book(CHOSEN[:3], samples=(SAMPLE,)), "harmlessness", PAIRS, RULE)
    assert found.reason == "only 3 prompts of harmlessness have labels; at least 5 are required"


def test_answers_that_are_not_stored_are_said():
    lost = [AnsweredPair(each.axis, each.pair, each.text, None, each.after) for each in PAIRS]
    found = correct(book(CHOSEN, samples=(SAMPLE,)), "harmlessness", lost, RULE)
    assert "gate.responses=true" in found.reason


def test_required_labels_that_are_missing_are_no_pass():
    pairs = [answered(n).pair for n in range(TOTAL)]
    key = ("candidate", "harmlessness")
    evidence = {key: Evidence(pairs, labels_required=True, uncorrected="there are none")}
    assert decide(evidence, {"harmlessness": RULE}, "base")[key].outcome == "uninformative"
