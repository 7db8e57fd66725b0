"""The plan: what so many prompts, with so many flips as were seen, can show."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from alignment.analysis.decision_rule import GateRule
from alignment.analysis.power import plan_line
from alignment.records.decisions import Decision

_FLIPS = 0.2
"""The share of flips that a plan counts on at least; the paper's own pairs have 22 to 48 %."""


def plan(decisions: Iterable[Decision], rules: Iterable[GateRule]) -> str:
    """One sentence on the smallest axis and the flips that were seen; empty without a change."""
    changes = [each.change for each in decisions if each.change is not None]
    if not changes:
        return ""
    total = min(each.total for each in changes)
    flips = fmean((each.lost + each.gained) / each.total for each in changes)
    rule = min(rules, key=lambda rule: rule.margin)
    # A drop needs flips: with as few as a quiet run has, none of the margin's size could be.
    flips = min(1.0, max(flips, _FLIPS, 1.5 * rule.margin / 100))
    return plan_line(total, flips, rule.margin, rule.confidence, len(changes))
