"""The study on real HH-RLHF dialogues: everything trained from scratch, on two cores."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alignment.config.layers import resolve
from alignment.prompts.leakage import overlap
from alignment.store import Store
from alignment.study.inputs import StudyData

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "hh-rlhf-test"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (DATA / "harmless-base_test.jsonl.gz").is_file(),
        reason="needs ../shared/data/hh-rlhf-test/harmless-base_test.jsonl.gz",
    ),
]


def test_nothing_of_the_evaluation_occurs_in_training(tmp_path):
    profile = resolve(tmp_path, selected="hh-small", assignments=[f"data={DATA}"])
    questions = StudyData(profile, Store(tmp_path / "store"))
    lessons = questions.training_data()
    seen = [*lessons.pairs, *lessons.chosen, *lessons.unfiltered]
    assert len(lessons.pairs) > 3000
    assert overlap(seen, questions.prompts, questions.trials) == []


def test_the_study_runs_within_twenty_minutes(tmp_path):
    started = time.monotonic()
    process = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "eval_suites", "-p", "no:cacheprovider"),
            *("--alignment-profile", "hh-small", "--alignment-set", f"data={DATA}"),
            *("--alignment-store", str(tmp_path / "store")),
            *("--alignment-report", str(tmp_path / "report")),
        ],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert time.monotonic() - started < 20 * 60
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["complete"] is True
    assert len(report["cases"]) == 400
    for axis in ("harmlessness", "helpfulness"):
        trial = report["judge"]["trials"][axis]
        assert trial["accuracy"]["total"] == 300
        low = trial["accuracy"]["interval"][0]
        assert trial["informative"] is (low > 50)
    assert "train base (sft): 100%" in process.stderr.replace(":  ", ": ")
