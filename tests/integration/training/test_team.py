"""`python -m alignment train`, in one process and in two that train together (gloo, on the CPU).

The recipes here drop nothing out, so that two processes that halve each batch make the steps of
one. What differs is the order of sums: 1e-7 of a float32, grown over twelve steps with Adam to
2e-6 of the loss when this was written. A batch that is not the same one shows in the first digits.
"""

import json
import os
import socket
from pathlib import Path

import pytest

from support import forks

TOLERANCE = 1e-4
FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "OPTDecoderLayer",
}
TORCHRUN = ("torch.distributed.run", "--nproc_per_node", "2", "-m")
NAMES = {"base", "sft", "dpo", "sft_dpo", "judge"}


@pytest.fixture(scope="session")
def study(micro_study):
    """A profile whose recipes take twelve steps and tell the loss of each."""
    return micro_study(max_steps=12, logging_steps=1)


def train(study, store, *options, launcher=(), **environment):
    """Run the command; gives the finished process."""
    words = [*launcher, "alignment", "train", study, "--alignment-store", store, *options]
    how = {"folder": Path.cwd(), "environment": os.environ | environment, "fresh": bool(launcher)}
    return forks.run(words[0], words[1:], more=forks.MODELS, **how)


def manifests(store):
    """The manifests of the models in a store, by name."""
    found = [json.loads(path.read_text()) for path in store.glob("models/*/manifest.json")]
    return {manifest["name"]: manifest for manifest in found}


def losses(manifest):
    return [entry["loss"] for entry in manifest["stages"][0]["log"]]


@pytest.fixture(scope="session")
def alone(study, tmp_path_factory):
    """The store that one process leaves, and what it printed."""
    store = tmp_path_factory.mktemp("alone") / "store"
    return store, train(study, store)


@pytest.fixture(scope="session")
def together(study, tmp_path_factory):
    """The folder whose store two processes filled, and what they printed."""
    folder = tmp_path_factory.mktemp("together")
    done = train(study, folder / "store", launcher=TORCHRUN, ACCELERATE_USE_CPU="true")
    assert done.returncode == 0, done.stderr
    return folder, done


def test_one_process_trains_every_recipe(alone, study):
    store, done = alone
    assert (done.returncode, len(manifests(store))) == (0, 5)
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["base", "sft", "dpo", "sft_dpo", "judge"]
    assert all("by 1 process, loss" in line for line in lines)
    again = train(study, store, "--variant", "judge", "dpo")
    assert [line.partition(";")[0] for line in again.stdout.splitlines()] == [
        "dpo: was there already",
        "judge: was there already",
    ]


def test_two_processes_train_as_one_does(alone, together):
    one, two = manifests(alone[0]), manifests(together[0] / "store")
    assert one.keys() == two.keys() == NAMES
    for name, manifest in two.items():
        assert (one[name]["processes"], manifest["processes"]) == (1, 2)
        assert losses(manifest) == pytest.approx(losses(one[name]), rel=TOLERANCE)
        assert losses(manifest)[-1] < losses(manifest)[0]
        assert manifest["adapter"] is one[name]["adapter"]


def test_only_one_of_two_processes_speaks_and_writes(alone, together):
    folder, done = together
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "base",
        "sft",
        "dpo",
        "sft_dpo",
        "judge",
    ]
    assert done.stderr.count("train base (sft): 100%") == 1
    layout = [
        sorted(p.relative_to(s) for p in (s / "models").rglob("*"))
        for s in (alone[0], folder / "store")
    ]
    assert layout[0] == layout[1]
    assert not [path for path in (folder / "store" / "locks").iterdir() if path.is_dir()]


def test_what_two_processes_made_is_evaluated_without_training(together, study, micro_run):
    folder, _ = together
    before = manifests(folder / "store")
    run = micro_run(folder, "--alignment-profile", str(study))
    run.finish()
    report = json.loads(run.report.read_text())
    assert report["complete"]
    assert not [stage for stage in report["run"]["stages"] if stage.startswith("train")]
    for name, variant in report["variants"].items():
        if not before[name]["adapter"]:
            assert variant["model"]["identity"] == before[name]["identity"]
    assert manifests(folder / "store") == before


@pytest.mark.slow
def test_sharded_weights_are_gathered(alone, study, tmp_path):
    done = train(study, tmp_path, launcher=TORCHRUN, **FSDP)
    assert done.returncode == 0, done.stderr
    one, two = manifests(alone[0]), manifests(tmp_path)
    assert two.keys() == NAMES
    for name, manifest in two.items():
        assert losses(manifest) == pytest.approx(losses(one[name]), rel=TOLERANCE)


# -- what is refused -----------------------------------------------------------------------------


def by_hand(study, store, *options):
    """Two processes as a cluster starts them; `options` are those of the second. Both, finished."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    common |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    command = ["train", study, "--alignment-store", store, "--variant", "base"]
    ends = [
        forks.begin(
            "alignment",
            [*command, *(options if rank else ())],
            folder=Path.cwd(),
            environment=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            more=forks.MODELS,
        )
        for rank in (0, 1)
    ]
    done = [end() for end in ends]
    assert [each.returncode for each in done] == [2, 2]
    assert [each.stdout for each in done] == ["", ""]
    return [[line for line in each.stderr.splitlines() if "error" in line.lower()] for each in done]


def stage(**args):
    inline = ", ".join(f"{name} = {value}" for name, value in args.items())
    return f"variants.base.stages=[{{trainer='sft', data='unfiltered', args={{{inline}}}}}]"


def test_what_fails_in_one_process_ends_all_with_one_line(study, tmp_path):
    leader, other = by_hand(study, tmp_path, "--set", stage(optim="'magic'"))
    assert leader == []
    assert len(other) == 1
    assert other[0].startswith("error: sft stage: magic is not a valid")
    assert not list((tmp_path / "models").iterdir())
    assert not [path for path in (tmp_path / "locks").iterdir() if path.is_dir()]


def test_bad_input_is_told_once_and_leaves_nothing_behind(micro_study, tmp_path):
    study = micro_study(learning_rat=1)
    leader, other = by_hand(study, tmp_path / "store")
    assert other == []
    assert len(leader) == 1
    assert "did you mean" in leader[0]
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--variant", "nobody"), "'nobody' is not there; what can be trained: base, sft"),
        (("--set", "nonsense=1"), "nonsense: unknown key"),
    ],
)
def test_what_cannot_be_trained_is_one_line(study, tmp_path, options, said):
    done = train(study, tmp_path / "store", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
