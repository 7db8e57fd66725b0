"""Every case as a row of a table: CSV for spreadsheets, Parquet for programs.

Both have the same columns, which `docs/report.md` describes. Responses are untrusted text: in the
CSV a cell that a spreadsheet could take for a formula begins with an apostrophe; Parquet keeps
every text as it is.
"""

from __future__ import annotations

import csv as tables
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from alignment.reporting.flips import by_case
from alignment.reporting.formulas import is_formula
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
"""Most characters of a text in the CSV. A cell of a spreadsheet holds 32,767; some programs put the
rest of a longer text into further cells, where it could be a formula after all."""

_BOM = "\ufeff"
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def columns(document: Document) -> dict[str, Kind]:
    """The columns in order, with their kinds; `dimension_NAME` for each dimension of the scores."""
    names = sorted({name for case in document["cases"] for name in case["dimensions"]})
    kinds: dict[str, Kind] = {}
    for name, kind in _COLUMNS.items():
        kinds[name] = kind
        if name == "score":
            kinds |= {f"dimension_{dimension}": "number" for dimension in names}
    return kinds


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
            "sample": _sample_number(document["prompts"], case["prompt"]),
            "text": prompt["text"] or None,
            "flip": None if flip is None else "lost" if flip["before"] else "gained",
            "score_before": None if flip is None else flip["score_before"],
        }


def _sample_number(prompts: Mapping[str, Mapping[str, Any]], id_: str) -> int:
    """The number of a case's answer among those to its prompt, from 1: `ID.2` is the second."""
    first, _, number = id_.rpartition(".")
    is_sample = number.isdecimal() and prompts.get(first, {}).get("text") == prompts[id_]["text"]
    return int(number) if is_sample else 1


# -- CSV -----------------------------------------------------------------------------------------


def csv(document: Document) -> Iterator[str]:
    r"""The table as RFC 4180 has it, in pieces: commas, CRLF, a heading, UTF-8 with a BOM.

    The BOM is there because a spreadsheet takes UTF-8 without one for an older encoding and shows
    wrong letters; read it in Python with `encoding="utf-8-sig"`, or read the Parquet. Characters
    that no cell can hold (controls, lone surrogates) are written as `\x00`, `\ud800`; a text of
    more than 32,000 characters is cut there and ends with an ellipsis.
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
    """`text` as a cell can hold it, and so that no spreadsheet takes it for a formula."""
    shown = _UNFIT.sub(_escape, text)
    if len(shown) > _CELL:
        shown = shown[: _CELL - 1] + "…"
    return f"'{shown}" if is_formula(text) else shown


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


# -- Parquet -------------------------------------------------------------------------------------


def parquet(document: Document) -> bytes:
    r"""The table as a Parquet file; the type of a column does not depend on its values.

    Texts are unchanged, except lone surrogates, which UTF-8 cannot hold: they become `\ud800`.
    """
    import pyarrow as pa  # noqa: PLC0415 - only this format needs it
    import pyarrow.parquet as files  # noqa: PLC0415

    types = {"text": pa.string(), "number": pa.float64(), "count": pa.int32(), "flag": pa.bool_()}
    kinds = columns(document)
    values: dict[str, list[Any]] = {name: [] for name in kinds}
    for row in rows(document):
        for name in kinds:
            value = row.get(name)
            values[name].append(_SURROGATE.sub(_escape, value) if isinstance(value, str) else value)
    schema = pa.schema([(_SURROGATE.sub(_escape, name), types[kinds[name]]) for name in kinds])
    table = pa.Table.from_arrays(
        [pa.array(values[name], types[kind]) for name, kind in kinds.items()], schema=schema
    )
    sink = io.BytesIO()
    files.write_table(table, sink, compression="zstd")
    return sink.getvalue()
