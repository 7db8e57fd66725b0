import unicodedata

import pytest

from alignment.reporting.text import safe, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b31m", r"\x9b31m"),
        ("a\x00b\x7f", r"a\x00b\x7f"),
        ("\u202egnirts", r"\u202egnirts"),
        ("\u2066a\u2069", r"\u2066a\u2069"),
        ("\ud800", r"\ud800"),
        ("\ufeffa\u200bb", r"\ufeffa\u200bb"),
        ("\U000e0041", r"\U000e0041"),
        ("\ufffe\uffff", r"\ufffe\uffff"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("naïve 我 می‌خواهم 👩‍🚀 क्षेत्र", "naïve 我 می‌خواهم 👩‍🚀 क्षेत्र"),
    ],
)
def test_control_characters_are_shown_and_letters_stay(text, shown):
    assert safe(text) == shown


def test_lines_are_kept_when_asked_for():
    assert safe("a\r\nb\rc\td\x1b", lines=True) == "a\nb\nc    d\\x1b"


def test_nothing_that_a_terminal_obeys_is_left():
    for code in range(0x110000):
        shown = safe(chr(code))
        assert not any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in shown)
        assert not any(unicodedata.bidirectional(each) in BIDI for each in shown)
    assert safe(safe("\x1b")) == safe("\x1b")


BIDI = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def test_shorten():
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"
