"""False alarms on human-rated replies and on text in six languages: the module's own figures."""

import gzip
import json
from collections import Counter

import pytest

from alignment.analysis.degenerate import kind
from support.places import SHARED

DATA = SHARED
HH, XQUAD = DATA / "hh-rlhf-test", DATA / "xquad"


@pytest.mark.skipif(not HH.is_dir(), reason=f"needs {HH}")
def test_replies_of_people_and_assistants_are_hardly_ever_named():
    found = Counter()
    for path in sorted(HH.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for row in map(json.loads, file):
                for side in ("chosen", "rejected"):
                    prompt, _, reply = row[side].rpartition("\n\nAssistant:")
                    found[kind(prompt, reply)] += 1
    assert found.total() == 11_606
    assert {name: count for name, count in found.items() if name} == {
        "runaway": 70,
        "empty": 11,
        "symbols": 5,
        "echo": 4,
        "repetition": 5,
    }


@pytest.mark.skipif(not XQUAD.is_dir(), reason=f"needs {XQUAD}")
@pytest.mark.parametrize("language", ["ar", "en", "es", "th", "vi", "zh"])
def test_no_text_of_another_language_is_named(language):
    data = json.loads((XQUAD / f"xquad.{language}.json").read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph for article in data for paragraph in article["paragraphs"]]
    texts = [paragraph["context"] for paragraph in paragraphs]
    texts += [question["question"] for each in paragraphs for question in each["qas"]]
    assert len(texts) == 240 + 1190
    assert {kind("", text) for text in texts} == {None}
