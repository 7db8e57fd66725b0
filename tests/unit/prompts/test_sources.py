from __future__ import annotations

import gzip
import json
import os

import pytest

from alignment import tiny
from alignment.config.axes import FileSource, TinySource
from alignment.errors import PromptError
from alignment.prompts.sources import Row, check, read_rows

GOOD = {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}
LINE = json.dumps(GOOD)


def read(folder, name="rows.jsonl"):
    source = FileSource(source="file", path=name)
    return list(read_rows(source, data=folder, axis="harmlessness", network=False))


def refused(folder, name="rows.jsonl"):
    with pytest.raises(PromptError) as caught:
        read(folder, name)
    return str(caught.value)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("form", ["list", "pretty list", "lines", "lines with blanks and BOM"])
def test_json_lists_and_lines_plain_and_gzipped(tmp_path, form, zipped):
    text = {
        "list": json.dumps([GOOD, GOOD]),
        "pretty list": json.dumps([GOOD, GOOD], indent=2),
        "lines": f"{LINE}\n{LINE}",
        "lines with blanks and BOM": f"\ufeff\n{LINE}\r\n\r\n{LINE}\n",
    }[form].encode()
    # The format is in the content: a misleading name does no harm.
    (tmp_path / "rows.jsonl").write_bytes(gzip.compress(text) if zipped else text)
    rows = read(tmp_path)
    assert [(row.chosen, row.rejected) for row in rows] == [(GOOD["chosen"], GOOD["rejected"])] * 2
    assert [row.line for row in rows] == ([2, 4] if "blanks" in form else [1, 2])
    assert {row.source for row in rows} == {"rows.jsonl"}


def test_lines_are_streamed(tmp_path):
    (tmp_path / "rows.jsonl").write_text(f"{LINE}\nnot JSON\n")
    source = FileSource(source="file", path="rows.jsonl")
    rows = read_rows(source, data=tmp_path, axis="harmlessness", network=False)
    assert next(rows).line == 1
    with pytest.raises(PromptError, match=r"rows\.jsonl, line 2: not JSON"):
        next(rows)
    check(source, data=tmp_path, axis="harmlessness")


def test_a_prompt_is_a_row_too(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Perché?", "language": "it", "id": 7}')
    assert read(tmp_path) == [Row(1, "rows.jsonl", prompt="Perché?", language="it")]


@pytest.mark.parametrize("prompt", ["Why?", "Human: Why?", "\n\nHuman: Why?\n\nAssistant:"])
@pytest.mark.parametrize("answer", ["So.", " Assistant: So.", "Human: Why?\n\nAssistant: So."])
def test_a_prompt_next_to_answers_is_put_together(tmp_path, prompt, answer):
    value = {"prompt": prompt, "chosen": answer, "rejected": "No."}
    (tmp_path / "rows.jsonl").write_text(json.dumps(value))
    start = "Human: Why?\n\nAssistant: "
    expected = Row(1, "rows.jsonl", chosen=f"{start}So.", rejected=f"{start}No.")
    assert read(tmp_path) == [expected]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"[]", "is empty"),
        (b"{]", "line 1: not JSON"),
        (b"\n" + LINE.encode()[:-1], "line 2: not JSON"),
        (b"[\n" + LINE.encode() + b",\n{]\n]", "line 3: not JSON"),
        (b"[1]", "item 1: an object"),
        (b"[" + LINE.encode() + b", null]", "item 2: an object"),
        (b'"text"', "line 1: an object"),
        (b"NaN", "line 1: an object"),
        (b'{"rejected": "x", "a\\u001b": 1}', "line 1: `chosen` is required; keys found: 'a\\x1b'"),
        (b"{}", "`chosen` or `prompt` is required; keys found: none"),
        (b'{"prompt": "q", "rejected": "x"}', "`chosen` is required"),
        (b'{"chosen": ["x"]}', "line 1: `chosen`, message 1: an object with"),
        (b'{"chosen": {"x": 1}}', "line 1: `chosen` must be a string, not a dict"),
        (b'{"chosen": "x", "rejected": 1}', "line 1: `rejected` must be a string, not a int"),
        (b'{"chosen": "\\ud800"}', "line 1: `chosen` holds half of a surrogate pair"),
        (b'{"chosen": "\xff"}', "line 1: not UTF-8"),
        (b'[\n{"chosen": "\xff"}]', "line 2: not UTF-8"),
        (gzip.compress(LINE.encode() * 99)[:-12], "corrupt gzip"),
        (gzip.compress(b"{}")[:10] + b"\xff\xff\xff\xff", "corrupt gzip"),
        (gzip.compress(b""), "is empty"),
        (b"[" * 100_000, "not JSON"),
        (b'{"chosen": ' + b"9" * 5000 + b"}", "not JSON"),
    ],
    ids=range(24),
)
def test_faults_are_named_by_file_and_line(tmp_path, content, message):
    (tmp_path / "rows.jsonl").write_bytes(content)
    found = refused(tmp_path)
    assert found.startswith(str(tmp_path / "rows.jsonl"))
    assert message in found
    assert "\n" not in found


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(PromptError, match="there is no such file"):
        check(FileSource(source="file", path="rows.jsonl"), data=tmp_path, axis="harmlessness")
    assert "there is no such file" in refused(tmp_path)
    assert "is a folder" in refused(tmp_path, ".")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path):
    (tmp_path / "rows.jsonl").write_text(LINE)
    (tmp_path / "rows.jsonl").chmod(0)
    assert "cannot be read" in refused(tmp_path)


def test_the_built_in_corpus(tmp_path):
    source = TinySource(source="tiny")
    found = list(read_rows(source, data=tmp_path, axis="harmlessness", network=False))
    assert [(row.source, row.line) for row in found[:2]] == [("tiny/test", 1), ("tiny/test", 2)]
    assert found[1].chosen == tiny.rows("test", "harmlessness")[1]["chosen"]
    check(source, data=tmp_path, axis="harmlessness")
    for look in (check, lambda *a, **k: list(read_rows(*a, network=False, **k))):
        with pytest.raises(PromptError, match="no rows for split 'test', axis 'wit'"):
            look(source, data=tmp_path, axis="wit")
