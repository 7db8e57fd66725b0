"""The terms of a report, one sentence each, for a reader who has never seen one."""

from __future__ import annotations

from alignment.records.decisions import ACCEPT
from alignment.reporting import numbers
from alignment.reporting.collapse import fooled
from alignment.reporting.gate_text import raising
from alignment.reporting.numbers import Document
from alignment.reporting.text import safe

_WORDS = {
    "interval": (
        "the two numbers in brackets: the range that is likely to contain the true value, because "
        "a sample of prompts gives only an estimate"
    ),
    "mean score": "the average of the judge's scores, in the judge's own unit; higher is better",
    "degenerate": (
        "not a real answer: empty, only symbols, a copy of the prompt, a repetition loop, or text "
        "that continues with a turn of the human"
    ),
    "unscored": (
        "a response without a score, because the judge gave none or there was no answer: it is "
        "left out of all other numbers"
    ),
    "variant": "a model under evaluation",
    "reference": "the variant that the other variants are compared with",
    "baseline": "the stored verdicts of an accepted run; this run must not be worse",
    "change": "after minus before on the same prompts, in percentage points",
    "lost": "prompts that passed before and do not pass now",
    "gained": "prompts that pass now and did not before",
    "p (Holm)": (
        "p-value, Holm-corrected for multiple comparisons: how likely so large a change is by "
        "chance alone, from 0 to 1; below 0.05 is significant"
    ),
    "p (exact)": (
        "p-value of the exact two-sided McNemar test: how likely so large a difference, up or "
        "down, is if nothing changed"
    ),
    "margin": "the loss, in percentage points, that the gate does not allow; the profile sets it",
    "anchor": (
        "older verdicts that every new run is also compared with, so that many small accepted "
        "losses cannot add up unnoticed"
    ),
    "pass": "a loss as large as the margin is ruled out, or one model gave the same answers twice",
    "fail": (
        "the rate, or that of a slice, dropped by the margin or more, and the drop is "
        "statistically significant; or many responses became degenerate"
    ),
    "inconclusive": (
        "the data do not decide: a loss as large as the margin is neither shown nor ruled out"
    ),
    "uninformative": (
        "the judge is no better than chance on this axis, most responses of both sides are "
        "degenerate, or people's labels are required and missing: the rate is not meaningful"
    ),
    "invalid": "the two sides are not comparable, so they were not compared",
    "supported": "every difference has the claimed direction and is significant",
    "open": "at least one difference is not significant, and none contradicts the claim",
    "contradicted": "at least one difference has the opposite direction and is significant",
    "pairwise accuracy": (
        "the share of held-out preference pairs in which the judge scores the better answer "
        "higher: 50 % is chance"
    ),
    "length bias": (
        "the share of these pairs in which the longer answer gets the higher score: 50 % is no bias"
    ),
    "kappa": "Cohen's kappa, agreement corrected for chance: 0 is chance, 1 is perfect",
    "null policy": (
        "a useless policy, such as one that always refuses: a judge that passes many of its "
        "answers is easily fooled"
    ),
    "noise floor": "how far answers or scores change if they are computed in a batch",
    "second judge": (
        "another judge that scores the same responses: reported for comparison, it does not "
        "affect the gate, unless it is a member of the panel that does"
    ),
    "panel": (
        "several judges that vote on every response: it passes if more than half of them pass it; "
        "a tie is a failure, and a judge that gives no score has no vote"
    ),
}

OUTCOMES = {
    "pass": "Pass",
    "fail": "Fail",
    "inconclusive": "Inconclusive",
    "uninformative": "Uninformative",
    "invalid": "Invalid",
    "accepted": "Accepted",
    "look": "Pass, but check first",
    "stopped": "The run failed",
    None: "No gate",
}
"""The title of each outcome of the gate, and of a pass that does not allow a merge."""

_NEXT = {
    "pass": "The intervals below show which losses are still possible.",
    "fail": "Read the flipped prompts below: they show what was lost.",
    "inconclusive": "Use more prompts, or read the flipped prompts below and decide yourself.",
    "uninformative": "Use another judge: this one gives no information on this axis.",
    "invalid": "Fix the problem named in the reason.",
    "accepted": "Commit the changed files in __baselines__: later runs are compared with them.",
    None: (
        "The rates below were not compared with anything. To decide about a merge, run the whole "
        "suite, including its gated test, on all prompts."
    ),
}
_ACCEPT = {
    "fail": f"If the loss is intended, accept it with {ACCEPT}.",
    "invalid": f"Or accept this run as the new baseline with {ACCEPT}.",
}


def next_step(document: Document, outcome: str | None) -> str:
    """What the reader should do next, by the gate's outcome (None: no gate).

    Accepting the run is only suggested if the gate compares with baselines and no response lacks a
    score.
    """
    gate, variants = document["gate"], document["variants"].values()
    if outcome not in (None, "invalid", "accepted") and _mostly_degenerate(gate):
        return (
            "Read the responses below: most of them are degenerate. Is the model loaded completely?"
        )
    decisions = gate["decisions"] if gate is not None else ()
    if outcome == "fail" and any(each.get("spoiled") for each in decisions):
        return "Read the degenerate responses below and find out why there are more than before."
    if outcome == "pass" and fooled(decisions):
        return (
            "Read some answers below, and let people label a sample of them (`annotate`): this "
            "judge cannot tell good answers from useless ones."
        )
    acceptable = gate is not None and gate["against"] == "baseline"
    if any(about.get("unscored") for about in variants):
        acceptable = False
    parts = [_NEXT[outcome], _ACCEPT.get(outcome or "", "") if acceptable else "", raising(gate)]
    return " ".join(filter(None, parts))


def _mostly_degenerate(gate: Document | None) -> bool:
    """Whether most responses are degenerate in some decision."""
    return gate is not None and any(each.get("degenerate") for each in gate["decisions"])


def glossary(document: Document) -> dict[str, str]:
    """Term -> its meaning, as the rest of a sentence; the rates of the document come first."""
    words = {
        safe(about["rate"]): (
            f"the share of {about['prompts']} {safe(axis)} prompts whose response passes "
            f"({safe(about['criterion'])}), in %"
        )
        for axis, about in document["axes"].items()
    }
    combined = [name for name in numbers.rate_names(document) if safe(name) not in words]
    names = " and ".join(words)
    return (
        words
        | dict.fromkeys(combined, f"the mean of {names}")
        | _WORDS
        | {"interval": f"{_WORDS['interval']} ({numbers.level(document)} confidence)"}
    )
