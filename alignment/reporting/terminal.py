"""The summary at the end of a test run: one table, the judge, and what to be careful about."""

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
    where they do not all fit, the last ones follow in a table below. Then one row per axis for the
    judge, and a sentence for whatever is incomplete, limited or uninformative. Widths below 40 are
    taken as 40.
    """
    width = max(width, _NARROWEST)
    lines = wrapped(_title(document), width)
    told = remarks(document, safe)
    lines += _told([each for each in told if each[0] in FIRST], width)
    if document["variants"]:
        lines += ["", *_variants(document, width), *_change(document, width)]
    lines += ["", *_judge(document, width)]
    lines += _claims(document, width)
    if document["gate"] is not None:
        lines += gate_text.summary(document["gate"], width)
        lines += gate_text.concerns(document["gate"], width)
    return lines + _told([each for each in told if each[0] not in FIRST], width)


def _told(remarks: Sequence[tuple[str, str]], width: int) -> list[str]:
    return [
        line
        for label, sentence in remarks
        for line in ("", *wrapped(f"{label}: {sentence}", width))
    ]


def headline(document: Document, *, width: int) -> list[str]:
    """Whether to merge, in words: what a run says last."""
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
        found = [agreements.get(axis) for axis in axes]
        columns[1:1] = [
            Column("agrees with labels", numbers.rates(each and each["rate"] for each in found)),
            Column("kappa", [numbers.kappa(each) for each in found]),
        ]
    lines = tables(Column("judge", [safe(axis) for axis in axes]), columns, width) if axes else []
    for axis in axes:
        lines += _passing_kinds(document, axis, width)
    for axis, nulls in document["judge"]["nulls"].items():
        told = ", ".join(f"{safe(kind)} {rate['percent']:.1f}" for kind, rate in nulls.items())
        lines += wrapped(
            f"null policies that the judge accepts on {safe(axis)}, in %: {told}", width
        )
    for axis, told in document["judge"].get("disagreements", {}).items():
        lines += wrapped(f"judge self-consistency on {safe(axis)}: {numbers.again(told)}", width)
    lines += _others(document, width)
    for name, record in document["noise"].items():
        lines += wrapped(f"noise floor of {safe(name)}: {numbers.noise(record)}", width)
    if untried:
        recorded = document["profile"].get("judge", {}).get("recorded")
        why = ": its scores are recorded" if recorded else ""
        lines += wrapped(f"judge not evaluated on {' and '.join(untried)}{why}", width)
    return lines


def _others(document: Document, width: int) -> list[str]:
    """Second judges of the same responses: how far they agree with the judge, on which rates."""
    rows = numbers.opinions(document)
    if not rows:
        return []
    names = Column("second judge", [f"{safe(name)} {safe(axis)}" for name, axis, _ in rows])
    columns = [
        Column("agrees with judge", numbers.rates(numbers.agreed(each) for *_, each in rows)),
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
    """What the data say of claims of order between the variants."""
    lines = [""] if document["claims"] else []
    for claim in document["claims"]:
        why = f" ({safe(claim['reason'])})" if claim["reason"] else ""
        lines += wrapped(f"claim: {safe(claim['text'])}: {claim['support']}{why}", width)
    return lines


def _passing_kinds(document: Document, axis: str, width: int) -> list[str]:
    """Which kinds of degenerate responses the judge lets pass, where it does."""
    trial = document["judge"]["trials"].get(axis, {"degenerate": {}})
    kinds = [
        f"{safe(kind)} {found['passed']}/{found['total']}"
        for kind, found in trial["degenerate"].items()
        if found["passed"]
    ]
    if not kinds:
        return []
    return wrapped(f"degenerate responses that pass on {safe(axis)}: {', '.join(kinds)}", width)
