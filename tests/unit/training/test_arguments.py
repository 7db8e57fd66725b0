"""The names of TRL's and PEFT's arguments, read from their source."""

import json
import subprocess
import sys

import pytest

from alignment.config.recipes import Stage
from alignment.errors import ProfileError
from alignment.training.arguments import accepted, check_stage

KINDS = ("sft", "dpo", "reward", "lora")


def stage(**settings):
    return Stage.model_validate({"trainer": "dpo", "data": "pairs", **settings})


def test_they_are_those_that_the_classes_take():
    """Held against the libraries themselves, which take seconds to import."""
    script = """
import dataclasses, json, trl, peft
classes = dict(sft=trl.SFTConfig, dpo=trl.DPOConfig, reward=trl.RewardConfig, lora=peft.LoraConfig)
print(json.dumps({
    kind: [field.name for field in dataclasses.fields(config) if field.init]
    for kind, config in classes.items()
}))
"""
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True
    )
    taken = json.loads(process.stdout.splitlines()[-1])
    assert {kind: sorted(accepted(kind)) for kind in KINDS} == {
        kind: sorted(names) for kind, names in taken.items()
    }


def test_reading_them_imports_none_of_the_libraries():
    script = """
import sys
from alignment.training.arguments import accepted
assert "beta" in accepted("dpo") and "lora_alpha" in accepted("lora")
assert not {"trl", "peft", "torch", "transformers"} & sys.modules.keys()
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_what_there_is_passes():
    check_stage(stage(args={"beta": 0.1, "learning_rate": 1e-3}, lora={"r": 8}), "here")
    assert {"beta", "learning_rate"} <= accepted("dpo")
    assert "beta" not in accepted("sft")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"args": {"learning_rat": 1}},
            "here.args.learning_rat: DPOConfig has no such argument; did you mean learning_rate?",
        ),
        (
            {"args": {"center_rewards_coefficient": 1}},
            (
                "here.args.center_rewards_coefficient: DPOConfig has no such argument; "
                "see DPOConfig's documentation"
            ),
        ),
        (
            {"args": {"output_dir": "."}},
            "here.args.output_dir: is set by the project, take it out",
        ),
        ({"args": {"_n_gpu": 2}}, "here.args._n_gpu: DPOConfig has no such argument; "),
        ({"lora": {"alpha": 16}}, "here.lora.alpha: LoraConfig has no such argument; "),
        # An argument of another class in the same file.
        ({"lora": {"rho": 2.0}}, "here.lora.rho: LoraConfig has no such argument; "),
    ],
)
def test_what_there_is_not_is_refused_by_name(settings, message):
    with pytest.raises(ProfileError) as raised:
        check_stage(stage(**settings), "here")
    assert str(raised.value).startswith(message)
