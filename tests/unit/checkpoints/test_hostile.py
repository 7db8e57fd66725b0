"""Model folders that are damaged, hostile or something else: one line each, before any model is
loaded, and nothing is read that could stop a run, run code or write.
"""

import os
import time

import pytest

from alignment.checkpoints import examine, has_chat_template, locate
from alignment.errors import ModelError
from alignment.store import content
from support.hostile_models import HARMLESS, HOSTILE


def listing(folder):
    return sorted(
        (str(path), path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.parent.rglob("*")
    )


def look(folder):
    """What a run does before anything else, with a model that is given messages."""
    checkpoint = examine(folder, judge=False, network=False, hasher=content)
    has_chat_template(checkpoint.tokenizer)
    return checkpoint


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_one_line(tmp_path, model_folder, name):
    damage, reason = HOSTILE[name]
    folder = model_folder(tmp_path / "model")
    look(folder)  # it was whole
    damage(folder)
    before, start = listing(folder), time.monotonic()
    with pytest.raises(ModelError) as raised:
        look(folder)
    text = str(raised.value)
    assert reason in text
    assert text.startswith(f"model {tmp_path}")
    assert text.isprintable()
    assert len(text) - len(str(tmp_path)) <= 400
    assert "ignore_mismatched_sizes" not in text
    assert time.monotonic() - start < 5
    assert listing(folder) == before


def test_there_are_enough_of_them():
    assert len(HOSTILE) >= 70


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("m.gguf", "is a GGUF file; serve it (llama.cpp, Ollama) and name its `endpoint`"),
        ("m.safetensors", "is the weights alone; name the folder"),
        ("m.PARQUET", "is a table (Parquet); recorded answers of a model go under `recorded`"),
        ("m.eval", "is a log of Inspect"),
        ("m.csv", "is a table (CSV)"),
        ("m.tar", "is an archive; unpack it"),
        ("m", "is a file; a folder with config.json is required"),
    ],
)
def test_a_file_is_not_a_model(tmp_path, name, reason):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ModelError) as raised:
        locate(str(tmp_path / name), revision=None, network=False)
    assert str(raised.value).startswith(f"model {tmp_path / name}: {reason}")


def test_a_pipe_is_not_a_model(tmp_path):
    os.mkfifo(tmp_path / "model")
    with pytest.raises(ModelError, match="is neither a folder nor a file"):
        locate(str(tmp_path / "model"), revision=None, network=False)


@pytest.mark.parametrize("harmless", HARMLESS)
def test_what_real_checkpoints_have_is_no_fault(tmp_path, model_folder, harmless):
    folder = model_folder(tmp_path / "model")
    harmless(folder)
    assert look(folder).folder == folder
