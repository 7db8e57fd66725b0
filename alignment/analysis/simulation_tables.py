"""The results of a simulation of the gate, as Markdown tables and as a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from alignment.analysis.simulation import RULES, RuleName, Setting, SimulationRow, TrialName
from alignment.analysis.size_study import SizeRow
from alignment.records import Rate

_MERGES = {
    "blocked": "blocks (exit 1)",
    "inconclusive": "asks for a look (exit 0)",
    "passed": "may merge (exit 0)",
}
"""What an outcome means for the merge, and the exit status of a run with the default settings."""
_LEGEND = (
    "`asks for a look` is an inconclusive outcome: exit status 0, or 1 with "
    '`inconclusive = "fail"`. The other rules block or let merge, and are never inconclusive.'
)
_TABLES: Mapping[TrialName, tuple[str, Literal["blocked", "passed"]]] = {
    "no change": ("No change: outcome of the run", "blocked"),
    "at the margin": ("Drop equal to the margin: outcome of that comparison", "passed"),
    "detection": ("Drop: outcome of that variant", "blocked"),
}
"""Trial -> its title, and the outcome of the other rules that is shown beside the gate's three."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The gate's worst row without a change, and its row for 20 points at 100 prompts."""

    false_block: SimulationRow
    detection: SimulationRow

    @property
    def sentence(self) -> str:
        """Both results in words, with their settings and intervals."""
        block, detection = self.false_block, self.detection
        quiet = f"an unchanged model is blocked in at most {_cell(block.blocked)} % of the runs"
        drop = (
            f"a drop of {detection.at.drop:g} points is detected in {_cell(detection.blocked)} %, "
            f"asks for a look in {_cell(detection.inconclusive)} % and may merge in "
            f"{_cell(detection.passed)} %"
        )
        return f"{quiet} ({block.at}); {drop} ({detection.at})"


def table(rows: Sequence[SimulationRow]) -> str:
    """Markdown: a table for each trial, one line per setting, the rules side by side.

    Shares of the runs in %, each with its interval: how many the gate blocks, asks to look at and
    lets merge, with the exit status, and how many the other rules get wrong (or right). Empty
    without rows.
    """
    by_trial = [(trial, [row for row in rows if row.trial == trial]) for trial in _TABLES]
    sections = [_section(trial, of_trial) for trial, of_trial in by_trial if of_trial]
    return "\n".join([_LEGEND, "", *sections]) if sections else ""


def headline(rows: Sequence[SimulationRow]) -> Headline:
    """The two most important results of the gate.

    The largest share of blocked runs where nothing has changed, and the share in which a drop of 20
    points is detected with 100 prompts per axis, one variant and 40 % of verdicts flipping.

    Raises ValueError where `rows` do not include them.
    """
    gate_rows = [row for row in rows if row.rule == "gate"]
    unchanged = [row for row in gate_rows if row.trial == "no change"]
    wanted = ("detection", Setting(total=100, variants=1, flips=0.4, drop=20.0))
    detections = [row for row in gate_rows if (row.trial, row.at) == wanted]
    if not unchanged or not detections:
        raise ValueError("the rows do not include a setting that the headline needs")
    return Headline(max(unchanged, key=lambda row: row.blocked.percent), detections[0])


def size_tables(passes: Iterable[SizeRow], blocks: Iterable[SizeRow]) -> str:
    """Markdown: the worst row of every layout, of false passes and of false blocks.

    The figures are % of runs, each with its interval; `n single` are n dialogues of one prompt.
    """
    setting = ["dialogues", "flips", "alike", "correlation"]
    passed = [[*_setting(row), _cell(row.wrong)] for row in passes]
    blocked = [
        [*_setting(row), str(row.rates), "yes" if row.anchor else "no", _cell(row.wrong)]
        for row in blocks
    ]
    return "\n".join(
        [
            "### Drop equal to the margin: worst share of passes",
            *("", *_lines([*setting, "gate passed"], passed)),
            *("", "### No change: worst share of blocked runs"),
            *("", *_lines([*setting, "rates", "anchor", "gate blocked"], blocked), ""),
        ]
    )


def _setting(row: SizeRow) -> list[str]:
    return [row.layout, f"{100 * row.flips:g} %", row.alike, f"{row.correlation:g}"]


def _lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_line(headings), _line(["---:"] * len(headings)), *map(_line, rows)]


def _section(trial: TrialName, rows: Sequence[SimulationRow]) -> str:
    title, shown = _TABLES[trial]
    columns: list[tuple[RuleName, str]] = [("gate", outcome) for outcome in _MERGES]
    columns += [(rule, shown) for rule in RULES if rule != "gate"]
    headings = ["prompts", "variants", "flips", "drop", *_MERGES.values()]
    headings += [f"{rule} {_MERGES[shown].partition(' (')[0]}" for rule, shown in columns[3:]]
    by_setting: dict[Setting, dict[RuleName, SimulationRow]] = {}
    for row in rows:
        by_setting.setdefault(row.at, {})[row.rule] = row
    lines = [f"### {title}", "", _line(headings), _line(["---:"] * len(headings))]
    for at in sorted(by_setting):
        cells = [str(at.total), str(at.variants), f"{100 * at.flips:g} %", f"{at.drop:g}"]
        cells += [_cell(getattr(by_setting[at][rule], word)) for rule, word in columns]
        lines.append(_line(cells))
    return "\n".join([*lines, ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(rate: Rate) -> str:
    return f"{rate.percent:.1f} [{rate.interval.low:.1f}, {rate.interval.high:.1f}]"
