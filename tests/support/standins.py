"""Stand-ins for what a run takes from the hub: real architectures and file layouts, tiny sizes.

They lie in a hub cache under the real names, so that what a user types can be typed here, offline.
"""

import gzip
import hashlib
import io
import json
import random

import sentencepiece
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import ByteLevelBPETokenizer
from tokenizers.processors import TemplateProcessing

POLICY, POLICY_COMMIT = "facebook/opt-350m", "08ab08cc4b72ff5593870b5d527cf4230323703c"
JUDGE = "OpenAssistant/reward-model-deberta-v3-large-v2"
JUDGE_COMMIT = "c355404efa9ad2ad069f3a197cae0523c14244fc"
DATA, DATA_COMMIT = "Anthropic/hh-rlhf", "0123456789abcdef0123456789abcdef01234567"

THINGS = ("weeds", "moss", "a process", "the lights", "an ant hill", "mold", "a job", "the engine")
PLACES = ("the garden", "my shed", "a server", "the kitchen", "an old car", "the cellar", "a field")
WAYS = ("quickly", "without noise", "at night", "before lunch", "for good", "on a Sunday")
CHAT = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def dialogues(verb, count, seed):
    """Preferences as HH-RLHF has them, about nothing in particular."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        thing, place, way = rng.choice(THINGS), rng.choice(PLACES), rng.choice(WAYS)
        asked = f"\n\nHuman: How do I {verb} {thing} in {place} {way}, case {number}?"
        if number % 3 == 0:
            asked += f"\n\nAssistant: Which one?\n\nHuman: The {verb}ing of number {number}."
        answers = [
            f"\n\nAssistant: {rng.choice(WAYS)} you take {rng.choice(THINGS)}." for _ in "ab"
        ]
        answers[1] += " Or not."
        rows.append({"chosen": asked + answers[0], "rejected": asked + answers[1]})
    return rows


def data_set(folder):
    """`Anthropic/hh-rlhf` in its layout: test splits of two parts, training splits of all four."""
    harmless = [*dialogues("kill", 200, 1), *dialogues("clean", 500, 2)]
    _part(folder / "harmless-base", "test", harmless)
    _part(folder / "helpful-base", "test", dialogues("mend", 700, 3))
    parts = ("harmless-base", "helpful-base", "helpful-online", "helpful-rejection-sampled")
    for seed, part in enumerate(parts, 4):
        _part(folder / part, "train", dialogues(f"{part}-paint", 20, seed))


def _part(folder, split, rows):
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / f"{split}.jsonl.gz").write_bytes(gzip.compress(text, mtime=0))


def _texts():
    rows = [*dialogues("kill", 60, 1), *dialogues("mend", 60, 3)]
    return [text for row in rows for text in row.values()]


def _write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value))


def _bpe(special):
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        _texts(), vocab_size=400, special_tokens=special, show_progress=False
    )
    return tokenizer


def _seeded(make, spread):
    """A random model whose outputs are far enough apart to be told from each other."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = make().eval()
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=spread)
    return model


def opt(folder, *, pickled):
    """`facebook/opt-350m`: post-layer-norm, projected embeddings, a slow tokenizer's files.

    Its weights are half precision, named without `model.` and without the tied head.
    """
    end = {"content": "</s>", "lstrip": False, "normalized": True, "rstrip": False}
    end |= {"single_word": False}
    special = {f"{kind}_token": end for kind in ("bos", "eos", "unk")}
    special["pad_token"] = {**end, "content": "<pad>"}
    typed = {key: {"__type": "AddedToken", **value} for key, value in special.items()}
    config = {
        "_remove_final_layer_norm": False,
        "activation_function": "relu",
        "architectures": ["OPTForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": 2,
        "do_layer_norm_before": False,
        "dropout": 0.1,
        "eos_token_id": 2,
        "ffn_dim": 64,
        "hidden_size": 32,
        "layerdrop": 0.0,
        "max_position_embeddings": 2048,
        "model_type": "opt",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "pad_token_id": 1,
        "prefix": "</s>",
        "torch_dtype": "float16",
        "use_cache": True,
        "vocab_size": 408,
        "word_embed_proj_dim": 16,
    }
    _write(
        folder,
        config=config,
        generation_config={"_from_model_config": True, "bos_token_id": 2, "eos_token_id": 2},
        special_tokens_map=special,
        tokenizer_config={
            "add_bos_token": True,
            "add_prefix_space": False,
            "errors": "replace",
            "special_tokens_map_file": None,
            "tokenizer_class": "GPT2Tokenizer",
            **typed,
        },
    )
    _bpe(["<s>", "<pad>", "</s>", "<unk>"]).save_model(str(folder))
    made = transformers.AutoConfig.from_pretrained(folder)
    model = _seeded(lambda: transformers.AutoModelForCausalLM.from_config(made), 0.3)
    weights = {k: v.half().contiguous() for k, v in model.model.state_dict().items()}
    if pickled:
        torch.save(weights, folder / "pytorch_model.bin")
    else:
        save_file(weights, folder / "model.safetensors", {"format": "pt"})


def deberta(folder):
    """The reward model: DeBERTa v3 with relative positions, SentencePiece, one output."""
    config = {
        "architectures": ["DebertaV2ForSequenceClassification"],
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": 32,
        "id2label": {"0": "LABEL_0"},
        "intermediate_size": 64,
        "label2id": {"LABEL_0": 0},
        "layer_norm_eps": 1e-07,
        "max_position_embeddings": 512,
        "max_relative_positions": -1,
        "model_type": "deberta-v2",
        "norm_rel_ebd": "layer_norm",
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "pad_token_id": 0,
        "pooler_dropout": 0,
        "pooler_hidden_act": "gelu",
        "pooler_hidden_size": 32,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "position_buckets": 256,
        "relative_attention": True,
        "share_att_key": True,
        "type_vocab_size": 0,
        "vocab_size": 400,
    }
    names = {f"{kind}_token": f"[{kind.upper()}]" for kind in ("cls", "mask", "pad", "sep", "unk")}
    names |= {"bos_token": "[CLS]", "eos_token": "[SEP]"}
    kind = {"do_lower_case": False, "split_by_punct": False, "vocab_type": "spm"}
    _write(
        folder,
        config=config,
        special_tokens_map=names,
        tokenizer_config={**names, **kind, "tokenizer_class": "DebertaV2Tokenizer"},
    )
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_texts()),
        model_writer=written,
        vocab_size=320,
        hard_vocab_limit=False,
        minloglevel=2,
        **{f"{k}_id": i for i, k in enumerate(("pad", "bos", "eos", "unk"))},
        **{f"{k}_piece": names[f"{k}_token"] for k in ("pad", "bos", "eos", "unk")},
    )
    (folder / "spm.model").write_bytes(written.getvalue())
    made = transformers.AutoConfig.from_pretrained(folder)
    auto = transformers.AutoModelForSequenceClassification
    _seeded(lambda: auto.from_config(made), 0.3).save_pretrained(folder)


def llama(folder, *, outputs=None, template=CHAT):
    """A Llama with a tokenizer that begins every text itself; a reward model with `outputs`."""
    bpe = _bpe(["<s>", "</s>", "<pad>", "<|user|>", "<|assistant|>"])
    bpe._tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)]
    )
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, **names)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        **({} if outputs is None else {"num_labels": outputs}),
    )
    policy, judge = (
        transformers.AutoModelForCausalLM,
        transformers.AutoModelForSequenceClassification,
    )
    auto = policy if outputs is None else judge
    _seeded(lambda: auto.from_config(config), 0.3).save_pretrained(folder)
    return tokenizer


def in_cache(home, name, commit, made, *, kind="models"):
    """Put a folder's files where the hub's client keeps them: as blobs, linked from a snapshot."""
    repository = home / "hub" / f"{kind}--{name.replace('/', '--')}"
    (repository / "blobs").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    snapshot = repository / "snapshots" / commit
    for path in (path for path in made.rglob("*") if path.is_file()):
        link = snapshot / path.relative_to(made)
        link.parent.mkdir(parents=True, exist_ok=True)
        blob = repository / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        path.rename(blob)
        link.symlink_to(blob)
    return snapshot


def hub(home, scratch, *, pickled):
    """A hub cache with the policy, the judge and the data set of the paper; gives the policy's."""
    opt(scratch / "opt", pickled=pickled)
    deberta(scratch / "deberta")
    data_set(scratch / "hh")
    in_cache(home, DATA, DATA_COMMIT, scratch / "hh", kind="datasets")
    in_cache(home, JUDGE, JUDGE_COMMIT, scratch / "deberta")
    return in_cache(home, POLICY, POLICY_COMMIT, scratch / "opt")
