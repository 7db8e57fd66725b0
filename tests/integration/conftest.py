"""Micro models, runs of studies over them, and the built-in world that all workers share."""

import json
import os
import random
import subprocess
from functools import partial
from types import SimpleNamespace

import pytest
from filelock import FileLock

from alignment.training.tokenizer import train_tokenizer
from support import micro as making
from support.micro import ARCHITECTURE, ARGS, LORA
from support.runs import STUDY, MicroRun, TinyWorld, borrow_models, inline, read


@pytest.fixture(scope="session")
def micro():
    """What integration tests build with: lessons, profiles, contexts, the plain settings."""
    return SimpleNamespace(
        lessons=making.lessons(),
        profile=making.profile,
        context=making.context,
        study=making.study,
        architecture=ARCHITECTURE,
        lora=LORA,
        args=ARGS,
        sentence=making.sentence,
        policy=making.policy,
        judge=making.judge,
        checkpoint=making.checkpoint,
    )


@pytest.fixture(scope="session")
def tokenizer(micro):
    """The tokenizer of the micro models."""
    return train_tokenizer(micro.lessons.texts(), 300)


@pytest.fixture(scope="session")
def prompts():
    """Prompts of different lengths."""
    rng = random.Random(2)
    return [
        f"Human: {' '.join(making.sentence(rng) for _ in range(n % 4 + 1))}?" for n in range(11)
    ]


@pytest.fixture(scope="session")
def micro_study(tmp_path_factory):
    """The file of the study, with these arguments for every trainer: `micro_study(**args)`."""

    def write(**args):
        text = STUDY
        tables = (("ARCHITECTURE", ARCHITECTURE), ("ARGS", ARGS | args), ("LORA", LORA))
        for name, table in tables:
            text = text.replace(f"= {name}", f"= {inline(table)}")
        profile = tmp_path_factory.mktemp("study") / "micro.toml"
        profile.write_text(text)
        return profile

    return write


@pytest.fixture(scope="session")
def micro_run(micro_study):
    """Start a run with its store and report in a folder: `micro_run(folder, *options)`."""
    return partial(MicroRun, micro_study())


@pytest.fixture(scope="session")
def undisturbed(micro_run, tmp_path_factory):
    """A cold run that nobody disturbed: its report, store and output."""
    run = micro_run(tmp_path_factory.mktemp("undisturbed"))
    return SimpleNamespace(report=run.finish(), store=run.store, output=run.output)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A folder of its own, and a store that all workers share."""
    own = tmp_path_factory.mktemp("world")
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    return TinyWorld(own, shared / "world-store")


@pytest.fixture(scope="session")
def cold(world):
    """The first run: one for all workers, who have it from its files.

    Nothing has been answered; models that the main job has trained here are not trained again.
    """
    kept = world.store.with_name("world-cold")
    with FileLock(world.store.with_name("world-cold.lock")):
        if not kept.is_dir():
            borrow_models(world.store)
            process, report = world.run(formats=None)
            kept.mkdir()
            (kept / "report.json").write_text(json.dumps(report))
            told = {"args": [], "returncode": process.returncode}
            told |= {"stdout": process.stdout, "stderr": process.stderr}
            (kept / "process.json").write_text(json.dumps(told))
    process = subprocess.CompletedProcess(**json.loads((kept / "process.json").read_text()))
    return process, read(kept / "report.json")


@pytest.fixture(scope="session")
def report(cold):
    """Its report."""
    return cold[1]


@pytest.fixture(scope="session")
def tiny_world():
    """Makes worlds with a store and reports of their own, in a folder."""
    return TinyWorld
