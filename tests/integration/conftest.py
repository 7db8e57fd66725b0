"""Micro models: real transformers models of a few thousand weights, made in a moment."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
from filelock import FileLock

from alignment.checkpoints import examine
from alignment.config.profile import Profile
from alignment.progress import Progress
from alignment.records import PreferencePair
from alignment.store import Store, content
from alignment.study.study import Study
from alignment.training.context import ModelContext
from alignment.training.data import TrainingData
from alignment.training.tokenizer import train_tokenizer

ARCHITECTURE = {
    "model_type": "opt",
    "hidden_size": 16,
    "word_embed_proj_dim": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "ffn_dim": 32,
    "max_position_embeddings": 512,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "init_std": 0.4,  # far enough apart for answers to differ
}
LORA = {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "v_proj"]}
ARGS = {"max_steps": 3, "per_device_train_batch_size": 4, "learning_rate": 1e-2}
WORDS = ("rain", "snow", "wind", "sun", "cloud", "frost", "hail", "storm", "fog", "ice", "dew")


def _sentence(rng):
    return " ".join(rng.choices(WORDS, k=rng.randint(2, 9)))


def _lessons():
    rng = random.Random(1)
    pairs = [
        PreferencePair(
            f"Human: {_sentence(rng)}?",
            f"Yes, {_sentence(rng)}.",
            f"No {_sentence(rng)}",
            "helpfulness",
            f"cluster{number}",
        )
        for number in range(12)
    ]
    chosen = [f"{pair.prompt}\n\nAssistant: {pair.chosen}" for pair in pairs]
    unfiltered = [*chosen, *(f"{pair.prompt}\n\nAssistant: {pair.rejected}" for pair in pairs)]
    return TrainingData(tuple(pairs), tuple(chosen), tuple(unfiltered))


def _profile(**changes):
    """A profile whose variants and judge are trained in a few steps; `changes` replace keys."""

    def stage(trainer, data, **settings):
        return {"trainer": trainer, "data": data, "args": ARGS, **settings}

    axis = {
        "rate": "HpR",
        "threshold": 0.0,
        "comparison": ">",
        "prompts": {"origin": {"source": "tiny"}},
    }
    values = {
        "name": "micro",
        "device": "cpu",
        "threads": 1,
        "axes": {"helpfulness": axis},
        "variants": {
            "base": {"architecture": ARCHITECTURE, "stages": [stage("sft", "unfiltered")]},
            "sft": {"parent": "base", "stages": [stage("sft", "chosen")]},
            "dpo": {"parent": "base", "stages": [stage("dpo", "pairs", lora=LORA)]},
            "sft_dpo": {"parent": "sft", "stages": [stage("dpo", "pairs", lora=LORA)]},
        },
        "judge": {
            "parent": "base",
            "max_length": 128,
            "stages": [stage("reward", "pairs", degenerate=0.5)],
        },
        "generation": {"max_new_tokens": 6, "block": 8},
        "training": {"vocab_size": 300, "max_length": 128},
    }
    return Profile.model_validate(values | changes)


def _context(root, profile, lessons, asked=None):
    """A model context over a store at `root`; `asked` are the study data with the prompts."""
    data = SimpleNamespace(
        prompts={} if asked is None else asked.prompts,
        steadily=None if asked is None else asked.steadily,
        training_data=lambda: lessons,
        training_digest=lessons.digest,
    )
    return ModelContext(profile, Store(root), data, Progress())


def _study(root, sample=20, **changes):
    """A study of a few prompts of the built-in corpus, its lessons those of the micro models."""
    axis = {"threshold": 0.0, "comparison": ">"}
    prompts = {"origin": {"source": "tiny"}, "sample": sample}
    axes = {
        "harmlessness": {"rate": "HmR", "prompts": prompts, **axis},
        "helpfulness": {"rate": "HpR", "prompts": prompts, **axis},
    }
    study = Study(_profile(axes=axes, **changes), Store(root), progress=Progress())
    study.context = _context(root, study.profile, _lessons(), study.data)
    return study


@pytest.fixture(scope="session")
def micro():
    """What integration tests build with: lessons, profiles, contexts, the plain settings."""
    return SimpleNamespace(
        lessons=_lessons(),
        profile=_profile,
        context=_context,
        study=_study,
        architecture=ARCHITECTURE,
        lora=LORA,
        args=ARGS,
        sentence=_sentence,
        policy=_policy,
        judge=_judge,
        checkpoint=_checkpoint,
    )


@pytest.fixture(scope="session")
def tokenizer(micro):
    """The tokenizer of the micro models."""
    return train_tokenizer(micro.lessons.texts(), 300)


def _config(tokenizer, **fields):
    settings = {**ARCHITECTURE, **fields}
    return transformers.AutoConfig.for_model(
        settings.pop("model_type"),
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **settings,
    )


def _saved(kind, tokenizer, folder, seed, change, fields):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = getattr(transformers, kind).from_config(_config(tokenizer, **fields)).eval()
    if change is not None:
        change(model)
    model.save_pretrained(folder)
    tokenizer.backend_tokenizer.no_truncation()  # who used it last would be seen in its file
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(folder)
    return model


def _policy(tokenizer, folder, *, seed=0, change=None, **fields):
    """Save a random causal language model, `change`d before that; gives the model."""
    return _saved("AutoModelForCausalLM", tokenizer, folder, seed, change, fields)


def _judge(tokenizer, folder, *, seed=0, change=None, **fields):
    """Save a random reward model, `change`d before that; gives the model."""
    fields = {"num_labels": 1, **fields}
    kind = "AutoModelForSequenceClassification"
    return _saved(kind, tokenizer, folder, seed, change, fields)


def _checkpoint(folder, *, judge=False):
    """Look at a folder as a run would."""
    return examine(folder, judge=judge, network=False, hasher=content)


@pytest.fixture(scope="session")
def prompts():
    """Prompts of different lengths."""
    rng = random.Random(2)
    return [f"Human: {' '.join(_sentence(rng) for _ in range(n % 4 + 1))}?" for n in range(11)]


ROOT = Path(__file__).parents[2]
STUDY = """
name = "micro"
device = "cpu"
threads = 1

[axes.harmlessness]
rate = "HmR"
threshold = 0.0
comparison = ">="
prompts = { origin = { source = "tiny" }, sample = 16 }
trial = { origin = { source = "tiny" }, pairs = 10 }

[axes.helpfulness]
rate = "HpR"
threshold = 0.0
comparison = ">"
prompts = { origin = { source = "tiny" }, sample = 16 }
trial = { origin = { source = "tiny" }, pairs = 10 }

[gate]
against = "variant:base"

[generation]
max_new_tokens = 8
block = 8

[training]
vocab_size = 300
max_length = 256
sources.harmlessness = { source = "tiny", split = "train", unfiltered = true }
sources.helpfulness = { source = "tiny", split = "train", unfiltered = true }

[variants.base]
architecture = ARCHITECTURE
stages = [{ trainer = "sft", data = "unfiltered", rows = 40, args = ARGS }]

[variants.sft]
parent = "base"
stages = [{ trainer = "sft", data = "chosen", rows = 40, args = ARGS }]

[variants.dpo]
parent = "base"
stages = [{ trainer = "dpo", data = "pairs", rows = 40, args = ARGS, lora = LORA }]

[variants.sft_dpo]
parent = "sft"
stages = [{ trainer = "dpo", data = "pairs", rows = 40, args = ARGS, lora = LORA }]

[judge]
parent = "base"
max_length = 256
batch_tokens = 1024
stages = [{ trainer = "reward", data = "pairs", rows = 40, args = ARGS }]
"""


def _inline(table):
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items()) + " }"


class MicroRun:
    """`pytest eval_suites` on a study of micro models, in a process (and group) of its own."""

    def __init__(self, profile, folder, *options):
        self.store, self.report = folder / "store", folder / "report" / "report.json"
        self._output = (folder / "output").open("w+")
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "eval_suites"),
                *("--alignment-profile", profile, "--alignment-store", self.store),
                *("--alignment-report", self.report.parent, "--alignment-format=json", *options),
            ],
            cwd=ROOT,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def finish(self):
        """Wait for the end; gives the report without what may differ between equal runs."""
        status = self._process.wait(timeout=600)
        self.seconds = time.monotonic() - self.started
        self._output.seek(0)
        output = self._output.read()
        self._output.close()
        # A micro model need not be any good: a finding of the suite is a 1, and nothing else is.
        assert status in {0, 1}, output[-3000:]
        assert "INTERNALERROR" not in output
        assert " error" not in output.splitlines()[-1], output[-3000:]
        document = json.loads(self.report.read_text())
        assert document["complete"] is True
        assert document.pop("run")["exit_status"] == status
        return json.dumps(document, indent=2)

    def kill(self):
        """SIGKILL to the whole process group, unless it came to its end before."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._output.close()


@pytest.fixture(scope="session")
def micro_study(tmp_path_factory):
    """The file of the study, with these arguments for every trainer: `micro_study(**args)`."""

    def write(**args):
        text = STUDY
        tables = (("ARCHITECTURE", ARCHITECTURE), ("ARGS", ARGS | args), ("LORA", LORA))
        for name, table in tables:
            text = text.replace(f"= {name}", f"= {_inline(table)}")
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
    """A cold run that nobody disturbed: its report, seconds and store."""
    run = micro_run(tmp_path_factory.mktemp("undisturbed"))
    report = run.finish()
    return SimpleNamespace(report=report, seconds=run.seconds, store=run.store)


SPY = """
import json, os, sys

def pytest_unconfigure(config):
    if hasattr(config, "workerinput"):
        return
    with open(os.environ["SPY"], "w") as file:
        json.dump(sorted(sys.modules), file)
"""


class TinyWorld:
    """A store and a reports folder that runs share."""

    def __init__(self, folder, store=None):
        self.folder, self.store = folder, store or folder / "store"
        (folder / "alignment_spy.py").write_text(SPY)

    def run(self, *arguments, report="report", formats=("json",)):
        """Run the suites; gives the process and the report, if one was written.

        `formats` None writes all that a run writes by default.
        """
        environment = os.environ | {
            "PYTHONPATH": str(self.folder),
            "SPY": str(self.folder / "modules.json"),
            "COLUMNS": "120",
        }
        where = self.folder / report
        process = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "alignment_spy", "-p", "no:cacheprovider"),
                *("--alignment-store", str(self.store)),
                *("--alignment-report", str(where)),
                *(f"--alignment-format={each}" for each in formats or ()),
                *(arguments or ("eval_suites",)),
            ],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return process, _read(where / "report.json")

    def modules(self):
        """What the last run had imported at its end."""
        return set(json.loads((self.folder / "modules.json").read_text()))


def _read(path):
    return json.loads(path.read_text()) if path.is_file() else None


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A folder of its own, and a store that all workers share."""
    own = tmp_path_factory.mktemp("world")
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    return TinyWorld(own, shared / "world-store")


@pytest.fixture(scope="session")
def cold(world):
    """The first run, from an empty store: one for all workers, who have it from its files."""
    kept = world.store.with_name("world-cold")
    with FileLock(world.store.with_name("world-cold.lock")):
        if not kept.is_dir():
            process, report = world.run(formats=None)
            kept.mkdir()
            (kept / "report.json").write_text(json.dumps(report))
            told = {"args": [], "returncode": process.returncode}
            told |= {"stdout": process.stdout, "stderr": process.stderr}
            (kept / "process.json").write_text(json.dumps(told))
    process = subprocess.CompletedProcess(**json.loads((kept / "process.json").read_text()))
    return process, _read(kept / "report.json")


@pytest.fixture(scope="session")
def report(cold):
    """Its report."""
    return cold[1]


@pytest.fixture(scope="session")
def tiny_world():
    """Makes worlds with a store and reports of their own, in a folder."""
    return TinyWorld
