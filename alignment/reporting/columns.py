"""Plain text tables that never get wider than the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alignment.reporting.text import shorten

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and one cell per row, right-aligned.

    An `optional` column is left out where it does not fit; any other starts a further table.
    """

    heading: str
    cells: Sequence[str]
    optional: bool = False

    @property
    def width(self) -> int:
        """The characters that the column needs."""
        return max(map(len, (self.heading, *self.cells)))


def tables(names: Column, columns: Sequence[Column], width: int) -> list[str]:
    """Lines of at most `width` characters: `columns` beside `names`, in order of importance.

    Columns that do not fit follow in another table below, which repeats the names. Names are cut to
    a third of the width. Figures are never cut: a single column that is too wide exceeds `width`.
    """
    limit = max(8, width // 3)
    names = Column(names.heading, [shorten(cell, limit) for cell in names.cells])
    groups: list[list[Column]] = [[]]
    for column in columns:
        used = names.width + sum(len(_GAP) + each.width for each in groups[-1])
        fits = used + len(_GAP) + column.width <= width
        if fits or not groups[-1]:
            groups[-1].append(column)
        elif not column.optional:
            groups.append([column])
    lines: list[str] = []
    for group in groups:
        if lines:
            lines.append("")
        lines.extend(_table(names, group))
    return lines


def _table(names: Column, columns: Sequence[Column]) -> list[str]:
    rows = [[column.heading for column in columns]]
    rows += [[column.cells[i] for column in columns] for i in range(len(names.cells))]
    return [
        _line(names, name, columns, row)
        for name, row in zip((names.heading, *names.cells), rows, strict=True)
    ]


def _line(names: Column, name: str, columns: Sequence[Column], row: Sequence[str]) -> str:
    cells = [cell.rjust(column.width) for cell, column in zip(row, columns, strict=True)]
    return _GAP.join([name.ljust(names.width), *cells]).rstrip()
