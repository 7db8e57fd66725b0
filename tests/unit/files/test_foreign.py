"""Files of others: regular, bounded, UTF-8, or a few words on what is wrong. Nothing waits."""

import gzip
import json
import os
import socket
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from alignment.errors import PromptError
from alignment.files.foreign import (
    MissingError,
    UnfitError,
    parse_json,
    parse_toml,
    read_json,
    read_text,
    read_toml,
    require_folder,
)
from alignment.prompts import jsonfiles
from alignment.prompts.jsonfiles import entries, require_file


def a_fifo(path):
    os.mkfifo(path)


def a_socket(path):
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket has no more than 107 bytes
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


IN_ITS_PLACE = {
    "FIFO": a_fifo,
    "folder": lambda path: path.mkdir(),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "socket": a_socket,
}


@pytest.mark.parametrize("kind", IN_ITS_PLACE)
@pytest.mark.parametrize("read", [read_text, read_json, read_toml])
def test_what_is_no_regular_file_is_never_opened(tmp_path, kind, read):
    IN_ITS_PLACE[kind](tmp_path / "file")
    with pytest.raises(UnfitError, match=rf"^cannot be read: it is a {kind}, and a regular file"):
        read(tmp_path / "file")


@pytest.mark.parametrize("kind", IN_ITS_PLACE)
def test_neither_is_what_should_hold_rows(tmp_path, kind):
    IN_ITS_PLACE[kind](tmp_path / "file")
    for use in (require_file, lambda path: list(entries(path))):
        with pytest.raises(PromptError, match=rf"is a {kind}, "):
            use(tmp_path / "file")


def test_a_pipe_of_the_shell_is_none_either():
    reads, writes = os.pipe()  # what <(...) gives, with nobody who writes
    try:
        with pytest.raises(UnfitError, match="it is a FIFO"):
            read_text(Path(f"/dev/fd/{reads}"))
    finally:
        os.close(reads)
        os.close(writes)


def test_what_is_not_there_is_told_from_what_cannot_be_read(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    for name in ("absent", "nowhere", "a/b"):
        with pytest.raises(MissingError):
            read_text(tmp_path / name)
    for name, said in (("loop", "symbolic links"), ("x" * 300, "too long"), ("a\0b", "null byte")):
        with pytest.raises(UnfitError, match=said) as raised:
            read_text(tmp_path / name)
        assert not isinstance(raised.value, MissingError)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe{\x00", r"is not UTF-8 \(line 1\)"),
        (b"\n\n\xff", r"is not UTF-8 \(line 3\)"),
        (b"", "is no JSON"),
        (b"{", "is no JSON"),
        (b"\x00" * 10, "is no JSON"),
        (b"[" * 100_000, "nested deeper than 100"),
        (b'{"a":' * 100_000, "nested deeper than 100"),
        (b"[" * 500 + b"]" * 500, "nested deeper than 100"),
        (b'{"a":' * 101 + b"[]" + b"}" * 101, "nested deeper than 100"),
        (b"9" * 5000, "a number of too many digits"),
        (b"NaN", "NaN is no number of JSON"),
        (b"[-Infinity]", "-Infinity is no number of JSON"),
    ],
)
def test_what_is_no_json(tmp_path, content, said):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UnfitError, match=said) as raised:
        read_json(tmp_path / "file", finite=True)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = \xff", r"is not UTF-8 \(line 1\)"),
        (b"a = ", "not valid TOML: Invalid value"),
        (b"a = 1\x00", "not valid TOML"),
        (b"a = 1\na = 2", "not valid TOML: Cannot overwrite"),
        (b"a = " + b"[" * 100_000, "not valid TOML: nested deeper than 100"),
        (b"a = " + b"[" * 150 + b"]" * 150, "is nested deeper than 100"),
        (b"a = " + b"{a=" * 100_000, "not valid TOML: nested deeper than 100"),
        (b".".join([b"a"] * 400_000) + b" = 1", "not valid TOML: nested deeper than 100"),
        (b" . ".join([b"'a b'"] * 90_000) + b" = 1", "not valid TOML: nested deeper than 100"),
        (b"[" + b".".join([b"a"] * 400_000) + b"]", "not valid TOML: nested deeper than 100"),
        (b"a = {" + b".".join([b'"a"'] * 200_000) + b" = 1}", "nested deeper than 100"),
        (b"a = " + b"9" * 5000, "a number of too many digits"),
        (b"a = '" + b"x" * 2**20 + b"'", "has more than 1 MiB, which is the limit"),
    ],
    ids=range(13),
)
def test_what_is_no_toml(tmp_path, content, said):
    (tmp_path / "file").write_bytes(content)
    began = time.monotonic()
    with pytest.raises(UnfitError, match=said) as raised:
        read_toml(tmp_path / "file")
    assert time.monotonic() - began < 20  # seconds; a key of 400,000 parts takes tomllib an hour
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200


def test_a_byte_order_mark_and_the_line_ends_of_windows_are_read(tmp_path):
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfa = 1\r\n[b]\r\nc = 'd'\r\n")
    assert read_toml(tmp_path / "file") == {"a": 1, "b": {"c": "d"}}
    (tmp_path / "file").write_bytes(b'\xef\xbb\xbf{\r\n"a": 1}\r\n')
    assert read_json(tmp_path / "file") == {"a": 1}


def test_what_is_as_deep_as_allowed_is_read():
    assert parse_json("[" * 100 + "]" * 100)
    assert parse_toml("a = " + "[" * 99 + "]" * 99)
    assert parse_toml("x = 'a sentence. another one. " + "and so on. " * 200 + "'")
    assert parse_toml("x = '" + "." * 500 + "'")
    assert parse_json("[NaN]")


def test_files_without_an_end_and_sparse_ones_are_bounded(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(UnfitError, match="more than 1 MiB"):
        read_toml(tmp_path / "sparse")
    with pytest.raises(PromptError, match="a line of more than 16 MiB"):
        list(entries(tmp_path / "sparse"))


# -- what a few bytes of gzip become --------------------------------------------------------------


def bomb(path, *, line=b"\0", size):
    """Some GiB in a few MB: members one after the other, each of 64 MiB."""
    member = gzip.compress(line * (2**26 // len(line)), 9)
    path.write_bytes(member * (size >> 26))
    return path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"\0", r"rows, line 1: a line of more than 16 MiB, which is the limit"),
        (b"[ \n", r"rows: a JSON list of more than 256 MiB, which is the limit"),
        (b"\n", r"rows: 10,000,000 lines or more, which is the limit"),
    ],
)
def test_ten_gib_in_a_few_megabytes_are_refused_at_once(tmp_path, monkeypatch, line, said):
    if line == b"\n":
        monkeypatch.setattr(jsonfiles, "LINES", 100_000)
        said = said.replace("10,000,000", "100,000")
    if line.startswith(b"["):
        monkeypatch.setattr(jsonfiles, "DOCUMENT", 2**23)
        said = said.replace("256", "8")
    path = bomb(tmp_path / "rows", line=line, size=10 * 2**30)
    tracemalloc.start()
    try:
        with pytest.raises(PromptError, match=said):
            list(entries(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * 2**20


def test_the_whole_is_bounded_too(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonfiles, "WHOLE", 2**20)
    row = json.dumps({"prompt": "a" * 1000}).encode() + b"\n"
    (tmp_path / "rows").write_bytes(gzip.compress(row * 1000) * 2)
    found = []
    with pytest.raises(PromptError, match="more than 1 MiB, unpacked, which is the limit"):
        found.extend(entries(tmp_path / "rows"))
    (tmp_path / "rows").write_bytes(gzip.compress(row * 500) * 2)
    assert len(list(entries(tmp_path / "rows"))) == 1000


def test_long_lines_that_are_rows_are_read(tmp_path):
    (tmp_path / "rows").write_text(json.dumps({"prompt": "a\n" * 110_000}) + "\n")
    (found,) = entries(tmp_path / "rows")
    assert len(found.value["prompt"]) == 220_000


def test_a_folder_can_be_made_only_below_folders(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path, tmp_path / "a" / "b", Path()):
        require_folder(path)
    for path in ("file", "file/a/b", "loop"):
        with pytest.raises(UnfitError, match="is there and is no folder"):
            require_folder(tmp_path / path)
    with suppress(UnfitError):
        require_folder(Path("/dev/null/x"))
        pytest.fail("a device is no folder")
