"""The main job on a CUDA device."""

import json
import subprocess
import sys

import pytest

from support.places import ROOT


@pytest.fixture(scope="module")
def cuda():
    """Skips, with a plain reason, where there is no CUDA device."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here: torch.cuda.is_available() is False")
    return torch.cuda.get_device_name()


@pytest.mark.gpu
def test_tiny_world_on_cuda(cuda, tmp_path):
    process = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "eval_suites", "-p", "no:cacheprovider"),
            *("--alignment-set", "device=cuda"),
            *("--alignment-store", str(tmp_path / "store")),
            *("--alignment-report", str(tmp_path / "report")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["complete"] is True, cuda
    assert report["run"]["device"] == "cuda"
