"""How far retraining the tiny SFT+DPO from other seeds moves it, and that the margin covers it."""

import sys
import tomllib
from statistics import fmean, stdev

import pytest

from alignment.config.layers import BUILT_IN

pytestmark = pytest.mark.slow

TIMES = 12


def profile():
    """The tiny profile with SFT+DPO made twelve more times: a recipe's seed comes from its name."""
    tiny = tomllib.loads((BUILT_IN / "tiny.toml").read_text())
    (sft,), (dpo,) = (tiny["variants"][name]["stages"] for name in ("sft", "sft_dpo"))
    lines = ['extends = "tiny"', 'name = "retrained"', "[gate]", 'against = "variant:sft_dpo"']
    for number in range(TIMES):
        lines += [f"[variants.r{number:02}]", 'parent = "base"', f"stages = {inline([sft, dpo])}"]
    return "\n".join(lines)


def inline(value):
    """A value as TOML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return repr(value) if isinstance(value, str) else str(value).lower()


def told(decisions, rate):
    """How far a rate moved, and how many verdicts flipped."""
    own = [decision["change"] for decision in decisions if decision["rate"] == rate]
    moved = sorted(change["difference"] for change in own)
    flips = [change["lost"] + change["gained"] for change in own]
    yield f"{rate}: {', '.join(f'{each:+.0f}' for each in moved)} points"
    yield f"  mean {fmean(moved):+.1f}, sd {stdev(moved):.1f}; {min(flips)} to {max(flips)} flips"


def test_the_margin_covers_what_another_seed_does(world, cold, tmp_path, capsys):
    assert cold[0].returncode == 0
    (tmp_path / "retrained.toml").write_text(profile())
    process, report = world.run(
        *("eval_suites", f"--alignment-profile={tmp_path / 'retrained.toml'}"), report="retrained"
    )
    decisions = [d for d in report["gate"]["decisions"] if d["variant"].startswith("r")]
    assert len(decisions) == 2 * TIMES, process.stdout + process.stderr
    lines = [line for rate in ("HmR", "HpR") for line in told(decisions, rate)]
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *lines, ""]))
    assert "fail" not in {d["own"] for d in decisions}
