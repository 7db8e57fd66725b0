"""What tests of several kinds are given, and in which order their files are begun."""

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from numpy import zeros
from safetensors.numpy import save_file

from alignment.runtime.hardware import let_waiting_threads_sleep
from support.places import TESTS
from support.scripted import Scripted

let_waiting_threads_sleep()  # before a test module imports torch: workers share the cores


def _given_to_all(variable, prefix, parent=None):
    """Make a folder for this session, its workers and all that they start, named by a variable."""
    if variable not in os.environ:
        os.environ[variable] = tempfile.mkdtemp(prefix=prefix, dir=parent)
        atexit.register(shutil.rmtree, os.environ[variable], ignore_errors=True)


MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux has files in memory
ROOM = 2 << 30
"""Bytes that must be free there: a whole run leaves about 250 MB."""

_given_to_all("MPLCONFIGDIR", "matplotlib-")  # one list of fonts
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
    # A run waits for the disk at all that must last: a third of its time, thousands of times.
    _given_to_all("PYTEST_DEBUG_TEMPROOT", "tests-", MEMORY)


LONGEST = (
    "integration/tiny/test_world.py",
    "integration/training/test_team.py",
    "browser/test_page.py",
    "plugin/test_gate.py",
    "integration/gating/test_planted.py",  # it waits for the world that the first one trains
    "plugin/test_endpoints.py",
    "plugin/test_neighbours.py",
    "integration/checkpoints/test_real.py",
    "plugin/test_gate_bodies.py",
    "integration/test_documentation.py",
    "plugin/test_plugins.py",
    "integration/training/test_models.py",
    "unit/files/test_killed.py",
    "integration/plugin/test_workers.py",
    "unit/reporting/figures/test_render.py",
)
"""Files that take about 15 s and more, in the order in which they are begun."""


@pytest.fixture
def model_folder():
    """Makes a checkpoint of a few numbers in the Hugging Face layout; no torch is needed.

    `tokens` is the size of the tokenizer, `rows` that of the embedding matrix; further names go to
    config.json (None takes a key out).
    """

    def make(folder, *, judge=False, tokens=8, rows=8, **config):
        folder.mkdir(parents=True, exist_ok=True)
        kind = "OPTForSequenceClassification" if judge else "OPTForCausalLM"
        settings = {"model_type": "opt", "architectures": [kind], "vocab_size": rows}
        if judge:
            settings["id2label"] = {"0": "LABEL_0"}
        settings |= config
        settings = {key: value for key, value in settings.items() if value is not None}
        (folder / "config.json").write_text(json.dumps(settings))
        weights = {"model.decoder.embed_tokens.weight": zeros((rows, 4), dtype="float32")}
        if judge:
            outputs = len(settings.get("id2label") or range(settings.get("num_labels", 2)))
            weights["score.weight"] = zeros((outputs, 4), dtype="float32")
        save_file(weights, folder / "model.safetensors")
        vocabulary = {f"t{number}": number for number in range(tokens)}
        tokenizer = {"added_tokens": [], "model": {"type": "BPE", "vocab": vocabulary}}
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        return folder

    return make


def pytest_configure(config):
    """Files are given to workers in our order, and not by how many tests they have."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """What takes longest is begun first, so that no worker waits long for another at the end."""
    places = {TESTS / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture
def scripted(monkeypatch):
    """Starts servers: `scripted(script)`."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    servers = []

    def start(script):
        servers.append(Scripted(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
