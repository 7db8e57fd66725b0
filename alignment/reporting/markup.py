"""GitHub Markdown from untrusted text: code spans, code blocks and tables it cannot break out of.

On GitHub text is only inert as code: mentions, issue references, commit hashes and bare addresses
become links even where every character is escaped, but never in code. Untrusted text is therefore
only put into code; the rest of a report is the project's own words and numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain

from alignment.reporting.text import safe, shorten

_BACKTICKS = re.compile("`+")
_NAME = 60
_LEFT = 40
"""Characters reserved for the line that says how many entries are left out."""


def code(text: str, limit: int = _NAME) -> str:
    """`text` as an inline code span of at most about `limit` characters, also for a table cell.

    A pipe becomes a broken bar: renderers disagree on where a cell with an escaped pipe ends.
    """
    shown = shorten(safe(text), limit).replace("|", "¦")
    if not shown.strip():
        return "(blank)"
    ticks = "`" * (_longest_run(shown) + 1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def block(text: str) -> str:
    """`text` as a fenced code block, with a fence longer than any in the text."""
    shown = safe(text, lines=True)
    fence = "`" * max(3, _longest_run(shown) + 1)
    return f"{fence}text\n{shown}\n{fence}"


def folded(summary: str, entries: Iterable[str], limit: int) -> str:
    """Blocks of Markdown in a `<details>` element of at most `limit` characters; empty without any.

    `summary` is inserted as HTML: only the project's own plain words, no names.
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
    """A table of cells that are already Markdown; all but the first column are right-aligned.

    Rows that would exceed `limit` characters are left out, and a last line gives their number.
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
