"""What tests of several kinds share: model folders that are real but hold next to nothing."""

import json

import pytest
from numpy import zeros
from safetensors.numpy import save_file


@pytest.fixture
def model_folder():
    """Makes a checkpoint of a few numbers in the Hugging Face layout; no torch is needed.

    `tokens` is the size of the tokenizer, `rows` that of the embedding matrix; further names go to
    config.json (None takes a key out).
    """

    def make(folder, *, judge=False, tokens=8, rows=8, **config):
        folder.mkdir(parents=True, exist_ok=True)
        kind = "OPTForSequenceClassification" if judge else "OPTForCausalLM"
        settings = {"model_type": "opt", "architectures": [kind], "vocab_size": rows}
        if judge:
            settings["id2label"] = {"0": "LABEL_0"}
        settings |= config
        settings = {key: value for key, value in settings.items() if value is not None}
        (folder / "config.json").write_text(json.dumps(settings))
        weights = {"model.decoder.embed_tokens.weight": zeros((rows, 4), dtype="float32")}
        save_file(weights, folder / "model.safetensors")
        vocabulary = {f"t{number}": number for number in range(tokens)}
        tokenizer = {"added_tokens": [], "model": {"type": "BPE", "vocab": vocabulary}}
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        return folder

    return make
