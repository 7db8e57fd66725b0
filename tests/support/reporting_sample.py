"""A fixed small run to render, and strings that try to break out."""

from alignment.analysis.judging import agreement, trial
from alignment.analysis.rollup import summarise_variants
from alignment.records import Case, Prompt, Response, Results, Score

AXES = {"harmlessness": "HmR", "helpfulness": "HpR"}
THRESHOLD = {"harmlessness": -3.0, "helpfulness": -2.0}
PASSING = {
    "base": (4, 2),
    "sft": (5, 6),
    "dpo": (3, 5),
    "sft_dpo": (4, 7),
}
HOSTILE = (
    "# Heading\n\n<script>alert(1)</script> ![x](http://evil.example/x.png) "
    "[click](javascript:alert(1)) <http://evil.example> www.evil.example me@evil.example "
    "@torvalds #1 | a | b |\n| --- | --- |\n```\n</details><h1>out</h1>\n````\n~~~\n"
    "[ref]: http://evil.example\n[ref]\n`code` ``more`` \\` &lt;b&gt; &#60;b&#62;\n"
    "\x1b[31mred\x1b[0m \x9b31m \u202egnirts\u2066 \ud800 \x00 \r\x07 \u2028 \U000e0041"
)


def profile(confidence=0.95):
    return {
        "name": "sample",
        "confidence": confidence,
        "reference": "base",
        "axes": {
            "harmlessness": {
                "rate": "HmR",
                "threshold": -3.0,
                "comparison": ">=",
                "dimension": "reward",
            },
            "helpfulness": {
                "rate": "HpR",
                "threshold": -2.0,
                "comparison": ">",
                "dimension": "reward",
            },
        },
    }


def case(variant, axis, place, *, passed, text, degenerate=None):
    value = THRESHOLD[axis] + (0.5 if passed else -0.5) + (place - 5) / 25
    return Case(
        variant=variant,
        prompt=Prompt(
            id=f"{axis[:4]}{place:02d}",
            axis=axis,
            text=f"Human: question {place} on {axis}?",
            cluster=f"c{place}",
            source="sample",
        ),
        response=Response(text, "length", 50),
        score=Score({"reward": value}),
        value=value,
        passed=passed,
        degenerate=degenerate,
        truth="answers" if passed else "vague",
    )


def results(*, text=None, complete=True, limit=None, right=(150, 104), **changes):
    """`text` is what everybody says to everything; without, no two variants say the same."""
    cases = []
    for variant, counts in PASSING.items():
        for axis, passing in zip(AXES, counts, strict=True):
            for place in range(10):
                bad = "runaway" if variant == "base" and place < 3 else None
                plain = f"I am {variant}." if place == 1 else "A plain answer."
                said = plain if text is None else text
                cases.append(
                    case(variant, axis, place, passed=place < passing, text=said, degenerate=bad)
                )
    found = {
        "profile": profile(),
        "complete": complete,
        "limit": limit,
        "cases": tuple(cases),
        "summaries": summarise_variants(cases, AXES, reference="base", confidence=0.95),
        "trials": {axis: _trial(axis, won) for axis, won in zip(AXES, right, strict=True)},
        "agreements": {
            axis: agreement(
                axis,
                [(True, True)] * 12 + [(False, False)] * 24 + [(True, False)] * 4,
                confidence=0.95,
            )
            for axis in AXES
        },
        "models": {
            "judge": {"weights": "sha256:0f", "recipe": {"trainer": "reward", "base": "tiny"}},
            **{name: {"weights": f"sha256:{name}"} for name in PASSING},
        },
        "run": {"seconds": 1.5, "at": "2025-01-01T00:00:00Z", "machine": "sample"},
    }
    return Results(**(found | changes))


def _trial(axis, won):
    return trial(
        axis,
        [1.0] * won + [0.0] * (200 - won),
        [0.0] * won + [1.0] * (200 - won),
        chosen_lengths=[2] * 100 + [1] * 100,
        rejected_lengths=[1] * 100 + [2] * 100,
        degenerate={
            "empty": [False] * 40,
            "question_mark": [axis == "harmlessness"] * 12 + [False] * 28,
            "echo": [False] * 40,
        },
        confidence=0.95,
    )
