"""A recorded study of any size, and what its analysis costs: `python scale.py FOLDER` measures.

Run in a process of its own, so that the peak of its memory is its own.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

WORDS = ("rain", "snow", "wind", "sun", "cloud", "frost", "hail", "storm", "fog", "ice", "dew")
AXIS = """
[axes.{axis}]
rate = "{rate}"
threshold = 0.0
comparison = ">="
prompts = {{ origin = {{ source = "recorded" }} }}
"""
HEAD = """
name = "scale"
device = "cpu"
[judge]
recorded = true
[gate]
against = "{against}"
"""


def write(folder, prompts, *, against="variant:base", dialogues=True):
    """Write `prompts` prompts in two axes, answered by two variants; gives the profile.

    With `dialogues` a third of the prompts goes on where the one before ended: clusters.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(prompts)
    asked = []
    for number in range(prompts):
        axis = ("harmlessness", "helpfulness")[number // 3 % 2]
        text = f"Human: {_words(rng, 8)} {number}?"
        if dialogues and number % 3 == 1:
            text = f"{asked[-1][1]}\n\nAssistant: {_words(rng, 20)}\n\nHuman: and {number}?"
        asked.append((axis, text, rng.gauss(0.3, 1)))
    profile = HEAD.format(against=against)
    for axis, rate in (("harmlessness", "HmR"), ("helpfulness", "HpR")):
        profile += AXIS.format(axis=axis, rate=rate)
    for variant in ("base", "candidate"):
        with (folder / f"{variant}.jsonl").open("w") as file:
            for axis, prompt, mean in asked:
                row = {"axis": axis, "prompt": prompt, "response": _words(rng, 30)}
                file.write(json.dumps(row | {"score": mean + rng.gauss(0, 0.3)}) + "\n")
        profile += f'[variants.{variant}]\nrecorded = "{folder / variant}.jsonl"\n'
    path = folder / "scale.toml"
    path.write_text(profile)
    return path


def _words(rng, count):
    return " ".join(rng.choices(WORDS, k=count))


def session(folder):
    """The session that a suite would have over the profile in a folder, checked."""
    from alignment.plugin.session import Options, Session

    found = Session(
        Options(
            root=folder,
            report=folder / "report",
            profile=str(folder / "scale.toml"),
            store=str(folder / "store"),
        )
    )
    found.baselines, found.gated = folder / "baselines", True
    found.check()
    return found


def report(found):
    """Everything after the verdicts: the gate, the comparisons, the report on disk; no figures."""
    from alignment.reporting.publishing import publish

    document = found.document(0)
    assert document["complete"]
    assert document["gate"]["decisions"]
    return publish(found.options.report, document, ("json", "md", "csv"))


def measure(folder):
    """Seconds of processor time of each part, for others may be at work too; peak memory in MiB."""
    import numpy  # noqa: F401 - that it takes a while is no matter of scale
    import scipy.special  # noqa: F401

    from alignment.progress import peak_memory

    times = {}
    started = time.process_time()
    found = session(folder)
    times["read"] = time.process_time() - started
    for variant in found.profile.variants:
        found.study.cases(variant)
    times["verdicts"] = time.process_time() - started - sum(times.values())
    assert found.study_gate.result
    times["gate"] = time.process_time() - started - sum(times.values())
    path = report(found)
    times["report"] = time.process_time() - started - sum(times.values())
    return times | {
        "peak": peak_memory()["process"],
        "json": path.stat().st_size / 1024**2,
        "markdown": path.with_suffix(".md").stat().st_size / 1024,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))  # noqa: T201
