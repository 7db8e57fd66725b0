"""The plan: what this number of prompts, with the observed share of flips, can show."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from alignment.analysis.decision_rule import GateRule
from alignment.analysis.power import plan_line
from alignment.records.decisions import Decision

_FLIPS = 0.2
"""The least share of flips that a plan assumes; the paper's own pairs have 22 to 48 %."""


def plan(decisions: Iterable[Decision], rules: Iterable[GateRule]) -> str:
    """One sentence on the smallest axis and the observed flips; empty if nothing was compared."""
    changes = [each.change for each in decisions if each.change is not None]
    if not changes:
        return ""
    total = min(each.total for each in changes)
    flips = fmean((each.lost + each.gained) / each.total for each in changes)
    rule = min(rules, key=lambda rule: rule.margin)
    # A drop needs flips: the few of an unchanged model could not make up a drop of the margin.
    flips = min(1.0, max(flips, _FLIPS, 1.5 * rule.margin / 100))
    return plan_line(total, flips, rule.margin, rule.confidence, len(changes))
