"""The summary at the end of a test run: the variants, the judge, the gate, and remarks."""

from __future__ import annotations

from collections.abc import Sequence

from alignment.reporting import gate_text, numbers
from alignment.reporting.columns import Column, tables
from alignment.reporting.merge_advice import advise
from alignment.reporting.numbers import Document
from alignment.reporting.remarks import FIRST, remarks
from alignment.reporting.text import safe, wrapped

_NARROWEST = 40


def summary(document: Document, *, width: int) -> list[str]:
    """Plain lines for a terminal of `width` columns, without colour or control characters.

    One row per variant: its rates in % with their intervals, degenerate responses, mean scores;
    columns that do not fit follow in a table below. Then one row per axis for the judge, claims and
    the gate, and a sentence for everything that is incomplete, limited or uninformative. Widths
    below 40 are taken as 40.
    """
    width = max(width, _NARROWEST)
    lines = wrapped(_title(document), width)
    notes = remarks(document, safe)
    lines += _remark_lines([each for each in notes if each[0] in FIRST], width)
    if document["variants"]:
        lines += ["", *_variants(document, width), *_change(document, width)]
    lines += ["", *_judge(document, width)]
    lines += _claims(document, width)
    if document["gate"] is not None:
        lines += gate_text.summary(document["gate"], width)
        lines += gate_text.concerns(document["gate"], width)
    return lines + _remark_lines([each for each in notes if each[0] not in FIRST], width)


def _remark_lines(remarks: Sequence[tuple[str, str]], width: int) -> list[str]:
    return [
        line
        for label, sentence in remarks
        for line in ("", *wrapped(f"{label}: {sentence}", width))
    ]


def headline(document: Document, *, width: int) -> list[str]:
    """Whether to merge, in words: the last lines of a run."""
    return wrapped(advise(document).headline, max(width, _NARROWEST))


def _title(document: Document) -> str:
    prompts = " + ".join(
        f"{about['prompts']} {safe(axis)}" for axis, about in document["axes"].items()
    )
    profile = safe(str(document["profile"].get("name", "")))
    level = numbers.level(document)
    return f"{profile}: {prompts} prompts; rates in % with {level} intervals"


def _variants(document: Document, width: int) -> list[str]:
    variants = document["variants"]
    doubtful = numbers.uninformative_rates(document)
    columns = [
        Column(
            f"{safe(name)} uninformative" if name in doubtful else safe(name),
            numbers.rates(each["rates"].get(name) for each in variants.values()),
        )
        for name in numbers.rate_names(document)
    ]
    columns.append(Column("degenerate", [numbers.degenerate(each) for each in variants.values()]))
    columns += [
        Column(f"mean {safe(axis)}", [numbers.mean(each, axis) for each in variants.values()])
        for axis in document["axes"]
    ]
    return tables(Column("variant", [safe(name) for name in variants]), columns, width)


def _change(document: Document, width: int) -> list[str]:
    """The paper's Table 2: the relative change of each rate over the reference variant."""
    changed = {name: each for name, each in document["variants"].items() if each["change"]}
    if not changed:
        return []
    columns = [
        Column(safe(name), [numbers.change(each, name) for each in changed.values()])
        for name in numbers.rate_names(document)
    ]
    heading = f"relative change from {safe(str(document['profile'].get('reference', 'base')))}"
    names = Column(heading, [safe(name) for name in changed])
    return ["", *tables(names, columns, width)]


def _judge(document: Document, width: int) -> list[str]:
    trials, agreements = document["judge"]["trials"], document["judge"]["agreement"]
    axes = [axis for axis in document["axes"] if axis in trials or axis in agreements]
    untried = [safe(axis) for axis in document["axes"] if axis not in trials]
    columns = []
    if any(axis in trials for axis in axes):
        passing = [numbers.passing(trials.get(axis)) for axis in axes]
        accuracy = [trials[axis]["accuracy"] if axis in trials else None for axis in axes]
        longer = [trials[axis]["longer"] if axis in trials else None for axis in axes]
        columns = [
            Column("pairwise accuracy", numbers.rates(accuracy)),
            Column(
                "degenerate passed",
                [f"{passed}/{total}" if total else numbers.NOTHING for passed, total in passing],
            ),
            Column("length bias", numbers.rates(longer), optional=True),
        ]
    if agreements:
        by_axis = [agreements.get(axis) for axis in axes]
        columns[1:1] = [
            Column("agrees with labels", numbers.rates(each and each["rate"] for each in by_axis)),
            Column("kappa", [numbers.kappa(each) for each in by_axis]),
        ]
    lines = tables(Column("judge", [safe(axis) for axis in axes]), columns, width) if axes else []
    for axis in axes:
        lines += _passing_kinds(document, axis, width)
    for axis, nulls in document["judge"]["nulls"].items():
        listed = ", ".join(f"{safe(kind)} {rate['percent']:.1f}" for kind, rate in nulls.items())
        lines += wrapped(
            f"null policies that the judge accepts on {safe(axis)}, in %: {listed}", width
        )
    for axis, disagreement in document["judge"].get("disagreements", {}).items():
        sentence = numbers.self_consistency(disagreement)
        lines += wrapped(f"judge self-consistency on {safe(axis)}: {sentence}", width)
    lines += _votes(document, width) + _others(document, width)
    for name, record in document["noise"].items():
        lines += wrapped(f"noise floor of {safe(name)}: {numbers.noise(record)}", width)
    if untried:
        recorded = document["profile"].get("judge", {}).get("recorded")
        why = ": its scores are recorded" if recorded else ""
        lines += wrapped(f"judge not evaluated on {' and '.join(untried)}{why}", width)
    return lines


def _votes(document: Document, width: int) -> list[str]:
    """How often the members of a panel disagree, and how many responses lack a vote."""
    rows = numbers.votes(document)
    if not rows:
        return []
    names = Column("panel", [f"{safe(variant)} {safe(axis)}" for variant, axis, _ in rows])
    columns = [
        Column("not unanimous", numbers.rates(votes["divided"] for *_, votes in rows)),
        Column("incomplete", [str(votes["incomplete"]) for *_, votes in rows]),
    ]
    return ["", *tables(names, columns, width)]


def _others(document: Document, width: int) -> list[str]:
    """Second judges of the same responses: their agreement with the judge, and their rates."""
    rows = numbers.opinions(document)
    if not rows:
        return []
    names = Column("second judge", [f"{safe(name)} {safe(axis)}" for name, axis, _ in rows])
    columns = [
        Column(
            "agrees with judge", numbers.rates(numbers.agreement_rate(each) for *_, each in rows)
        ),
        Column("kappa", [numbers.kappa(each["agreement"]) for *_, each in rows]),
    ]
    columns += [
        Column(safe(variant), numbers.rates(each["rates"].get(variant) for *_, each in rows))
        for variant in document["variants"]
    ]
    if any(each["unscored"] for *_, each in rows):
        columns.append(Column("unscored", [str(each["unscored"]) for *_, each in rows]))
    return ["", *tables(names, columns, width)]


def _claims(document: Document, width: int) -> list[str]:
    """Whether the data support the claims about the order of variants."""
    lines = [""] if document["claims"] else []
    for claim in document["claims"]:
        why = f" ({safe(claim['reason'])})" if claim["reason"] else ""
        lines += wrapped(f"claim: {safe(claim['text'])}: {claim['support']}{why}", width)
    return lines


def _passing_kinds(document: Document, axis: str, width: int) -> list[str]:
    """The kinds of degenerate responses that the judge lets pass, if any."""
    trial = document["judge"]["trials"].get(axis, {"degenerate": {}})
    kinds = [
        f"{safe(kind)} {rate['passed']}/{rate['total']}"
        for kind, rate in trial["degenerate"].items()
        if rate["passed"]
    ]
    if not kinds:
        return []
    return wrapped(f"degenerate responses that pass on {safe(axis)}: {', '.join(kinds)}", width)
