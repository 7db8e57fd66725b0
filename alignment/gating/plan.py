"""The plan: what this number of prompts, with the observed share of flips, can show."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from alignment.analysis.decision_rule import GateRule
from alignment.analysis.power import plan_line
from alignment.records.decisions import Decision


def plan(decisions: Iterable[Decision], rules: Iterable[GateRule]) -> str:
    """One sentence on the smallest axis and the observed flips; empty if nothing was compared.

    The number of prompts that the margin needs is that for the share of verdicts that flipped in
    this run. A drop needs flips of its own: the few of an unchanged model could not make it up.
    """
    changes = [each.change for each in decisions if each.change is not None]
    if not changes:
        return ""
    total = min(each.total for each in changes)
    measured = fmean((each.lost + each.gained) / each.total for each in changes)
    rule = min(rules, key=lambda rule: rule.margin)
    flips = min(1.0, max(measured, 1.5 * rule.margin / 100))
    settings = (total, flips, rule.margin, rule.confidence, len(changes))
    return plan_line(*settings, measured=measured)
