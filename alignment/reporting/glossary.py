"""The words of a report, one sentence each, for a reader who has never seen one."""

from __future__ import annotations

from alignment.records.decisions import ACCEPT
from alignment.reporting import numbers
from alignment.reporting.gate_text import raising
from alignment.reporting.numbers import Document
from alignment.reporting.text import safe

_WORDS = {
    "interval": (
        "the two numbers in brackets: where the true value is likely to lie, for a few prompts "
        "never tell it exactly"
    ),
    "mean score": "the average of the judge's scores, in the judge's own unit; higher is better",
    "degenerate": (
        "no real answer: empty, symbols only, the prompt again, a loop, or speaking on for the "
        "human"
    ),
    "unscored": (
        "a response without a score, because the judge gave none or there was no answer: it is in "
        "no other figure"
    ),
    "variant": "a model under evaluation",
    "reference": "the variant that the others' changes are counted from",
    "baseline": "the stored verdicts of an accepted run: what this run must not be worse than",
    "change": "after minus before on the same prompts, in percentage points",
    "lost": "prompts that passed before and do not pass now",
    "gained": "prompts that pass now and did not before",
    "p (Holm)": (
        "how often so large a loss would come by chance alone, from 0 to 1, corrected by Holm for "
        "asking about several rates at once: below 0.05 is hardly chance"
    ),
    "p (exact)": "how often so large a difference, up or down, would come by chance alone",
    "margin": "the loss in points that must not happen; the profile sets it",
    "anchor": (
        "the verdicts that accepted changes are counted from, so that many small losses do not "
        "add up unseen"
    ),
    "pass": "no verdict changed, or a loss as large as the margin is ruled out",
    "fail": (
        "a loss as large as the margin was seen, and chance does not explain it; or most responses "
        "became degenerate"
    ),
    "inconclusive": "a loss as large as the margin is neither ruled out nor shown",
    "uninformative": (
        "the judge is no better than chance on this axis, or most responses of both sides are "
        "degenerate: its rate says nothing"
    ),
    "invalid": "the two sides cannot be compared, so nothing was",
    "supported": "every difference is the way that the claim says, beyond chance",
    "open": "the differences are the way that the claim says, and chance could have made them so",
    "contradicted": "a difference is the other way round",
    "right on pairs": "held-out pairs of answers whose better one scores higher: 50 % is chance",
    "longer wins": "pairs whose longer answer gets the higher score: 50 % is no bias",
    "kappa": "agreement beyond chance: 0 is chance, 1 is perfect",
    "null policy": (
        "an answerer of no use, such as one that always refuses: a judge that lets much of it pass "
        "is easily fooled"
    ),
    "noise floor": "how far answers or scores move because they were computed together",
    "second judge": "another judge of the same responses: an opinion, it decides nothing",
}

OUTCOMES = {
    "pass": "Pass",
    "fail": "Fail",
    "inconclusive": "Inconclusive",
    "uninformative": "Uninformative",
    "invalid": "Invalid",
    "accepted": "Accepted",
    "look": "Pass, with a doubt",
    "stopped": "The run failed",
    None: "No gate",
}
"""The gate's outcomes as titles, and what a pass is that speaks for no merge."""

_NEXT = {
    "pass": "The intervals below say which losses are not ruled out.",
    "fail": "Read the flipped prompts below: they are what was lost.",
    "inconclusive": "Ask more prompts, or read the flipped prompts below and decide for yourself.",
    "uninformative": "Nothing is known of this axis until another judge scores it.",
    "invalid": "Mend what the reason names.",
    "accepted": "Commit the changed files of __baselines__: later runs are held against them.",
    None: (
        "The rates below stand for themselves. To decide on a merge, run all tests of a suite with "
        "a gated test, on all prompts."
    ),
}
_ACCEPT = {
    "fail": f"If the loss is meant, accept it with {ACCEPT}.",
    "invalid": f"Or accept this run as the new baseline with {ACCEPT}.",
}


def next_step(document: Document, outcome: str | None) -> str:
    """What a reader does next, by the gate's outcome.

    Only a baseline can be accepted anew, and only by a run whose responses have their scores.
    """
    gate, variants = document["gate"], document["variants"].values()
    if outcome not in (None, "invalid", "accepted") and _broken(gate):
        return "Read the responses below: most are no answers. Is the model loaded whole?"
    if outcome == "pass" and any(each.get("spoiled") for each in gate["decisions"]):
        return (
            "Read the responses below that are degenerate, and see why there are more than before."
        )
    accepted = gate is not None and gate["against"] == "baseline"
    if any(about.get("unscored") for about in variants):
        accepted = False
    said = [_NEXT[outcome], _ACCEPT.get(outcome or "", "") if accepted else "", raising(gate)]
    return " ".join(filter(None, said))


def _broken(gate: Document | None) -> bool:
    """Whether a decision says that most responses are degenerate."""
    return gate is not None and any(each.get("degenerate") for each in gate["decisions"])


def glossary(document: Document) -> dict[str, str]:
    """Word -> what it means, as the rest of a sentence; the document's own rates come first."""
    words = {
        safe(about["rate"]): (
            f"the share of {about['prompts']} {safe(axis)} prompts whose response has "
            f"{safe(about['criterion'])}, in %"
        )
        for axis, about in document["axes"].items()
    }
    built = [name for name in numbers.rate_names(document) if safe(name) not in words]
    names = " and ".join(words)
    return (
        words
        | dict.fromkeys(built, f"the mean of {names}: one number for all")
        | _WORDS
        | {"interval": f"{_WORDS['interval']} ({numbers.level(document)} confidence)"}
    )
