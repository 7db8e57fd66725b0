"""The report as a comment on a pull request: the most important first, never too long for one."""

from __future__ import annotations

from alignment.reporting import gate_markdown, numbers
from alignment.reporting.lowest import lowest
from alignment.reporting.markup import block, code, table
from alignment.reporting.merge_advice import advise
from alignment.reporting.numbers import Document, sections
from alignment.reporting.remarks import remarks

LIMIT = 60_000
"""Characters. GitHub refuses comments of more than 65,536."""

_TABLE = 16_000
_REASON = 400


def markdown(document: Document) -> str:
    """GitHub Markdown of at most `LIMIT` characters.

    In order: whether to merge, in one sentence; remarks on what is incomplete, limited or
    uninformative; the gate with the flipped prompts and (folded) their responses; the table of
    variants, their change over the reference, claims, the evaluation of the judge, paired
    comparisons, degenerate responses, sections of other plugins, and (folded) the lowest scored
    cases. From the first part that would exceed the limit on, all is left out; the text says so.
    """
    parts = [
        f"## {advise(document, _name).headline}",
        f"Alignment report of profile {code(str(document['profile'].get('name', '')))}.",
        *(f"> **{label}**: {sentence}" for label, sentence in remarks(document, code)),
        gate_markdown.decisions(document),
        gate_markdown.flipped(document),
        gate_markdown.responses(document),
        _variants(document),
        _change(document),
        gate_markdown.claims(document),
        _judge(document),
        _votes(document),
        _others(document),
        _noise(document),
        gate_markdown.nulls(document),
        gate_markdown.comparisons(document),
        _degenerate(document),
        *(f"### {code(each['title'])}\n\n{block(each['text'])}" for each in sections(document)),
    ]
    left_out = "_The rest is too long for a comment; it is in report.json._"
    text = ""
    for part in filter(None, parts):
        if len(text) + len(part) + len(left_out) + 4 > LIMIT:
            return text + left_out + "\n"
        text += part + "\n\n"
    return (text + lowest(document, LIMIT - len(text) - 1)).rstrip("\n") + "\n"


def _name(text: str) -> str:
    """A name or a reason as code; reasons may be long."""
    return code(text, _REASON)


def _variants(document: Document) -> str:
    axes, names = document["axes"], numbers.rate_names(document)
    doubtful = numbers.uninformative_rates(document)
    heading = [
        "variant",
        *(f"{code(name)} (uninformative)" if name in doubtful else code(name) for name in names),
        *(f"mean {code(axis)}" for axis in axes),
        "degenerate",
    ]
    rows = (
        [
            code(variant),
            *(numbers.rate(about["rates"].get(name)) for name in names),
            *(numbers.mean(about, axis) for axis in axes),
            numbers.degenerate(about),
        ]
        for variant, about in document["variants"].items()
    )
    criteria = "; ".join(
        f"{code(about['rate'])} is the share of {about['prompts']} {code(axis)} prompts "
        f"whose response passes ({code(about['criterion'])})"
        for axis, about in axes.items()
    )
    note = f"Rates in % with {numbers.level(document)} intervals. {criteria}."
    return f"### Variants\n\n{table(heading, rows, _TABLE)}\n\n{note}"


def _change(document: Document) -> str:
    changed = {name: about for name, about in document["variants"].items() if about["change"]}
    if not changed:
        return ""
    names = numbers.rate_names(document)
    rows = (
        [code(variant), *(numbers.change(about, name) for name in names)]
        for variant, about in changed.items()
    )
    reference = code(str(document["profile"].get("reference", "base")))
    heading = ["variant", *(code(name) for name in names)]
    return f"### Relative change from {reference}\n\n{table(heading, rows, _TABLE)}"


def _judge(document: Document) -> str:
    trials, agreements = document["judge"]["trials"], document["judge"]["agreement"]
    if not trials and not agreements:
        return (
            "### Evaluation of the judge\n\n"
            "The judge was not evaluated: its error rates are not known."
        )
    rows = []
    for axis in document["axes"]:
        trial, agreement = trials.get(axis), agreements.get(axis)
        rows.append(
            [
                code(axis),
                "not evaluated" if trial is None else numbers.rate(trial["accuracy"]),
                numbers.NOTHING if trial is None else str(trial["accuracy"]["total"]),
                numbers.rate(trial and trial["longer"]),
                numbers.rate(agreement and agreement["rate"]),
                numbers.kappa(agreement),
                _passing(document, axis),
            ]
        )
    heading = [
        "axis",
        "pairwise accuracy",
        "held-out pairs",
        "length bias",
        "agrees with labels",
        "kappa",
        "degenerate responses that pass",
    ]
    lines = [
        f"\n\nSelf-consistency on {code(axis)}: {numbers.self_consistency(disagreement)}."
        for axis, disagreement in document["judge"].get("disagreements", {}).items()
    ]
    return f"### Evaluation of the judge\n\n{table(heading, rows, _TABLE)}{''.join(lines)}"


def _votes(document: Document) -> str:
    """How often the members of a panel disagree."""
    rows = [
        [code(variant), code(axis), numbers.rate(votes["divided"]), str(votes["incomplete"])]
        for variant, axis, votes in numbers.votes(document)
    ]
    heading = ["variant", "axis", "not unanimous", "some vote missing"]
    return f"### Votes of the panel\n\n{table(heading, rows, _TABLE)}" if rows else ""


def _others(document: Document) -> str:
    """Second judges of the same responses, beside the judge that decides."""
    opinions = numbers.opinions(document)
    if not opinions:
        return ""
    variants = list(document["variants"])
    rows = (
        [
            code(name),
            code(axis),
            code(opinion["criterion"]),
            numbers.rate(numbers.agreement_rate(opinion)),
            numbers.kappa(opinion["agreement"]),
            *(numbers.rate(opinion["rates"].get(variant)) for variant in variants),
            str(opinion["unscored"]),
        ]
        for name, axis, opinion in opinions
    )
    heading = ["second judge", "axis", "criterion", "agrees with the judge", "kappa"]
    heading += [*map(code, variants), "unscored"]
    return f"### Second judges\n\n{table(heading, rows, _TABLE)}"


def _noise(document: Document) -> str:
    """How much batching changes answers and scores, where that was measured."""
    lines = [f"- {code(name)}: {numbers.noise(each)}" for name, each in document["noise"].items()]
    return "\n".join(["### Noise floor", "", *lines]) if lines else ""


def _passing(document: Document, axis: str) -> str:
    trial = document["judge"]["trials"].get(axis)
    passed, total = numbers.passing(trial)
    if not total:
        return numbers.NOTHING
    passing_kinds = [
        f"{code(kind)} {rate['passed']}/{rate['total']}"
        for kind, rate in trial["degenerate"].items()
        if rate["passed"]
    ]
    return ", ".join(passing_kinds) if passed else f"none of {total}"


def _degenerate(document: Document) -> str:
    counts = {name: numbers.kinds(about) for name, about in document["variants"].items()}
    kinds = list(dict.fromkeys(kind for by_kind in counts.values() for kind in by_kind))
    if not kinds:
        return ""
    rows = (
        [code(variant), *(str(by_kind.get(kind, 0)) for kind in kinds)]
        for variant, by_kind in counts.items()
    )
    heading = ["variant", *(code(kind) for kind in kinds)]
    return f"### Degenerate responses\n\n{table(heading, rows, _TABLE)}"
