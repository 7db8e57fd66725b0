"""Runs of eval_suites: on a study of micro models, and on the built-in world."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from alignment.config.layers import resolve
from alignment.config.location import location
from alignment.progress import Progress
from alignment.store import Store
from alignment.study.study import Study
from alignment.training.context import trained_names
from alignment.training.keys import recipe_key
from support import forks
from support.places import ROOT

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


ALONE = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
"""Without a cache in the checkout, and without what workers would import only to end with it."""


def inline(table):
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items()) + " }"


class MicroRun:
    """`pytest eval_suites` on a study of micro models: in a fork, or in a process group to kill."""

    def __init__(self, profile, folder, *options, killable=False):
        self.store, self.report = folder / "store", folder / "report" / "report.json"
        self._output = (folder / "output").open("w+")
        self.started = time.monotonic()
        given = [
            *(*ALONE, "eval_suites"),
            *("--alignment-profile", str(profile), "--alignment-store", str(self.store)),
            *("--alignment-report", str(self.report.parent), "--alignment-format=json", *options),
        ]
        if killable or not forks.possible():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *given],
                cwd=ROOT,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        else:
            with Path(os.devnull).open() as nothing:
                files = (nothing, self._output, self._output)
                server = forks.server(*forks.MODELS)
                self._process = forks.Fork(server.socket, "pytest", given, ROOT, os.environ, files)

    def finish(self):
        """Wait for the end; gives the report without what may differ between equal runs."""
        status = self._process.wait()
        self.seconds = time.monotonic() - self.started
        self._output.seek(0)
        self.output = output = self._output.read()
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
        """SIGKILL to the whole group of a killable one, unless it came to its end before."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._output.close()


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

    def run(self, *arguments, report="report", formats=("json",), fresh=False, warm=False):
        """Run the suites; gives the process and the report, if one was written.

        `formats` None writes all that a run writes by default; only a `fresh` process knows what
        it has imported. A `warm` run needs no models: everything is in the store.
        """
        environment = os.environ | {
            "PYTHONPATH": str(self.folder),
            "SPY": str(self.folder / "modules.json"),
            "COLUMNS": "120",
        }
        where = self.folder / report
        given = [
            *("-p", "alignment_spy", *ALONE),
            *("--alignment-store", str(self.store), "--alignment-report", str(where)),
            *(f"--alignment-format={each}" for each in formats or ()),
            *(arguments or ("eval_suites",)),
        ]
        settings = {"folder": ROOT, "environment": environment, "fresh": fresh}
        more = () if warm else forks.MODELS
        process = forks.run("pytest", given, more=more, **settings)
        return process, read(where / "report.json")

    def modules(self):
        """What the last run had imported at its end."""
        return set(json.loads((self.folder / "modules.json").read_text()))


def borrow_models(store):
    """Copy what the main job has trained into a store, from where it leaves models by default.

    They are found by the key of all that their training depends on, and held against their
    manifests when they are loaded. Where there are none, a run trains them.
    """
    trained = location() / "models"
    if not trained.is_dir():
        return
    profile = resolve(ROOT, selected="tiny")
    study = Study(profile, Store(store), progress=Progress())
    for key in (recipe_key(study.context, name) for name in trained_names(profile)):
        if (trained / key).is_dir() and not (store / "models" / key).exists():
            shutil.copytree(trained / key, store / "models" / key)
    study.store.close()


def read(path):
    return json.loads(path.read_text()) if path.is_file() else None
