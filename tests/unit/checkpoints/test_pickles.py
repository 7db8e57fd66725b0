"""Pickled weights: refused, or these very bytes, and never opened by what looks at them."""

import hashlib
import json
import os
import pickle
import subprocess
import sys

import pytest
from numpy import zeros
from safetensors.numpy import save_file

from alignment.checkpoints import examine, locate
from alignment.config.layers import resolve
from alignment.config.recipes import Pickle
from alignment.errors import ModelError, ProfileError
from alignment.store import content
from support.places import ROOT

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 64


class Armed:
    """What a pickle can do to whoever opens it."""

    def __reduce__(self):
        return os.abort, ()


@pytest.fixture
def model(tmp_path, model_folder):
    """A model whose only weights are a pickle that nobody survives to open."""
    folder = model_folder(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Armed()))
    return folder


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def allowed(path, **rest):
    return Pickle(sha256={path.name: sha256(path)}, **rest)


def look(folder, pin=None):
    rest = {} if pin is None else {"spec": "theirs", "pickles": {"theirs": pin}}
    return examine(folder, judge=False, network=False, hasher=content, **rest)


def refusal(folder, pin=None):
    with pytest.raises(ModelError) as raised:
        look(folder, pin)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_refusal_says_how_to_allow_this_very_file(model):
    text = refusal(model)
    assert text == (
        f"model {model}: weights only as pickle (pytorch_model.bin), which can run code when "
        f"loaded; save safetensors (model.save_pretrained), or allow this very file in the "
        f'profile: pickles."{model}" = {{ sha256 = {{ "pytorch_model.bin" = '
        f'"{sha256(model / "pytorch_model.bin")}" }} }}'
    )
    pasted = f'{text.partition("profile: ")[2]}\nextends = "hh-rlhf"\nvariants.x.model = "{model}"'
    profile = model.parent / "mine.toml"
    profile.write_text(pasted)
    found = resolve(model.parent, selected=str(profile)).pickles[str(model)]
    assert look(model, pin=found).folder == model


def test_in_the_hubs_cache_it_names_the_commit_too(model, tmp_path):
    snapshot = tmp_path / "snapshots" / COMMIT
    snapshot.parent.mkdir()
    model.rename(snapshot)
    assert f'{{ revision = "{COMMIT}", sha256 = {{ "pytorch_model.bin" = ' in refusal(snapshot)
    (snapshot / "pytorch_model.bin").unlink()
    assert refusal(snapshot).endswith(
        f"no weights; model.safetensors is required; a pickle is only fetched if "
        f'pickles."{snapshot}" in the profile allows it'
    )


def test_an_allowed_pickle_is_hashed_and_never_opened(model):
    weights = model / "pytorch_model.bin"
    found = look(model, pin=allowed(weights))
    assert not found.safetensors
    before = found.identity
    weights.write_bytes(weights.read_bytes() + b" ")
    assert look(model, pin=allowed(weights)).identity != before


def test_other_bytes_than_the_allowed_ones_are_refused_with_both_hashes(model):
    weights = model / "pytorch_model.bin"
    assert refusal(model, pin=Pickle(sha256={weights.name: OTHER})) == (
        f"model {model}: pytorch_model.bin has SHA-256 {sha256(weights)}, and the profile allows "
        f'{OTHER} (pickles."theirs".sha256); fetch the file again, or allow this one if you trust '
        f"it"
    )
    assert refusal(model, pin=Pickle(sha256={"other.bin": OTHER})).endswith(
        f'pickles."theirs".sha256 does not name pytorch_model.bin, whose SHA-256 is '
        f"{sha256(weights)}"
    )


def test_pickles_in_parts(model):
    weights = model / "pytorch_model.bin"
    part = weights.rename(model / "pytorch_model-00001-of-00001.bin")
    index = model / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"a": part.name}}))
    assert not look(model, pin=allowed(part)).safetensors
    assert "weights only as pickle (pytorch_model-00001" in refusal(model)
    index.write_text(json.dumps({"weight_map": {"a": "lost.bin"}}))
    assert refusal(model, pin=allowed(part)).endswith("names lost.bin, which is not there")


def test_safetensors_come_first(tmp_path, model_folder):
    folder = model_folder(tmp_path / "both")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Armed()))
    assert look(folder, pin=Pickle(sha256={"pytorch_model.bin": OTHER})).safetensors


def test_an_adapters_pickle_needs_leave_of_its_own(tmp_path, model_folder):
    base, folder = model_folder(tmp_path / "base"), tmp_path / "adapter"
    folder.mkdir()
    settings = {"peft_type": "LORA", "base_model_name_or_path": str(base)}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    weights = folder / "adapter_model.bin"
    weights.write_bytes(pickle.dumps(Armed()))
    assert "weights only as pickle (adapter_model.bin)" in refusal(folder)
    assert look(folder, pin=allowed(weights)).adapters == (folder,)
    assert sha256(weights) in refusal(folder, pin=Pickle(sha256={weights.name: OTHER}))


def test_the_leave_of_an_adapters_base_goes_by_the_bases_name(model, tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    settings = {"peft_type": "LORA", "base_model_name_or_path": str(model)}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    save_file({"a": zeros(1, dtype="float32")}, folder / "adapter_model.safetensors")
    pickles = {str(model): allowed(model / "pytorch_model.bin")}
    rest = {"judge": False, "network": False, "hasher": content}
    assert not examine(folder, pickles=pickles, **rest).safetensors
    with pytest.raises(ModelError, match="weights only as pickle"):
        examine(folder, **rest)


def test_a_vocabulary_is_held_against_the_configuration_where_weights_are_not_read(model):
    pin = allowed(model / "pytorch_model.bin")
    (model / "tokenizer.json").unlink()
    (model / "vocab.json").write_text(json.dumps({"a": 0, "b": 7}))
    assert look(model, pin=pin)
    (model / "added_tokens.json").write_text(json.dumps({"c": 8}))
    assert look(model, pin=pin)  # what was added may never be used
    (model / "vocab.json").write_text(json.dumps({"a": 0, "b": 8}))
    assert "the tokenizer has token 8, config.json 8 rows; " in refusal(model, pin=pin)
    (model / "vocab.json").write_text(json.dumps({"a": "x"}))
    assert refusal(model, pin=pin).endswith("vocab.json is not a tokenizer file")


def test_a_pinned_hub_model_is_looked_up_at_its_commit():
    pin = Pickle(revision=COMMIT, sha256={"pytorch_model.bin": OTHER})
    with pytest.raises(ModelError) as raised:
        locate("nobody/nothing", revision=None, network=False, pin=pin)
    assert str(raised.value) == (
        f"model nobody/nothing: neither a folder nor in the hub's cache at revision {COMMIT}; "
        f"download it first or set `network = true`"
    )


@pytest.mark.parametrize(
    ("pin", "reason"),
    [
        ({"sha256": {"a.bin": OTHER}}, "a hub id needs a `revision` (the commit)"),
        ({"revision": "main", "sha256": {"a.bin": OTHER}}, "revision"),
        ({"revision": COMMIT, "sha256": {"a.bin": "12"}}, "sha256"),
        ({"revision": COMMIT, "sha256": {}}, "sha256"),
        (
            {"revision": COMMIT[::-1], "sha256": {"a.bin": OTHER}},
            "is not the revision of its pickled",
        ),
    ],
)
def test_what_no_profile_may_say(tmp_path, pin, reason):
    names = "".join(f'"{name}" = "{value}"' for name, value in pin["sha256"].items())
    commit = f'revision = "{pin["revision"]}"' if "revision" in pin else ""
    path = tmp_path / "mine.toml"
    path.write_text(
        f'extends = "hh-rlhf"\n'
        f'variants.x = {{ model = "a/b", revision = "{COMMIT}" }}\n'
        f'[pickles."a/b"]\n{commit}\nsha256 = {{ {names} }}\n'
    )
    with pytest.raises(ProfileError) as raised:
        resolve(tmp_path, selected=str(path))
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("more", ["", "[judges.x.axes.harmlessness]\nthreshold = 0.0\n"])
def test_a_second_judge_of_a_variants_name_hides_no_revision(tmp_path, more):
    path = tmp_path / "mine.toml"
    path.write_text(
        f'extends = "hh-rlhf"\nvariants.x = {{ model = "a/b", revision = "{COMMIT}" }}\n'
        f'[pickles."a/b"]\nrevision = "{COMMIT[::-1]}"\nsha256 = {{ "a.bin" = "{OTHER}" }}\n'
        + (more and f'[judges.x]\nmodel = "c/d"\n{more}comparison = ">="\n')
    )
    with pytest.raises(ProfileError) as raised:
        resolve(tmp_path, selected=str(path))
    assert f"variants.x.revision: '{COMMIT}' is not the revision" in str(raised.value)


def test_a_key_with_dots_can_be_set_from_the_command_line(tmp_path):
    given = f'pickles."a/b".sha256."pytorch_model.bin"={OTHER}'
    profile = resolve(
        tmp_path,
        selected="hh-rlhf",
        variants=["x=a/b"],
        assignments=[f"pickles.'a/b'.revision={COMMIT}", given],
    )
    assert profile.pickles["a/b"] == Pickle(revision=COMMIT, sha256={"pytorch_model.bin": OTHER})


def test_the_built_in_profiles_speak_of_the_same_weights():
    root = ROOT
    candidate = ["x=facebook/opt-350m"]
    found = [
        resolve(root, selected=name, variants=candidate).pickles["facebook/opt-350m"]
        for name in ("hh-rlhf", "paper", "paper-eval")
    ]
    assert found[0] == found[1] == found[2]
    assert found[0].revision


def test_looking_at_a_pickle_needs_no_torch(model):
    script = """
import sys
from pathlib import Path
from alignment.checkpoints import examine
from alignment.config.recipes import Pickle
from alignment.store import content
folder = Path(sys.argv[1])
pin = Pickle(sha256={"pytorch_model.bin": sys.argv[2]})
examine(folder, judge=False, network=False, hasher=content, pickles={str(folder): pin})
assert not {"torch", "transformers"} & sys.modules.keys()
"""
    given = [str(model), sha256(model / "pytorch_model.bin")]
    assert subprocess.run([sys.executable, "-c", script, *given], check=False).returncode == 0
