"""An identity is that of what is loaded: held against what transformers and PEFT really load.

Pairs of folders are made at random: a model or a judge, whole or in parts, with an adapter or
without, which may have a tokenizer of its own; to each of them things are done that matter, that do
not, or that matter only where nothing else comes first. Two identities are equal if and only if the
tensors, tokens and templates are that are in memory after loading.

What counts although nothing that is loaded may change by it: every value in the JSON files that are
read, and in which of them it stands.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from safetensors.numpy import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    LlamaConfig,
)

from alignment.checkpoints import examine
from alignment.config.judges import JudgeConfig
from alignment.judges.reward_model import JudgeSettings, RewardModelJudge
from alignment.policies.huggingface import _ends, load_model, load_tokenizer
from alignment.store import content

TOKENS = 20
NAMES = ("model.safetensors", "model.safetensors.index.json")
PIECES = ("part-1.safetensors", "part-2.safetensors")


def edit_json(path, change):
    value = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(change(value) or value))


OWN = ("adapter_model.safetensors", "model.safetensors")


def weights_files(folder):
    """What is loaded: one file, else those of the index."""
    single = [folder / name for name in OWN if (folder / name).exists()]
    if single:
        return single
    parts = json.loads((folder / NAMES[1]).read_text())["weight_map"]
    return [folder / name for name in sorted(set(parts.values()))]


def edit_tensor(folder, number):
    path = weights_files(folder)[0]
    tensors = load_file(path)
    name = sorted(tensors)[number % len(tensors)]
    tensors[name] = tensors[name].copy()
    tensors[name].flat[0] += 1
    save_file(tensors, path, metadata={"format": "pt"})


def cut(folder, number):
    """Save a model's tensors in other files: one, two or three; an adapter has one."""
    files = weights_files(folder)
    tensors = {name: tensor for path in files for name, tensor in load_file(path).items()}
    if files[0].name == OWN[0]:
        return
    for path in (*files, folder / NAMES[1]):
        path.unlink(missing_ok=True)
    if number == 0:
        save_file(tensors, folder / NAMES[0], metadata={"format": "pt"})
        return
    names, index = sorted(tensors), {}
    for start in range(number + 1):
        some = names[start :: number + 1]
        piece = f"cut-{start}.safetensors"
        save_file({n: tensors[n] for n in some}, folder / piece, metadata={"format": "pt"})
        index |= dict.fromkeys(some, piece)
    (folder / NAMES[1]).write_text(json.dumps({"metadata": {}, "weight_map": index}))


def remark(folder, number):
    """Other metadata in the headers of the weights."""
    for path in weights_files(folder):
        told = {"format": "pt", "saved": f"the {number}. time"}
        save_file(load_file(path), path, metadata=told)


def reorder(folder, number):
    """The same tensors at other places of a file: an order that no library writes."""
    for path in weights_files(folder):
        tensors = load_file(path)
        names = sorted(tensors, key=lambda name: (len(name) * (number + 1)) % 7)
        header, data = {"__metadata__": {"format": "pt"}}, b""
        for name in names:
            content = tensors[name].tobytes()
            place = [len(data), len(data) + len(content)]
            header[name] = {"dtype": "F32", "shape": tensors[name].shape, "data_offsets": place}
            data += content
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def swap(folder, number):
    def change(tokenizer):
        vocabulary = tokenizer["model"]["vocab"]
        one, other = f"t{number}", f"t{number + 5}"
        vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]

    edit_json(folder / "tokenizer.json", change)


def normalize(folder, number):
    kind = {"type": "Lowercase" if number else "NFC"}
    edit_json(folder / "tokenizer.json", lambda found: found | {"normalizer": kind})


def say(name, key, values):
    return lambda folder, number: edit_json(
        folder / name, lambda found: found | {key: values[number % len(values)]}
    )


def write(name, texts=("a", "b")):
    def change(folder, number):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(texts[number % len(texts)])

    return change


def unused_weights(folder, number):
    """Beside a single file, which comes first, the index of others; beside an index, a pickle."""
    (folder / "pytorch_model.bin").write_bytes(b"pickle" * number)
    (folder / "spare.safetensors").write_bytes(b"spare" * number)
    if (folder / NAMES[0]).exists():
        (folder / NAMES[1]).write_text(json.dumps({"weight_map": {"a": f"lost-{number}.bin"}}))


def renamed_parts(folder, number):
    index = folder / NAMES[1]
    if (folder / PIECES[0]).exists() and index.exists():
        name = f"0-{number}.safetensors"  # before the other, as it was
        (folder / PIECES[0]).rename(folder / name)
        index.write_text(index.read_text().replace(PIECES[0], name))


def set_otherwise(folder, number):
    for path in folder.glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()), indent=number))
        os.utime(path, (number, number))


EOS = [{"eos_token": f"t{number}"} for number in (3, 4)]
EDITS = {
    "tensor": edit_tensor,
    "tokens": swap,
    "normalizer": normalize,
    "template": write("chat_template.jinja"),
    "further-template": write("additional_chat_templates/tools.jinja"),
    "said-template": say("tokenizer_config.json", "chat_template", ["c", "d"]),
    "said-padding": say("tokenizer_config.json", "pad_token", ["t5", "t6"]),
    "special": write("special_tokens_map.json", [json.dumps(each) for each in EOS]),
    "added": write("added_tokens.json", ['{"new": 20}', '{"newer": 20}']),
    "decoder": say(
        "tokenizer_config.json", "added_tokens_decoder", [{"20": {"content": "newest"}}]
    ),
    "end": say("generation_config.json", "eos_token_id", [7, [7, 8]]),
    # never read
    "readme": write("README.md"),
    "optimizer": write("optimizer.pt"),
    "arguments": write("training_args.bin"),
    "state": write("trainer_state.json", ("{}", '{"step": 1}')),
    "processor": write("processor_config.json", ('{"chat_template": "x"}', "{}")),
    "preprocessor": write("preprocessor_config.json", ('{"chat_template": "x"}', "{}")),
    "old-template": write("chat_template.json", ('{"chat_template": "x"}', "{}")),
    "pieces": write("tokenizer.model"),
    "vocabulary": write("vocab.json", ('{"a": 0}', '{"b": 0}')),
    "code": write("custom_generate/generate.py"),
    "unused": unused_weights,
    "parts": renamed_parts,
    "cut": cut,
    "metadata": remark,
    "places": reorder,
    "set": set_otherwise,
}
OF_TOKENIZERS = frozenset(
    {
        "tokens",
        "normalizer",
        "template",
        "further-template",
        "said-template",
        "said-padding",
        "special",
        "added",
        "decoder",
        "pieces",
        "vocabulary",
    }
)
CHANGES = st.lists(
    st.tuples(st.sampled_from(list(EDITS)), st.booleans(), st.integers(0, 2)), max_size=3
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders to copy: a policy and a judge, each whole and in parts, adapters, a tokenizer."""
    root = tmp_path_factory.mktemp("made")
    sizes = {"hidden_size": 8, "intermediate_size": 8, "vocab_size": TOKENS, "pad_token_id": 0}
    config = LlamaConfig(
        num_hidden_layers=1, num_attention_heads=2, num_labels=1, eos_token_id=1, **sizes
    )
    kinds = {"policy": AutoModelForCausalLM, "judge": AutoModelForSequenceClassification}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for kind, loader in kinds.items():
            model = loader.from_config(config)
            model.save_pretrained(root / kind)
            task = "CAUSAL_LM" if kind == "policy" else "SEQ_CLS"
            adapter = get_peft_model(
                model, LoraConfig(task_type=task, r=2, init_lora_weights=False)
            )
            adapter.save_pretrained(root / f"{kind}-adapter")
            shutil.copytree(root / kind, root / f"{kind}-parts")
            _cut(root / f"{kind}-parts")
    vocabulary = {f"t{number}": number for number in range(TOKENS)}
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "t0"}
    tokenizer = {"version": "1.0", "added_tokens": [], "model": model}
    (root / "tokenizer.json").write_text(json.dumps(tokenizer))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "t1"}
    (root / "tokenizer_config.json").write_text(json.dumps(told))
    return root


def _cut(folder):
    tensors = load_file(folder / NAMES[0])
    names, index = sorted(tensors), {}
    for piece, some in zip(PIECES, (names[::2], names[1::2]), strict=True):
        part = {name: tensors[name] for name in some}
        save_file(part, folder / piece, metadata={"format": "pt"})
        index |= dict.fromkeys(some, piece)
    (folder / NAMES[0]).unlink()
    (folder / NAMES[1]).write_text(json.dumps({"metadata": {}, "weight_map": index}))


def build(root, made, kind, *, parts, adapter, own, changes):
    """A checkpoint's folder; every change is done to the adapter or to what lies under it."""
    base, above = root / "base", root / "adapter"
    shutil.copytree(made / (f"{kind}-parts" if parts else kind), base)
    _put_tokenizer(made, base)
    if adapter:
        shutil.copytree(made / f"{kind}-adapter", above)
        where = {"base_model_name_or_path": str(base)}
        edit_json(above / "adapter_config.json", lambda found: found | where)
        if own:
            _put_tokenizer(made, above)
    for name, up, number in changes:
        above_it = up and adapter and (own or name not in OF_TOKENIZERS)
        EDITS[name](above if above_it else base, number)
    return above if adapter else base


def _put_tokenizer(made, folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(made / name, folder)


def identity(folder, kind):
    return examine(folder, judge=kind == "judge", network=False, hasher=content)


def in_memory(checkpoint, kind):
    """What there is after loading: tensors, tokens, templates, the ends of answers."""
    if kind == "judge":
        judge = RewardModelJudge(checkpoint, JudgeSettings(JudgeConfig(model="x"), device="cpu"))
        model, tokenizer, ends = judge._model, judge._tokenizer, None
    else:
        model, tokenizer = load_model(checkpoint, "float32"), load_tokenizer(checkpoint)
        ends = _ends(model, tokenizer)
    tensors = {name: value.numpy().tobytes() for name, value in model.state_dict().items()}
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    return tensors, backend, tokenizer.chat_template, tokenizer.special_tokens_map, ends


def compared(made, kind, parts, adapter, own, *changed):
    """Whether two folders have one identity, and whether one thing is loaded from both."""
    found = []
    with tempfile.TemporaryDirectory() as root:
        for number, (cut, changes) in enumerate(zip(parts, changed, strict=True)):
            place = Path(root) / str(number)
            place.mkdir()
            given = {"parts": cut, "adapter": adapter, "own": own, "changes": changes}
            folder = build(place, made, kind, **given)
            checkpoint = identity(folder, kind)
            found.append((checkpoint.identity, in_memory(checkpoint, kind)))
    (first, loaded), (second, loaded_too) = found
    return first == second, loaded == loaded_too


KIND = st.sampled_from(["policy", "judge"])
SUPPRESSED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
PARTS = st.tuples(st.booleans(), st.booleans())
GIVEN = given(KIND, PARTS, st.booleans(), st.booleans(), CHANGES, CHANGES)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=SUPPRESSED)
@GIVEN
def test_identities_are_equal_if_and_only_if_what_is_loaded_is(
    made, kind, parts, adapter, own, one, other
):
    same, alike = compared(made, kind, parts, adapter, own, one, other)
    assert same == alike


@pytest.mark.slow
@settings(max_examples=600, deadline=None, suppress_health_check=SUPPRESSED)
@GIVEN
def test_identities_are_equal_if_and_only_if_what_is_loaded_is_in_many_folders(
    made, kind, parts, adapter, own, one, other
):
    same, alike = compared(made, kind, parts, adapter, own, one, other)
    assert same == alike


@pytest.mark.parametrize("name", ["cut", "metadata", "places", "parts"])
@pytest.mark.parametrize("kind", ["policy", "judge"])
def test_a_model_saved_another_way_is_the_same(made, kind, name):
    same, alike = compared(made, kind, (False, True), False, False, [], [(name, False, 2)])
    assert same
    assert alike


def test_how_a_quantization_reads_its_tensors_counts(made, tmp_path):
    """Some keep it in the metadata of their files."""
    found = []
    for number in (1, 2, 2):
        folder = build(
            tmp_path / str(len(found)), made, "policy", parts=False, adapter=False, own=False,
            changes=[("metadata", False, number)],
        )  # fmt: skip
        edit_json(folder / "config.json", lambda said: said | {"quantization_config": {"bits": 4}})
        found.append(identity(folder, "policy").identity)
    assert found[0] != found[1] == found[2]


@pytest.mark.parametrize("up", [False, True], ids=["base", "adapter"])
@pytest.mark.parametrize("name", EDITS)
def test_every_change_alone(made, name, up):
    same, alike = compared(made, "policy", (True, True), up, up, [], [(name, up, 1)])
    assert same == alike


LOADS = """
import sys
from pathlib import Path
from alignment.checkpoints import Checkpoint
from alignment.policies.huggingface import load_model, load_tokenizer
checkpoint = Checkpoint(Path(sys.argv[1]), "")
load_tokenizer(checkpoint)
load_model(checkpoint, "float32")
"""
READ = {
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "additional_chat_templates/tools.jinja",
}
UNREAD = [
    "README.md",
    "adapter_model.safetensors",
    "consolidated.safetensors",
    "head.safetensors",
    "merges.txt",
    "model-00001-of-00001.safetensors",
    "model.safetensors.index.json",
    "modelcard.json",
    "optimizer.pt",
    "preprocessor_config.json",
    "processor_config.json",
    "chat_template.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "tekken.json",
    "tokenizer.model",
    "training_args.bin",
    "vocab.json",
    "config.4.0.0.json",
    "tokenizer.4.0.0.json",
    "custom_generate/generate.py",
]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace tells which files are opened")
def test_no_other_file_is_opened(made, tmp_path):
    folder = build(tmp_path, made, "policy", parts=False, adapter=False, own=False, changes=[])
    for name in ("template", "further-template", "special", "added", "end"):
        EDITS[name](folder, 0)
    for name in UNREAD:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("{}")
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-qq", "-e", "trace=open,openat", "-o", str(trace)]
    command += [sys.executable, "-c", LOADS, str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    opened = re.findall(rf'"{re.escape(str(folder))}/([^"]+)"', trace.read_text(errors="replace"))
    assert {name for name in opened if (folder / name).is_file()} == READ
