"""What a file unpacks to is known before `datasets`, which has no limits, is given it."""

import bz2
import gzip
import io
import lzma
import os
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alignment.config.axes import DatasetSource
from alignment.errors import PromptError
from alignment.prompts import bounds, hub
from alignment.prompts.sources import read_rows

LINE = b'{"prompt": "Human: a"}\n'


def zipped(content):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.jsonl", content)
    return made.getvalue()


def zstd(content):
    return pa.compress(content, codec="zstd", asbytes=True)


def parquet(content):
    made = io.BytesIO()
    pq.write_table(pa.table({"prompt": content.decode().splitlines()}), made, use_dictionary=False)
    return made.getvalue()


@pytest.mark.parametrize(
    "packed",
    [bytes, gzip.compress, bz2.compress, lzma.compress, zipped, zstd, parquet],
    ids=["plain", "gzip", "bz2", "xz", "zip", "zstd", "parquet"],
)
def test_what_unpacks_to_more_than_the_limit_is_refused(tmp_path, monkeypatch, packed):
    path = tmp_path / "train.x"
    path.write_bytes(packed(LINE * 1000))
    bounds.require_bounded(path)
    monkeypatch.setattr(bounds, "WHOLE", 5000)
    with pytest.raises(PromptError, match=r"train\.x: more than 5000 bytes, unpacked, which is"):
        bounds.require_bounded(path)


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_a_line_without_end_is_refused(tmp_path, monkeypatch, packed):
    monkeypatch.setattr(bounds, "DOCUMENT", 5000)
    path = tmp_path / "train.csv"
    path.write_bytes(packed(b"prompt\n" + b"a" * 4000 + b"\n" + b"b" * 4000 + b"\n"))
    bounds.require_bounded(path)
    path.write_bytes(packed(b"prompt\n" + b"a" * 6000))
    with pytest.raises(PromptError, match="a line of more than 5000 bytes"):
        bounds.require_bounded(path)


def test_rows_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "LINES", 9)
    path = tmp_path / "train.parquet"
    path.write_bytes(parquet(LINE * 10))
    with pytest.raises(PromptError, match="9 rows or more"):
        bounds.require_bounded(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(LINE * 1000, mtime=0)[:60], "cannot be read|corrupt"),
        (b"PAR1 and no more", "no Parquet file"),
        (b"PK\x03\x04 and no more", "corrupt archive"),
        (lzma.compress(LINE)[:40], "corrupt archive"),
        (b"Rar!\x1a\x07\x00", "is packed as RAR; unpack it"),
    ],
)
def test_what_is_broken_or_cannot_be_looked_into_is_one_line(tmp_path, content, said):
    path = tmp_path / "train.x"
    path.write_bytes(content)
    with pytest.raises(PromptError, match=said):
        bounds.require_bounded(path)


def test_a_folder_is_looked_through_before_it_is_given_away(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "load", lambda *_, **__: pytest.fail("it was given away"))
    monkeypatch.setattr(bounds, "WHOLE", 5000)
    (tmp_path / "hh").mkdir()
    (tmp_path / "hh" / "part.jsonl.gz").write_bytes(gzip.compress(LINE * 1000))
    source = DatasetSource(source="dataset", dataset="hh", split="train")
    with pytest.raises(PromptError, match="more than 5000 bytes"):
        list(read_rows(source, data=tmp_path, axis="x", network=False))
    os.mkfifo(tmp_path / "hh" / "a.csv")
    with pytest.raises(PromptError, match="is a FIFO"):
        list(read_rows(source, data=tmp_path, axis="x", network=False))
