"""Texts of 220,000 characters that tempt whoever reads them to quadratic time: none takes it."""

import time
import unicodedata

import pytest

from alignment.analysis import degenerate
from alignment.judges import rubrics
from alignment.plugin.session import case_id
from alignment.policies import huggingface
from alignment.prompts.holdout import HoldOut
from alignment.prompts.keyword_filter import Filter
from alignment.prompts.leakage import overlap
from alignment.prompts.normal import normalized
from alignment.prompts.rows import make_row
from alignment.prompts.transcripts import cluster_id, messages, parse
from alignment.records import Prompt
from alignment.reporting.text import inert, one_line, safe

LENGTH = 220_000
TEXTS = {
    "blank lines": "a" + "\n" * LENGTH + "b",
    "blank lines with spaces": "a" + "\n " * (LENGTH // 2) + "b",
    "carriage returns": "a" + "\r" * LENGTH + "b",
    "spaces": "a" + " " * LENGTH + "b",
    "marks": "a" + "\u0301\u0327\u0316" * (LENGTH // 3),
    "turns": "\n\nAssistant: b\n\nHuman: a" * (LENGTH // 24),
    "hashes": "#" * LENGTH,
    "sentences": ". " * (LENGTH // 2),
}
KEYWORDS = Filter(("a b", "kill", "a" * 500), "word", "prompt", ignore_case=True)


def answered(text):
    return {
        "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}],
        "rejected": [{"role": "user", "content": text}, {"role": "assistant", "content": "x"}],
    }


def prompt(text):
    return Prompt("id", "harmlessness", f"Human: {text}", "cluster")


READERS = {
    "parse": lambda text: parse(f"Human: {text}"),
    "messages": lambda text: messages(f"Human: {text}"),
    "cluster": lambda text: cluster_id(f"Human: {text}"),
    "row": lambda text: make_row(answered(text), line=1, source="s", place="p"),
    "keywords": lambda text: KEYWORDS.compiled()(text, text),
    "hold out": lambda text: HoldOut({"a": [prompt("q")]}, {}).holds(f"Human: {text}"),
    "leakage": lambda text: overlap([f"Human: {text}"], {"a": [prompt("q")]}, {}),
    "degenerate": lambda text: degenerate.kind("Human: q", text),
    "echo": lambda text: degenerate.kind(f"Human: {text}", "one two three four"),
    "name of a case": lambda text: case_id("v", prompt(text)),
    "line": lambda text: (inert(text), safe(text), one_line(text)),
    "the human's turn": lambda text: huggingface._HUMAN_TURN.split(text, maxsplit=1),
    "a judge's answer": lambda text: rubrics._unfenced(f"```{text}x```"),
}


@pytest.mark.parametrize("reader", READERS)
def test_no_text_takes_for_ever(reader):
    for name, text in TEXTS.items():
        began = time.process_time()
        READERS[reader](text)
        assert time.process_time() - began < 5, name  # seconds; quadratic ones took minutes


def test_marks_are_parted_only_where_no_writing_has_them():
    for text in ("a" + "\u0301\u0316" * 40, "\u0e01\u0e49\u0e33 क्षेत्र Ǻ", "\U0001f600" * 500):
        for form in ("NFC", "NFKC"):
            assert normalized(form, text) == unicodedata.normalize(form, text)
    parted = normalized("NFC", "a" + "\u0316\u0301" * 200)
    assert parted.count("\u034f") == 3
    assert parted.replace("\u034f", "").count("\u0316") == 200


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\n\n\nHuman: b", "a\nHuman: b"),
        ("a\n \t\nAssistant: b\n\nc", "a\nAssistant: b\n\nc"),
        ("a\n\n Human: b", "a\n\n Human: b"),
        ("a\nHuman: b", "a\nHuman: b"),
    ],
)
def test_a_message_of_a_conversation_never_looks_like_another_turn(text, kept):
    row = make_row(answered(text), line=1, source="s", place="p")
    assert row.chosen == f"Human: q\n\nAssistant: {kept}"
