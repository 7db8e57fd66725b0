"""A reward model as a judge: `AutoModelForSequenceClassification` with one or more outputs."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from alignment.checkpoints import Checkpoint, check_outputs
from alignment.checkpoints.loading import load_classifier, load_tokenizer
from alignment.errors import JudgeError, ModelError
from alignment.formats import dialogue, judged
from alignment.hardware import kind_of, ready, versions
from alignment.judges.batching import batches, budget
from alignment.prompts.transcripts import messages
from alignment.recipes import Judge
from alignment.records import Score
from alignment.store import content_key
from alignment.tokens import chat_ids, check_known, cut, encoded, text_ids

VERSION = 3
"""Raise it when the same weights and texts could give another score."""

DIGITS = 4
"""Scores are rounded as the paper's are."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a judge is loaded and asked; `threads` alone changes no score's key."""

    judge: Judge
    device: str
    threads: int = 0
    dtype: str = "float32"


def identity_of(checkpoint: Checkpoint, settings: Settings) -> str:
    """A hash of all that a score depends on apart from its texts; needs no torch."""
    judge = settings.judge
    # Nothing where there is one output, so that what was scored before is still found.
    several = judge.outputs or judge.activation
    named = [judge.model_dump(mode="json", include={"outputs", "activation"})] if several else []
    return content_key(
        "reward_model",
        VERSION,
        checkpoint.identity,
        judge.input,
        judge.dimension,
        judge.max_length,
        settings.dtype,
        kind_of(settings.device),
        versions("torch", "transformers"),
        *named,
    )


class RewardModelJudge:
    """Scores answers with a checkpoint. See `alignment.judges.protocol.Judge`."""

    def __init__(self, checkpoint: Checkpoint, settings: Settings) -> None:
        self.device = settings.device
        ready(self.device, settings.threads)
        self.identity = identity_of(checkpoint, settings)
        self._settings = settings.judge
        self._tokenizer = load_tokenizer(checkpoint)
        model = load_classifier(checkpoint, settings.dtype, device=self.device)
        what = f"judge {checkpoint.outermost}"
        check_outputs(what, model.config.num_labels, self._settings.named)
        _agree_on_padding(what, self._tokenizer, model)
        self._model = model
        self._batch_tokens = self._settings.batch_tokens or _budget(model, self.device)

    def score(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, Score]]:
        """Score (prompt, answer) texts in batches of `judge.batch_tokens` padded tokens."""
        for found in self._batched(pairs, needed):
            yield {i: Score(self._named(row, pairs[i][0])) for i, row in found.items()}

    def outputs(self, pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
        """The model's outputs for these texts, batched as `score` does, but not rounded."""
        found: dict[int, list[float]] = {}
        for batch in self._batched(pairs, range(len(pairs))):
            found |= batch
        return [found[i] for i in range(len(pairs))]

    def _batched(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, list[float]]]:
        """Index -> outputs, for every batch with a needed index; what is the same is read once."""
        rows = [self._encode(prompt, answer) for prompt, answer in pairs]
        size = self._model.get_input_embeddings().weight.shape[0]
        check_known((row["input_ids"] for row in rows), size, self._tokenizer.name_or_path)
        self._check_length(rows)
        same: dict[tuple[int, ...], list[int]] = {}
        for i, row in enumerate(rows):
            # All of it: the same tokens may be parted differently into prompt and answer.
            same.setdefault(tuple(n for values in row.values() for n in values), []).append(i)
        alike = list(same.values())
        lengths = [len(rows[first]["input_ids"]) for first, *_ in alike]
        for batch in batches(lengths, self._batch_tokens):
            together = [alike[n] for n in batch]
            if set(needed).isdisjoint(i for copies in together for i in copies):
                continue
            values = self._forward([rows[first] for first, *_ in together])
            yield {i: row for copies, row in zip(together, values, strict=True) for i in copies}

    def _named(self, row: Sequence[float], prompt: str) -> dict[str, float]:
        """One row of outputs as dimensions: rounded, costs negated. Raises JudgeError."""
        found: dict[str, float] = {}
        for name, output in self._settings.dimensions.items():
            value = row[output.index]
            if not math.isfinite(value):
                raise JudgeError(
                    f"the judge gave {value} for the prompt that begins {prompt[:60]!r}; "
                    f"a finite score is required"
                )
            found[name] = round(output.sign * value, DIGITS)
        return found

    def _encode(self, prompt: str, answer: str) -> dict[str, list[int]]:
        """Token ids, cut at the start of the text: the answer is what is judged."""
        limit = self._settings.max_length
        if self._settings.input == "pair":
            how = {"truncation": "longest_first", "max_length": limit}
            return encoded(self._tokenizer, prompt, answer, **how)
        if self._settings.input == "chat":
            turns = [*messages(prompt), {"role": "assistant", "content": answer}]
            ids = chat_ids(self._tokenizer, turns, answer=False)
        else:
            ids = text_ids(self._tokenizer, dialogue(prompt, judged(answer)))
            end = self._tokenizer.eos_token_id
            # TRL's RewardTrainer ends every training text with the end token; so do we.
            if end is not None and (not ids or ids[-1] != end):
                ids = [*ids, end]
        ids = cut(self._tokenizer, ids, limit)
        return {"input_ids": ids, "attention_mask": [1] * len(ids)}

    def _check_length(self, rows: Sequence[dict[str, list[int]]]) -> None:
        limit = _positions(self._model.config)
        longest = max((len(row["input_ids"]) for row in rows), default=0)
        if limit is not None and longest > limit:
            raise JudgeError(
                f"a dialogue takes {longest} tokens, the judge has positions for {limit}; "
                f"lower judge.max_length"
            )

    def _forward(self, rows: list[dict[str, list[int]]]) -> list[list[float]]:
        import torch  # noqa: PLC0415

        keys = rows[0].keys()
        padded = self._tokenizer.pad(
            {key: [row[key] for row in rows] for key in keys},
            padding_side="right",
            return_tensors="pt",
        ).to(self.device)
        with torch.inference_mode():
            logits = self._model(**padded).logits
        logits = logits.float()
        if self._settings.activation is not None:
            classes = self._settings.activation == "softmax"
            logits = logits.softmax(-1) if classes else logits.sigmoid()
        values: list[list[float]] = logits.tolist()
        return values

    def close(self) -> None:
        """Drop the weights."""
        del self._model


def _budget(model: Any, device: str) -> int:
    """How many padded tokens this model reads at once."""
    everything = sum(weights.numel() for weights in model.parameters())
    body = everything - model.get_input_embeddings().weight.numel()
    return budget(body, getattr(model.config, "num_hidden_layers", 1), device)


def _agree_on_padding(what: str, tokenizer: Any, model: Any) -> None:
    """A classifier reads the last token that is no padding: tokenizer and model must mean one.

    Where the tokenizer has none of its own (`load_tokenizer` gave it the end token), or one that
    the model has no embedding for, the model's counts; and where that has none either, the end
    token, as in TRL's training. Raises ModelError where none is left.
    """
    size = model.get_input_embeddings().weight.shape[0]
    own, pad, end = model.config.pad_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id
    if pad is None or pad == end or pad >= size:
        known = [token for token in (own, end) if token is not None and 0 <= token < size]
        tokens = [text for text in map(tokenizer.convert_ids_to_tokens, known) if text is not None]
        if not tokens:
            raise ModelError(
                f"{what}: neither its tokenizer nor its config.json has a padding token within "
                f"its {size} embeddings; set pad_token in tokenizer_config.json"
            )
        tokenizer.pad_token = tokens[0]
    model.config.pad_token_id = tokenizer.pad_token_id


def _positions(config: Any) -> int | None:
    """How long a text may be; None where positions are relative only, as in DeBERTa v3."""
    if getattr(config, "relative_attention", False) and not config.position_biased_input:
        return None
    limit: int | None = getattr(config, "max_position_embeddings", None)
    return limit
