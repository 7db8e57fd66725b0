"""A reward model as a judge: `AutoModelForSequenceClassification` with one or more outputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alignment.checkpoints import Checkpoint, check_outputs
from alignment.checkpoints.loading import load_classifier, load_tokenizer
from alignment.checkpoints.tokens import chat_ids, check_known, cut, encoded, text_ids
from alignment.config.judges import JudgeConfig
from alignment.errors import JudgeError, ModelError
from alignment.judges.batching import batches, budget
from alignment.prompts.templates import dialogue, normalize_for_judge
from alignment.prompts.transcripts import messages
from alignment.records import Score
from alignment.runtime.finite import NotFiniteError, check_finite, explanation
from alignment.runtime.hardware import configure_torch, kind_of, versions
from alignment.store import content_key

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 3
"""Raise it when the same weights and texts could give another score."""

DIGITS = 4
"""Scores are rounded as the paper's are."""


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """How a judge is loaded and asked; `threads` alone changes no score's key."""

    judge: JudgeConfig
    device: str
    threads: int = 0
    dtype: str = "float32"


def identity_of(checkpoint: Checkpoint, settings: JudgeSettings) -> str:
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
    """Scores answers with a checkpoint. See `alignment.judges.protocol.Judge`.

    `steady` raises once a file of the checkpoint has changed: no score is given then.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        settings: JudgeSettings,
        *,
        steady: Callable[[], None] = lambda: None,
    ) -> None:
        from alignment.policies.probe import reach  # noqa: PLC0415 - loads torch

        self._steady = steady
        self.device = settings.device
        configure_torch(self.device, settings.threads)
        self.identity = identity_of(checkpoint, settings)
        self._settings = settings.judge
        self._dtype, self._name = settings.dtype, checkpoint.outermost
        self._tokenizer = load_tokenizer(checkpoint)
        model = load_classifier(checkpoint, settings.dtype, device=self.device)
        what = f"judge {checkpoint.outermost}"
        check_outputs(what, model.config.num_labels, self._settings.named)
        _agree_on_padding(what, self._tokenizer, model)
        self._model, self._reach = model, reach(model)
        self._batch_tokens = self._settings.batch_tokens or _budget(model, self.device)

    def score(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, Score]]:
        """Score (prompt, answer) texts in batches of `judge.batch_tokens` padded tokens."""
        for found in self._batched(pairs, needed):
            self._steady()
            yield {i: Score(self._named(row)) for i, row in found.items()}

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
        for batch in self._batches(lengths):
            together = [alike[n] for n in batch]
            if set(needed).isdisjoint(i for copies in together for i in copies):
                continue
            logits = self._forward([rows[first] for first, *_ in together])
            self._check_finite(logits, [pairs[first][0] for first, *_ in together])
            values: list[list[float]] = self._activated(logits).tolist()
            yield {i: row for copies, row in zip(together, values, strict=True) for i in copies}

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Which texts are read together, by their numbers; one that must have no neighbours alone.

        Those are longer than the model bears beside others (see `policies.probe.reach`).
        """
        most = self._reach
        apart = [n for n, length in enumerate(lengths) if most is not None and length > most]
        yield from ([n] for n in apart)
        near = sorted(set(range(len(lengths))) - set(apart))
        for batch in batches([lengths[n] for n in near], self._batch_tokens):
            yield [near[place] for place in batch]

    def _named(self, row: Sequence[float]) -> dict[str, float]:
        """One row of outputs as dimensions: rounded, costs negated."""
        return {
            name: round(output.sign * row[output.index], DIGITS)
            for name, output in self._settings.dimensions.items()
        }

    def _check_finite(self, logits: Tensor, prompts: Sequence[str]) -> None:
        """Raise JudgeError, with the prompt, for outputs of which an activation makes scores."""
        for row, prompt in zip(logits, prompts, strict=True):
            try:
                check_finite(row)
            except NotFiniteError as error:
                where = f" for the prompt that begins {prompt[:40]!r}"
                why = explanation(self._model, error, dtype=self._dtype, where=where)
                raise JudgeError(f"judge {self._name}: {why}") from error

    def _encode(self, prompt: str, answer: str) -> dict[str, list[int]]:
        """Token ids, cut at the start of the text: the answer is what is judged."""
        limit = self._settings.max_length
        if self._settings.input == "pair":
            return self._pair(prompt, answer, limit)
        if self._settings.input == "chat":
            turns = [*messages(prompt), {"role": "assistant", "content": answer}]
            ids = chat_ids(self._tokenizer, turns, answer=False)
        else:
            ids = text_ids(self._tokenizer, dialogue(prompt, normalize_for_judge(answer)))
            end = self._tokenizer.eos_token_id
            # TRL's RewardTrainer ends every training text with the end token; so do we.
            if end is not None and (not ids or ids[-1] != end):
                ids = [*ids, end]
        ids = cut(self._tokenizer, ids, limit)
        return {"input_ids": ids, "attention_mask": [1] * len(ids)}

    def _pair(self, prompt: str, answer: str, limit: int) -> dict[str, list[int]]:
        """A pair as the tokenizer joins two texts; the beginning of the prompt goes first.

        What it adds by itself (special tokens, token types) stays, whatever is cut. Of a prompt
        whose answer fills the room nothing is left, and of the answer the end.
        """
        tokenizer = self._tokenizer
        special = tokenizer.num_special_tokens_to_add(pair=True)
        room = limit - special
        if room < 1:
            raise JudgeError(
                f"judge.max_length = {limit}: a pair takes {special} special tokens alone; raise it"
            )
        said = encoded(tokenizer, answer, add_special_tokens=False)["input_ids"]
        before, tokenizer.truncation_side = tokenizer.truncation_side, "left"
        try:
            if len(said) < room:
                how = {"truncation": "only_first", "max_length": limit}
                return encoded(tokenizer, prompt, answer, **how)
            how = {"truncation": "only_second", "max_length": limit}
            return encoded(tokenizer, "", answer, **how)
        finally:
            tokenizer.truncation_side = before

    def _check_length(self, rows: Sequence[dict[str, list[int]]]) -> None:
        limit = _positions(self._model.config)
        longest = max((len(row["input_ids"]) for row in rows), default=0)
        if limit is not None and 0 < limit < longest:  # -1 where positions are relative only
            raise JudgeError(
                f"a dialogue takes {longest} tokens, the judge has positions for {limit}; "
                f"lower judge.max_length"
            )

    def _forward(self, rows: list[dict[str, list[int]]]) -> Tensor:
        """Float32 outputs (rows, outputs) before any activation."""
        import torch  # noqa: PLC0415

        from alignment.policies.probe import unchanged  # noqa: PLC0415 - loads torch

        keys = rows[0].keys()
        padded = self._tokenizer.pad(
            {key: [row[key] for row in rows] for key in keys},
            padding_side="right",
            return_tensors="pt",
        ).to(self.device)
        alone = unchanged(self._model) if len(rows) == 1 else contextlib.nullcontext()
        with torch.inference_mode(), alone:
            logits: Tensor = self._model(**padded).logits
        return logits.float()

    def _activated(self, logits: Tensor) -> Tensor:
        """Outputs as scores: probabilities where an activation says so."""
        if self._settings.activation is None:
            return logits
        classes = self._settings.activation == "softmax"
        return logits.softmax(-1) if classes else logits.sigmoid()

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
