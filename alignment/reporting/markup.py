"""GitHub Markdown from hostile text: code spans, code blocks and tables that cannot be left.

Nothing but code keeps text inert on GitHub: mentions, issue references, commit hashes and bare
addresses become links even where every character is escaped, but never in code. So hostile text is
only ever put into code, and the rest of a report is the project's own words and numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain

from alignment.reporting.text import safe, shorten

_BACKTICKS = re.compile("`+")
_NAME = 60
_LEFT = 40
"""Characters of a line that says how much is left out."""


def code(text: str, limit: int = _NAME) -> str:
    """`text` as an inline code span of at most about `limit` characters; fits a table's cell.

    A pipe becomes a broken bar: renderers disagree on where a cell with an escaped pipe ends.
    """
    shown = shorten(safe(text), limit).replace("|", "¦")
    if not shown.strip():
        return "(blank)"
    ticks = "`" * (_longest_run(shown) + 1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def block(text: str) -> str:
    """`text` as a fenced code block, behind a fence longer than any in it."""
    shown = safe(text, lines=True)
    fence = "`" * max(3, _longest_run(shown) + 1)
    return f"{fence}text\n{shown}\n{fence}"


def folded(summary: str, entries: Iterable[str], limit: int) -> str:
    """Blocks of Markdown that a reader opens, in at most `limit` characters; empty without any.

    `summary` stands in HTML: plain words of the project's own, no names.
    """
    opening, closing = f"<details>\n<summary>{summary}</summary>\n\n", "</details>"
    text, source = opening, iter(entries)
    for entry in source:
        if len(text) + len(entry) + len(closing) + _LEFT > limit:
            left = sum(1 for _ in chain([entry], source))
            return "" if text == opening else f"{text}{left} more in report.json.\n\n{closing}"
        text += f"{entry}\n\n"
    return "" if text == opening else text + closing


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)


def table(heading: Sequence[str], rows: Iterable[Sequence[str]], limit: int) -> str:
    """A table of ready cells: the first column on the left, figures on the right.

    Rows that would take it past `limit` characters are counted in a last line instead.
    """
    lines = [_row(heading), _row([":---", *["---:"] * (len(heading) - 1)])]
    size = sum(len(line) + 1 for line in lines)
    source = iter(rows)
    for row in source:
        line = _row(row)
        size += len(line) + 1
        if size > limit:
            left = sum(1 for _ in chain([row], source))
            return "\n".join([*lines, "", f"{left} more in report.json."])
        lines.append(line)
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
