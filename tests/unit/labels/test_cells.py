"""Texts as cells of a table: harmless to spreadsheets, and the same texts when read back."""

import sys
import unicodedata

import pytest

from alignment.labels.cells import as_cell, from_cell
from alignment.reporting.formulas import is_formula
from support.hostile import responses


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("plain", "plain"),
        ("=1+1", "'=1+1"),
        (" =1+1", "' =1+1"),
        ("'=1+1", "''=1+1"),
        ("'tis", "''tis"),
        ("\n=1", "'\n=1"),
        ("a\r\nb\r", "a\\x0d\nb\\x0d"),
        ("a\x00b", r"a\x00b"),
        (r"a\x00b", r"a\x5cx00b"),
        (r"\x5c", r"\x5cx5c"),
        (r"C:\xenon \n", r"C:\xenon \n"),
        ("\\\x00", r"\\x00"),
        ("\x00=1", r"\x00=1"),
    ],
)
def test_a_text_as_a_cell(text, cell):
    assert as_cell(text) == cell
    assert from_cell(cell) == text


def test_a_cell_that_is_not_ours_stays():
    for cell in ("'tis", "it's", r"\x4"):
        assert from_cell(cell) == cell


def test_an_apostrophe_that_a_spreadsheet_dropped_is_not_missed():
    assert from_cell("=1+1") == "=1+1"


def test_no_hostile_text_begins_a_formula_and_all_come_back():
    for text in responses():
        text = text.encode("utf-8", "replace").decode()  # noqa: PLW2901 - as items hold it
        cell = as_cell(text)
        assert cell[:1] == "'" or not is_formula(cell)
        assert from_cell(cell) == text


def test_a_long_text_holds_no_formula_where_spreadsheets_break_it():
    text = "x" * 31_999 + r"=1\x3d" + "=cmd\uff1d\u2212" * 1000
    cell = as_cell(text)
    assert cell[:32_000] == text[:32_000]
    assert not set("=+-@\uff1d\u2212") & set(cell[32_000:])
    assert from_cell(cell) == text


def test_every_sign_that_normalizes_to_one_of_a_formula_is_known():
    signs = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.normalize("NFKC", chr(code))[:1] in set("=+-@\u2212") - {""}
    ]
    long = "x" * 32_000 + "".join(signs)
    assert len(signs) > 10
    assert as_cell(long)[32_000:].count("\\") == len(signs)
    assert from_cell(as_cell(long)) == long
