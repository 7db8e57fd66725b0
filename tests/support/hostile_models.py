"""Ways to damage a model folder of a few numbers, and what the refusal has to say of each."""

import json
import os
import shutil
import socket
from pathlib import Path

from numpy import zeros
from safetensors.numpy import save_file

DEEP = 100_000
HUGE = 10**9


def told(folder, name="config.json", **values):
    """Put values into a JSON file of a folder."""
    path = folder / name
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | values))


def raw(name, content):
    def damage(folder):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return damage


def config(**values):
    return lambda folder: told(folder, **values)


def tokenizer(**values):
    return lambda folder: told(folder, "tokenizer_config.json", **values)


def generation(**values):
    return lambda folder: told(folder, "generation_config.json", **values)


def template(text):
    return raw("chat_template.jinja", text)


def special(name, make):
    """Something else under the name of a file."""

    def damage(folder):
        (folder / name).unlink(missing_ok=True)
        make(folder / name)

    return damage


def pipe(name):
    return special(name, os.mkfifo)


def device(name):
    return special(name, lambda path: path.symlink_to("/dev/zero"))


def listening(path):
    here = Path.cwd()
    os.chdir(path.parent)  # such a name is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def index(weights, name="model.safetensors.index.json"):
    def damage(folder):
        (folder / "model.safetensors").rename(folder / "part.safetensors")
        (folder / "pytorch_model.bin").write_bytes(b"a pickle")
        (folder / name).write_text(json.dumps({"weight_map": weights}))

    return damage


def emptied(folder):
    for path in folder.iterdir():
        path.unlink()


def alone(name):
    """A folder in which there is nothing else."""

    def damage(folder):
        emptied(folder)
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"{}")

    return damage


def without_weights(name):
    return lambda folder: (folder / "model.safetensors").rename(folder / name)


def checkpoints(folder):
    inside = [folder / "checkpoint-500", folder / "checkpoint-1000"]
    files = list(folder.iterdir())
    for path in inside:
        path.mkdir()
        for each in files:
            shutil.copy(each, path)
    for each in files:
        each.unlink()


def twice(folder):
    shutil.copy(folder / "model.safetensors", folder / "other.safetensors")
    index({"a": "part.safetensors", "b": "other.safetensors"})(folder)


def adapted(**values):
    """An adapter over the model."""

    def damage(folder):
        base = folder.parent / "base"
        folder.rename(base)
        folder.mkdir()
        told(
            folder, "adapter_config.json", peft_type="LORA", base_model_name_or_path=str(base), r=2
        )
        told(folder, "adapter_config.json", **values)
        save_file({"a": zeros((2, 4), dtype="float32")}, folder / "adapter_model.safetensors")

    return damage


def over(other, **values):
    def damage(folder):
        adapted(**values)(folder)
        other(folder)

    return damage


def sparse(path):
    """8 GiB that take no room."""
    with path.open("wb") as file:
        file.truncate(2**33)


def nested(depth, opening="[", closing="]"):
    return opening * depth + "0" + closing * depth


CODE = "remote code is never run"
HOSTILE = {
    # JSON that readers do not agree on, or that no reader survives
    "config-deep": (raw("config.json", nested(DEEP)), "nested deeper than 100"),
    "config-deep-objects": (
        raw("config.json", nested(DEEP, '{"a":', "}")),
        "nested deeper than 100",
    ),
    "config-nan": (config(x=float("nan")), "NaN is not allowed"),
    "config-twice": (raw("config.json", '{"a": 1, "a": 2}'), "'a' appears twice in one object"),
    "config-digits": (raw("config.json", '{"vocab_size": ' + "9" * 5000 + "}"), "too many digits"),
    "config-surrogate": (
        raw("config.json", r'{"model_type": "\ud800"}'),
        "half of a surrogate pair",
    ),
    "config-bom": (raw("config.json", b"\xef\xbb\xbf{}"), "begins with a byte order mark"),
    "config-utf16": (raw("config.json", "{}".encode("utf-16")), "cannot be read"),
    "config-latin1": (raw("config.json", b'{"a": "\xe9"}'), "cannot be read"),
    "config-empty": (raw("config.json", ""), "is no JSON"),
    "config-zeros": (raw("config.json", b"\0" * 99), "is no JSON"),
    "config-number": (raw("config.json", "7"), "config.json is not a JSON object"),
    "config-sparse": (special("config.json", sparse), "more than 256 MiB"),
    "tokenizer-deep": (raw("tokenizer.json", nested(DEEP)), "nested deeper than 100"),
    "tokenizer-list": (raw("tokenizer.json", "[]"), "tokenizer.json is not a JSON object"),
    "tokenizer-text": (raw("tokenizer.json", '{"model": "x"}'), "is not a tokenizer file"),
    "tokenizer-infinite": (
        raw("tokenizer.json", '{"model": {"vocab": {"a": Infinity}}}'),
        "is not a tokenizer file",
    ),
    "tokenizer-config-deep": (raw("tokenizer_config.json", nested(DEEP)), "nested deeper than 100"),
    "tokenizer-config-twice": (raw("tokenizer_config.json", '{"a":1,"a":1}'), "appears twice"),
    "index-deep": (
        lambda folder: (
            index({})(folder),
            raw("model.safetensors.index.json", nested(DEEP))(folder),
        ),
        "nested deeper than 100",
    ),
    "generation-deep": (raw("generation_config.json", nested(DEEP)), "nested deeper than 100"),
    "special-tokens-deep": (raw("special_tokens_map.json", nested(DEEP)), "nested deeper than 100"),
    "added-tokens-list": (raw("added_tokens.json", "[1]"), "is not a JSON object"),
    # what is no file
    "config-pipe": (pipe("config.json"), "cannot be read: it is a FIFO"),
    "config-device": (device("config.json"), "cannot be read: it is a device"),
    "config-folder": (special("config.json", Path.mkdir), "cannot be read: it is a folder"),
    "config-socket": (special("config.json", listening), "cannot be read: it is a socket"),
    "config-loop": (special("config.json", lambda p: p.symlink_to(p.name)), "cannot be read"),
    "config-nowhere": (
        special("config.json", lambda p: p.symlink_to("no")),
        "there is no such file",
    ),
    "tokenizer-pipe": (pipe("tokenizer.json"), "cannot be read: it is a FIFO"),
    "tokenizer-config-pipe": (pipe("tokenizer_config.json"), "cannot be read: it is a FIFO"),
    "tokenizer-device": (device("tokenizer.json"), "cannot be read: it is a device"),
    "weights-pipe": (pipe("model.safetensors"), "cannot be read: it is a FIFO"),
    "weights-device": (device("model.safetensors"), "cannot be read: it is a device"),
    "generation-pipe": (pipe("generation_config.json"), "cannot be read: it is a FIFO"),
    "template-pipe": (pipe("chat_template.jinja"), "cannot be read: it is a FIFO"),
    "index-pipe": (
        lambda folder: (index({})(folder), pipe("model.safetensors.index.json")(folder)),
        "cannot be read: it is a FIFO",
    ),
    "pickle-pipe": (
        lambda folder: (without_weights("x")(folder), pipe("pytorch_model.bin")(folder)),
        "cannot be read: it is a FIFO",
    ),
    "adapter-pipe": (over(pipe("adapter_config.json")), "cannot be read: it is a FIFO"),
    "adapter-weights-pipe": (
        over(pipe("adapter_model.safetensors")),
        "cannot be read: it is a FIFO",
    ),
    # pickles through a side door
    "index-names-a-pickle": (
        index({"a": "pytorch_model.bin"}),
        "only files that end in .safetensors",
    ),
    "index-mixes": (
        index({"a": "part.safetensors", "b": "pytorch_model.bin"}),
        "only files that end in .safetensors",
    ),
    "index-climbs": (index({"a": "../other/part.safetensors"}), "only files of the folder itself"),
    "index-absolute": (index({"a": "/etc/part.safetensors"}), "only files of the folder itself"),
    "index-number": (index({"a": 7}), "only files that end in .safetensors"),
    "index-empty": (index({}), "has no weight_map"),
    "index-twice": (twice, "is in part.safetensors and in another file"),
    "named-pickle": (
        config(transformers_weights="adapter_model.bin"),
        "safetensors or their index",
    ),
    "named-elsewhere": (
        config(transformers_weights="../base/model.safetensors"),
        "only files of the folder itself",
    ),
    "named-nothing": (config(transformers_weights="no.safetensors"), "which is not there"),
    "distributed": (raw("shard-00001-model-00001-of-00002.safetensors", ""), "distributed"),
    "weights-damaged": (raw("model.safetensors", b"\xff" * 64), "model.safetensors is damaged"),
    "weights-cut": (
        lambda folder: os.truncate(folder / "model.safetensors", 100),
        "model.safetensors is damaged",
    ),
    # code
    "auto-map": (config(model_type="theirs", auto_map={"AutoConfig": "a.B"}), CODE),
    "auto-map-inside": (config(text_config={"auto_map": {"AutoModel": "o/r--a.B"}}), CODE),
    "kernel": (config(_attn_implementation="owner/kernel"), CODE),
    "kernel-said-otherwise": (config(attn_implementation="owner/kernel@v1:run"), CODE),
    "kernel-paged": (config(attn_implementation="paged|owner/kernel"), CODE),
    "kernel-for-a-part": (config(attn_implementation={"text_config": "owner/kernel"}), CODE),
    "kernel-inside": (config(text_config={"_attn_implementation": "owner/kernel"}), CODE),
    "kernel-in-a-list": (config(parts=[{"attn_implementation": "owner/kernel"}]), CODE),
    "kernel-of-experts": (config(experts_implementation="owner/kernel"), CODE),
    "kernel-config": (config(kernel_config={"RMSNorm": "owner/kernel:Norm"}), CODE),
    "generate": (generation(custom_generate="owner/generate"), CODE),
    "generation-auto-map": (generation(auto_map={"GenerationConfig": "a.B"}), CODE),
    "other-configs": (config(configuration_files=["config.4.0.0.json"]), "other configuration"),
    "other-tokenizers": (
        tokenizer(fast_tokenizer_files=["tokenizer.4.0.0.json"]),
        "names other tokenizers",
    ),
    "tokenizer-code": (
        lambda folder: (
            (folder / "tokenizer.json").rename(folder / "vocab.json"),
            tokenizer(auto_map={"AutoTokenizer": ["a.B", None]})(folder),
        ),
        "remote code is never run",
    ),
    "tokenizer-merges": (tokenizer(merges="/etc/passwd"), "reads a file that it names"),
    "tokenizer-vocab": (tokenizer(vocab="/etc/passwd"), "reads a file that it names"),
    "tokenizer-gguf": (tokenizer(gguf_file="../x.gguf"), "reads a file that it names"),
    "tokenizer-inputs": (tokenizer(init_inputs=["/etc/passwd"]), "reads a file that it names"),
    "tokenizer-class": (
        tokenizer(tokenizer_class="owner/tokenizer--a.B"),
        "name of a tokenizer's class",
    ),
    "tokenizer-is-a-model": (tokenizer(tokenizer_class="OPTForCausalLM"), "name of a tokenizer's"),
    "tokenizer-length": (tokenizer(model_max_length="x"), "a number is required"),
    "adapter-module": (adapted(megatron_config={"x": 1}, megatron_core="os"), "imports the module"),
    "adapter-shadow": (adapted(shadow_model="owner/model"), "loads another model"),
    "adapter-xlora": (adapted(peft_type="XLORA"), "further adapters from elsewhere"),
    "adapter-pattern": (adapted(target_modules=r"(\w+\.?)+x"), "repeats what repeats itself"),
    "adapter-no-pattern": (adapted(target_modules="(("), "is not a valid regular expression"),
    "adapter-base-home": (
        adapted(base_model_name_or_path="~nobody-x/m"),
        "home folder (~) is not known",
    ),
    "adapter-url": (adapted(base_model_name_or_path="https://x.y/z"), "models are folders or ids"),
    "adapter-revision": (adapted(revision=["x"]), "a text is required"),
    "adapter-base-list": (adapted(base_model_name_or_path=["x"]), "names no base_model_name"),
    "adapter-base-gone": (adapted(base_model_name_or_path="/gone"), "correct base_model_name"),
    "adapter-base-long": (adapted(base_model_name_or_path="/x" * 5000), "correct base_model_name"),
    "adapter-base-null": (adapted(base_model_name_or_path="/a\0b"), "correct base_model_name"),
    "adapter-huge": (adapted(r=HUGE), "far beyond its weights"),
    "adapter-template": (over(template("x")), "no tokenizer that goes with it"),
    # numbers
    "layers": (config(num_hidden_layers=HUGE), "far beyond its weights"),
    "layers-inside": (config(text_config={"num_hidden_layers": HUGE}), "far beyond its weights"),
    "layers-none": (config(num_hidden_layers=0), "at least 1 is required"),
    "layers-many": (config(num_hidden_layers=900), "far beyond its weights"),
    "shared-heads-none": (config(num_key_value_heads=0), "at least 1 is required"),
    "layers-negative": (config(num_hidden_layers=-1), "at least 1 is required"),
    "heads-none": (config(num_attention_heads=0), "at least 1 is required"),
    "heads-text": (config(num_attention_heads="12"), "a whole number is required"),
    "hidden": (config(hidden_size=HUGE), "far beyond its weights"),
    "hidden-none": (config(hidden_size=0), "at least 1 is required"),
    "intermediate": (config(ffn_dim=HUGE), "far beyond its weights"),
    "experts": (config(num_local_experts=HUGE), "far beyond its weights"),
    "labels": (config(num_labels=HUGE), "far beyond its weights"),
    "positions": (config(max_position_embeddings=10**12), "positions are possible"),
    "vocabulary": (config(vocab_size=HUGE), "far beyond its weights"),
    "dtype": (config(dtype="float13"), "a dtype of torch is required"),
    "dtype-function": (config(torch_dtype="load"), "a dtype of torch is required"),
    "dtype-number": (config(dtype=16), "a dtype of torch is required"),
    "ends": (config(eos_token_id="end"), "a token's number or a list of them"),  # noqa: S106
    "generation-ends": (generation(eos_token_id=[[1]]), "a token's number or a list of them"),
    "kind": (config(model_type=["opt"]), "config.json has no model_type"),
    "added-tokens": (tokenizer(added_tokens_decoder={"1" * 12: {"content": "x"}}), "below 10 mil"),
    "added-tokens-text": (tokenizer(added_tokens_decoder={"1": "x"}), "below 10 million"),
    # templates
    "template-number": (tokenizer(chat_template=5), "a text is required"),
    "template-list": (tokenizer(chat_template=[1]), "needs a `name` and a `template`"),
    "template-unnamed": (tokenizer(chat_template=[{"name": "default"}]), "needs a `name`"),
    "template-others": (
        tokenizer(chat_template=[{"name": "tools", "template": "x"}]),
        "one called 'default' is required",
    ),
    "template-include": (template("{% include 'a' %}"), "reads another one"),
    "template-import": (template("{% import 'a' as b %}"), "reads another one"),
    "template-extends": (template("{% extends 'a' %}"), "reads another one"),
    "template-open": (template("{% for a in b %}"), "is not valid: line 1"),
    "template-tag": (template("{% nothing %}"), "is not valid: line 1"),
    "template-power": (template("{{ 9 ** (9 ** 9) }}"), "computes powers"),
    "template-deep": (template("{{ " + "(" * 9999 + "1" + ")" * 9999 + " }}"), "nested too deeply"),
    "template-long": (template("x" * 1_000_001), "at most 1000000"),
    "template-bytes": (raw("chat_template.jinja", b"\xff\xfe"), "cannot be read"),
    # tokenizers that explode
    "normalizer": (
        lambda folder: told(
            folder,
            "tokenizer.json",
            normalizer={
                "type": "Sequence",
                "normalizers": [
                    {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}
                ]
                * 12,
            },
        ),
        "times as long",
    ),
    "decoder": (
        lambda folder: told(
            folder,
            "tokenizer.json",
            decoder={"type": "Replace", "pattern": {"Regex": "."}, "content": "a" * 9999},
        ),
        "times as long",
    ),
    # something else
    "checkpoints": (checkpoints, "name the folder checkpoint-1000/ in it (one of 2 models in it)"),
    "gguf": (alone("model.Q4.gguf"), "it has GGUF; serve it"),
    "dataset": (alone("dataset_info.json"), "a data set of save_to_disk"),
    "datasets": (alone("dataset_dict.json"), "a data set of save_to_disk"),
    "parquet": (alone("train-00000-of-00001.parquet"), "a table (Parquet)"),
    "csv": (alone("rows.csv"), "a table (CSV)"),
    "log": (alone("2026_task.eval"), "a log of Inspect"),
    "empty": (emptied, "this one is empty"),
    "original": (alone("consolidated.00.pth"), "in the original format of the model's authors"),
    "shares": (alone("global_step500/x"), "the parts of a distributed checkpoint"),
    "adapter-unconfigured": (alone("adapter_model.safetensors"), "adapter_config.json is missing"),
    "onnx": (without_weights("model.onnx"), "a model for ONNX"),
    "tensorflow": (without_weights("tf_model.h5"), "weights of TensorFlow"),
    "parts": (without_weights("model-00001-of-00003.safetensors"), "one of 3 parts"),
    "other-name": (without_weights("weights.safetensors"), "weights.safetensors has another name"),
}

HARMLESS = [
    config(_attn_implementation="sdpa"),
    config(time_step_limit=[0.0, float("inf")]),  # as transformers writes it for Mamba 2
    config(num_key_value_heads=None, head_dim=None),
    config(max_position_embeddings=10_485_760),
    config(num_hidden_layers=80),
    config(dtype="bfloat16", torch_dtype="torch.float8_e4m3fn"),
    config(eos_token_id=[1, 2]),
    tokenizer(auto_map={"AutoTokenizer": ["a.B", None]}),  # tokenizer.json needs no code
    tokenizer(
        tokenizer_file="/home/somebody/.cache/tokenizer.json", vocab_file=None, init_inputs=[]
    ),
    tokenizer(chat_template=[{"name": "default", "template": "x"}]),
    template(
        "{% for m in messages %}{% generation %}{{ m }}{% endgeneration %}{% break %}{% endfor %}"
    ),
    raw("custom_generate/generate.py", "raise SystemExit"),
    raw("additional_chat_templates/default.jinja", "x"),
    raw("modeling.py", "raise SystemExit"),
    raw("consolidated.safetensors", "never read"),
    raw("training_args.bin", "never read"),
]
"""What real checkpoints have, done to a folder that stays whole."""
