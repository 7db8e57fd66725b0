"""Documents of any size to draw, with names that try to break out."""

import json
import random

from alignment.analysis.rollup import summarise_variants
from alignment.records import Case, Prompt, Results, Score
from alignment.reporting.document import document

HOSTILE = (
    "$x^2_{$ & <script>alert(1)</script>",
    'a"b\' id="x" onload="alert(1)" url(#x) href="#x"',
    "a very long name of a variant, which ends in one",
    "a very long name of a variant, which ends in two",
    "\x1b[31mred\u202e\x00\ufffe\ud800",
    "日本語モデル",
    "نموذج",
    "]]> --> </text></svg> &amp;",
    "%s{0}\\n\\frac{",
    "$$",
    " ",
    "#1f2328",
)
AXES = ("harmlessness", "helpfulness")
COMPARISON = {"harmlessness": ">=", "helpfulness": ">"}


def make(variants=("base", "sft"), axes=AXES, prompts=20, *, missing=(), uninformative=()):
    """A document: `prompts` per axis, two to a dialogue; `missing` are (variant, axis) pairs."""
    rates = {axis: f"R {axis}" for axis in axes}
    cases = [
        case
        for place, variant in enumerate(variants)
        for axis in axes
        if (variant, axis) not in missing
        for case in _cases(variant, place, axis, prompts)
    ]
    profile = {
        "confidence": 0.9,
        "reference": variants[0],
        "axes": {
            axis: {
                "rate": rate,
                "threshold": 0.5,
                "comparison": COMPARISON.get(axis, ">="),
                "dimension": "reward",
            }
            for axis, rate in rates.items()
        },
    }
    summaries = summarise_variants(cases, rates, reference=variants[0], confidence=0.9)
    made = document(
        Results(
            profile=profile,
            complete=True,
            limit=None,
            cases=tuple(cases),
            summaries=summaries,
            trials={},
            agreements={},
            models={},
            run={},
        )
    )
    for axis in uninformative:
        made["axes"][axis]["informative"] = False
        for about in made["variants"].values():
            for name in (rates[axis], "CAS"):
                if name in about["rates"]:
                    about["rates"][name]["informative"] = False
    return json.loads(json.dumps(made))


def _cases(variant, place, axis, prompts):
    draw = random.Random(f"{place} {axis}")
    for number in range(prompts):
        # Tenths: some scores are equal, and some are the threshold.
        score = round(random.Random(f"{axis} {number}").gauss(0.2 * place, 1) + draw.gauss(), 1)
        yield Case(
            variant=variant,
            prompt=Prompt(f"{axis}-{number}", axis, "Human: why?", f"{axis}-{number // 2}"),
            response=None,
            score=Score({"reward": score}),
            value=score,
            passed=score >= 0.5 if COMPARISON.get(axis, ">=") == ">=" else score > 0.5,
        )


def with_history(made, runs=5, *, changed=()):
    """The document with so many runs, this one last; `changed` are those with another basis."""
    history = []
    for run in range(runs):
        variants = {
            name: {
                "rates": {
                    rate: {"percent": 40.0 + run, "interval": [30.0 + run, 50.0 + run]}
                    for rate in about["rates"]
                },
                "scores": {},
            }
            for name, about in made["variants"].items()
        }
        history.append(
            {
                "id": f"{run:016x}",
                "started": f"2025-01-{run % 28 + 1:02d}T10:00:00+00:00",
                "last": f"2025-01-{run % 28 + 1:02d}T10:00:00+00:00",
                "seen": 1,
                "basis": str(sum(place <= run for place in changed)),
                "variants": variants,
                "outcome": None,
            }
        )
    made["run"] = {"id": history[-1]["id"], "history": history}
    return made
