"""Every case as a row of a table: CSV for spreadsheets, Parquet for programs.

Both have the same columns, which `docs/report.md` describes. Responses are hostile text: a cell
that a spreadsheet would take for a formula begins with an apostrophe in the CSV; Parquet keeps
every text as it is.
"""

from __future__ import annotations

import csv as tables
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from alignment.reporting.flips import by_case
from alignment.reporting.numbers import Document

Kind = Literal["text", "number", "count", "flag"]

_COLUMNS: dict[str, Kind] = {
    "variant": "text",
    "axis": "text",
    "prompt": "text",
    "cluster": "text",
    "source": "text",
    "language": "text",
    "sample": "count",
    "text": "text",
    "response": "text",
    "score": "number",
    "passed": "flag",
    "stop": "text",
    "tokens": "count",
    "degenerate": "text",
    "truth": "text",
    "flip": "text",
    "score_before": "number",
}
_CELL = 32_000
"""Characters of a text in the CSV. A spreadsheet's cell holds 32,767, and some let the rest of a
longer one run on into cells of its own, where it could be a formula after all."""

_BOM = "\ufeff"
_FORMULA = frozenset("=+-@\u2212")
# What stands before a formula without keeping it from being one, depending on who reads it.
_LEADING = re.compile(
    "[\\s\"'\x00-\x1f\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]*"
)
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def columns(document: Document) -> dict[str, Kind]:
    """The columns in order: those of every report, and `dimension_NAME` for all that was scored."""
    names = sorted({name for case in document["cases"] for name in case["dimensions"]})
    found: dict[str, Kind] = {}
    for name, kind in _COLUMNS.items():
        found[name] = kind
        if name == "score":
            found |= {f"dimension_{dimension}": "number" for dimension in names}
    return found


def rows(document: Document) -> Iterator[dict[str, Any]]:
    """One row per case, in the report's order; a column without a value is absent or None."""
    flips = by_case(document)
    for case in document["cases"]:
        prompt = document["prompts"][case["prompt"]]
        flip = flips.get((case["variant"], case["axis"], case["prompt"]))
        yield {
            **{key: case[key] for key in case.keys() & _COLUMNS.keys()},
            **{key: prompt[key] for key in ("cluster", "source", "language")},
            **{f"dimension_{name}": value for name, value in case["dimensions"].items()},
            "sample": _sample(document["prompts"], case["prompt"]),
            "text": prompt["text"] or None,
            "flip": None if flip is None else "lost" if flip["before"] else "gained",
            "score_before": None if flip is None else flip["score_before"],
        }


def _sample(prompts: Mapping[str, Mapping[str, Any]], id_: str) -> int:
    """Which answer to its prompt a case is, from 1: `ID.2` is the second one's."""
    first, _, number = id_.rpartition(".")
    again = number.isdecimal() and prompts.get(first, {}).get("text") == prompts[id_]["text"]
    return int(number) if again else 1


# -- CSV -----------------------------------------------------------------------------------------


def csv(document: Document) -> Iterator[str]:
    r"""The table as RFC 4180 has it, in pieces: commas, CRLF, a heading, UTF-8 with a BOM.

    With a BOM, for without one a spreadsheet takes UTF-8 for an older code, and silently shows
    other letters; programs that do not expect one (`encoding="utf-8-sig"`) fail at once, or read
    the Parquet. What no cell can hold (control characters, lone surrogates) is shown as `\x00`,
    `\ud800`; a text of more than 32,000 characters ends there with an ellipsis.
    """
    kinds = columns(document)
    file = io.StringIO(newline="")
    writer = tables.writer(file)
    file.write(_BOM)
    writer.writerow([_text(name) for name in kinds])
    for row in rows(document):
        writer.writerow([_cell(row.get(name), kind) for name, kind in kinds.items()])
        yield file.getvalue()
        file.seek(0)
        file.truncate()
    yield file.getvalue()


def _cell(value: Any, kind: Kind) -> str:
    if value is None:
        return ""
    if kind == "flag":
        return "true" if value else "false"
    return _text(str(value)) if kind == "text" else repr(value)


def _text(text: str) -> str:
    """A text that a cell can hold and nothing takes for a formula."""
    shown = _UNFIT.sub(_escaped, text)
    if len(shown) > _CELL:
        shown = shown[: _CELL - 1] + "…"
    return f"'{shown}" if _is_formula(text) else shown


def _is_formula(text: str) -> bool:
    """Whether any spreadsheet may see a formula: in any width, behind quotes or what is not seen.

    A tab or a new line at the start counts too: some readers drop it with all that is before it.
    """
    start = _LEADING.match(text)
    begins = text[start.end() : start.end() + 1] if start else ""
    return text[:1] in {"\t", "\r", "\n"} or not _FORMULA.isdisjoint(
        unicodedata.normalize("NFKC", begins)[:1]
    )


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


# -- Parquet -------------------------------------------------------------------------------------


def parquet(document: Document) -> bytes:
    r"""The table with a type per column, which does not depend on what is in it.

    Texts are exactly as they were, but that UTF-8 cannot hold a lone surrogate: it stands as
    `\ud800`.
    """
    import pyarrow as pa  # noqa: PLC0415 - only who asks for it pays
    import pyarrow.parquet as files  # noqa: PLC0415

    types = {"text": pa.string(), "number": pa.float64(), "count": pa.int32(), "flag": pa.bool_()}
    kinds = columns(document)
    found: dict[str, list[Any]] = {name: [] for name in kinds}
    for row in rows(document):
        for name in kinds:
            value = row.get(name)
            found[name].append(_SURROGATE.sub(_escaped, value) if isinstance(value, str) else value)
    schema = pa.schema([(_SURROGATE.sub(_escaped, name), types[kinds[name]]) for name in kinds])
    table = pa.Table.from_arrays(
        [pa.array(found[name], types[kind]) for name, kind in kinds.items()], schema=schema
    )
    sink = io.BytesIO()
    files.write_table(table, sink, compression="zstd")
    return sink.getvalue()
