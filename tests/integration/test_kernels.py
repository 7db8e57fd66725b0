"""How a part is computed is no matter of a model's files: nothing is fetched for it, and no package
decides whether a model is loaded."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from alignment.checkpoints.loading import check_whole, load_causal, load_classifier

WHOLE = runpy.run_path(str(Path(__file__).with_name("test_whole_models.py")))
LLAMA, saved, look, damaged, same = (
    WHOLE[name] for name in ("LLAMA", "saved", "look", "damaged", "same")
)
ROOT = Path(__file__).parents[2]
IDS = torch.tensor([[5, 3, 7, 90, 150, 250, 2]])
KERNELS = """
__version__ = {version!r}

def get_kernel(name, *arguments, **settings):
    with open({told!r}, "a") as file:
        print(name, file=file)
    raise OSError("no network")

def use_kernel_forward_from_hub(*names):
    return lambda kind: kind

use_kernelized_func = use_kernel_forward_from_hub

def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), dict(__init__=lambda self, *arguments, **settings: None))
"""
LOADING = """
import sys
from pathlib import Path
from alignment.checkpoints import examine
from alignment.checkpoints.loading import check_whole, load_causal
from alignment.store import content
from transformers.utils import is_kernels_available
assert is_kernels_available()
for folder in map(Path, sys.argv[1:]):
    checkpoint = examine(folder, judge=False, network=False, hasher=content)
    check_whole(checkpoint, judge=False)
    load_causal(checkpoint, "bfloat16")
"""
WAYS = {
    "flash attention": {"_attn_implementation": "flash_attention_2"},
    "flash attention, by the public name": {"attn_implementation": "flash_attention_2"},
    "its third version": {"attn_implementation": "flash_attention_3"},
    "paged": {"_attn_implementation": "paged|flash_attention_2"},
    "by parts": {"attn_implementation": {"": "flash_attention_2"}},
    "flex": {"attn_implementation": "flex_attention"},
    "what nobody has": {"_attn_implementation": "theirs"},
    "a number": {"attn_implementation": 3},
    "experts": {"experts_implementation": "sonicmoe"},
    "experts, otherwise": {"_experts_implementation": "deepgemm"},
    "experts that nobody has": {"_experts_implementation": "theirs"},
}


@pytest.fixture(scope="module")
def mixtral(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixtral")
    saved("mixtral", tokenizer, folder, **LLAMA, num_local_experts=2)
    return folder


def logits(model):
    with torch.inference_mode():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("name", WAYS)
def test_a_model_says_the_same_however_it_asks_to_be_computed(mixtral, tmp_path, name):
    folder = damaged(mixtral, tmp_path / "model", same, WAYS[name])
    check_whole(look(folder), judge=False)
    loaded, plain = (load_causal(look(each), "float32") for each in (folder, mixtral))
    assert loaded.config._attn_implementation == plain.config._attn_implementation == "sdpa"
    torch.testing.assert_close(logits(loaded), logits(plain))
    assert loaded.name_or_path == str(folder)


def test_what_transformers_itself_has_is_computed_as_asked(mixtral, tmp_path):
    asked = {"attn_implementation": "eager", "experts_implementation": "batched_mm"}
    model = load_causal(look(damaged(mixtral, tmp_path / "model", same, asked)), "float32")
    assert model.config._attn_implementation == "eager"
    assert model.config._experts_implementation == "batched_mm"


def test_a_judge_asks_for_flash_attention_in_vain(tokenizer, tmp_path):
    auto = WHOLE["AutoModelForSequenceClassification"]
    saved("llama", tokenizer, tmp_path / "judge", auto, **LLAMA, num_labels=1)
    folder = damaged(tmp_path / "judge", tmp_path / "asks", same, WAYS["flash attention"])
    check_whole(look(folder, judge=True), judge=True)
    loaded, plain = (
        load_classifier(look(each, judge=True), "float32") for each in (folder, tmp_path / "judge")
    )
    torch.testing.assert_close(logits(loaded), logits(plain))


def test_nothing_is_fetched_where_the_package_that_fetches_is_installed(mixtral, tmp_path):
    from transformers.utils import import_utils

    version = getattr(import_utils, "KERNELS_MIN_VERSION", "0.18.2")
    for folder in (tmp_path / "kernels", tmp_path / f"kernels-{version}.dist-info"):
        folder.mkdir()
    told = tmp_path / "fetched"
    source = KERNELS.format(version=version, told=str(told))
    (tmp_path / "kernels" / "__init__.py").write_text(source)
    metadata = f"Metadata-Version: 2.1\nName: kernels\nVersion: {version}\n"
    (tmp_path / f"kernels-{version}.dist-info" / "METADATA").write_text(metadata)
    folders = [
        damaged(mixtral, tmp_path / f"model-{number}", same, way)
        for number, way in enumerate(WAYS.values())
    ]
    script = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n{LOADING}"
    done = subprocess.run(
        [sys.executable, "-c", script, *folders], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not told.exists(), told.read_text()


def test_a_part_asks_in_vain():
    from alignment.checkpoints.code import without_ways

    part = {"hidden_size": 8, "_attn_implementation": "flash_attention_2"}
    config = {"text_config": part, "parts": [part], "attn_implementation": "eager", "eos": [1]}
    assert without_ways(config) == {
        "text_config": {"hidden_size": 8},
        "parts": [{"hidden_size": 8}],
        "attn_implementation": "eager",
        "eos": [1],
    }
