import unicodedata

import pytest

from alignment.errors import quoted
from alignment.reporting.text import inert, one_line, safe, shorten


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


@pytest.mark.parametrize(
    "text",
    ["x" * 220_000, "\n" * 220_000, "\u202e" * 500, "::error::" + "a" * 999, "##[x" * 500],
    ids=["long", "lines", "bidi", "command", "older command"],
)
def test_a_message_is_one_line_that_says_where_and_what_to_do(text):
    line = one_line(f"profile.toml: seed: {text}; correct it")
    assert line.startswith("profile.toml: seed: ")
    assert line.endswith("; correct it")
    assert len(line) <= 480
    assert line == safe(line) == inert(line)
    assert one_line("a short one") == "a short one"
    assert one_line("::error::x") == r"\x3a:error::x"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("abc", "'abc'"),
        ("a\nb\0", r"'a\nb\x00'"),
        ("x" * 118, f"'{'x' * 118}'"[:116] + "..."),
        ("x" * 220_000, f"'{'x' * 115}..."),
        (7, "7"),
        (0xF << 20_000, "a number of 20004 bits"),
        ([1] * 1000, f"[{'1, ' * 39}"[:116] + "..."),
        (float("nan"), "nan"),
    ],
    ids=range(8),
)
def test_what_is_quoted_is_short(value, shown):
    assert quoted(value) == shown
