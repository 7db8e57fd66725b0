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
"""Increase it when the same weights and texts could give another score."""

DIGITS = 4
"""Decimals of a score, as in the paper."""


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """How a judge is loaded and run. All but `threads` is part of a score's key."""

    judge: JudgeConfig
    device: str
    threads: int = 0
    dtype: str = "float32"


def identity_of(checkpoint: Checkpoint, settings: JudgeSettings) -> str:
    """A hash of everything that a score depends on apart from its texts; needs no torch."""
    judge = settings.judge
    # Omitted for a judge with one output, whose keys are older than these settings.
    explicit = judge.outputs or judge.activation
    output_settings = (
        [judge.model_dump(mode="json", include={"outputs", "activation"})] if explicit else []
    )
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
        *output_settings,
    )


class RewardModelJudge:
    """Scores answers with a checkpoint. See `alignment.judges.protocol.Judge`.

    `steady` is called before scores are given; it raises if a file of the checkpoint has changed.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        settings: JudgeSettings,
        *,
        steady: Callable[[], None] = lambda: None,
    ) -> None:
        from alignment.policies.probe import reach  # noqa: PLC0415 - loads torch

        self._require_unchanged = steady
        self.device = settings.device
        configure_torch(self.device, settings.threads)
        self.identity = identity_of(checkpoint, settings)
        self._settings = settings.judge
        self._dtype, self._name = settings.dtype, checkpoint.outermost
        self._tokenizer = load_tokenizer(checkpoint)
        model = load_classifier(checkpoint, settings.dtype, device=self.device)
        name = f"judge {checkpoint.outermost}"
        check_outputs(name, model.config.num_labels, self._settings.named)
        _set_padding_token(name, self._tokenizer, model)
        self._model, self._joint_limit = model, reach(model)
        self._batch_tokens = self._settings.batch_tokens or _budget(model, self.device)

    def score(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, Score]]:
        """Score (prompt, answer) texts in batches of at most `judge.batch_tokens` padded tokens.

        Raises JudgeError if a text is too long or an output is not finite.
        """
        for outputs in self._outputs_by_batch(pairs, needed):
            self._require_unchanged()
            yield {i: Score(self._dimensions(row)) for i, row in outputs.items()}

    def outputs(self, pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
        """The model's outputs (pairs, outputs), batched as in `score`, activated, not rounded."""
        outputs: dict[int, list[float]] = {}
        for batch in self._outputs_by_batch(pairs, range(len(pairs))):
            outputs |= batch
        return [outputs[i] for i in range(len(pairs))]

    def _outputs_by_batch(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, list[float]]]:
        """Yield index -> outputs for every batch with a needed index; equal inputs are run once."""
        rows = [self._encode(prompt, answer) for prompt, answer in pairs]
        size = self._model.get_input_embeddings().weight.shape[0]
        check_known((row["input_ids"] for row in rows), size, self._tokenizer.name_or_path)
        self._check_length(rows)
        copies: dict[tuple[int, ...], list[int]] = {}
        for i, row in enumerate(rows):
            # All values: equal tokens may be split differently into prompt and answer.
            content = tuple(n for values in row.values() for n in values)
            copies.setdefault(content, []).append(i)
        distinct = list(copies.values())
        lengths = [len(rows[first]["input_ids"]) for first, *_ in distinct]
        for batch in self._batches(lengths):
            batch_copies = [distinct[n] for n in batch]
            if set(needed).isdisjoint(i for same in batch_copies for i in same):
                continue
            logits = self._forward([rows[first] for first, *_ in batch_copies])
            self._check_finite(logits, [pairs[first][0] for first, *_ in batch_copies])
            values: list[list[float]] = self._activate(logits).tolist()
            yield {i: row for same, row in zip(batch_copies, values, strict=True) for i in same}

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Indices in batches; texts longer than `policies.probe.reach` allows are alone."""
        limit = self._joint_limit
        alone = [n for n, length in enumerate(lengths) if limit is not None and length > limit]
        yield from ([n] for n in alone)
        joint = sorted(set(range(len(lengths))) - set(alone))
        for batch in batches([lengths[n] for n in joint], self._batch_tokens):
            yield [joint[i] for i in batch]

    def _dimensions(self, row: Sequence[float]) -> dict[str, float]:
        """Dimension -> score from one row of outputs: rounded, and negated for costs."""
        return {
            name: round(output.sign * row[output.index], DIGITS)
            for name, output in self._settings.dimensions.items()
        }

    def _check_finite(self, logits: Tensor, prompts: Sequence[str]) -> None:
        """Raise JudgeError, with the prompt, if an output is not finite; before any activation."""
        for row, prompt in zip(logits, prompts, strict=True):
            try:
                check_finite(row)
            except NotFiniteError as error:
                where = f" for the prompt that begins {prompt[:40]!r}"
                reason = explanation(self._model, error, dtype=self._dtype, where=where)
                raise JudgeError(f"judge {self._name}: {reason}") from error

    def _encode(self, prompt: str, answer: str) -> dict[str, list[int]]:
        """Token ids and masks, cut at the start of the text, as it is the answer that is judged."""
        limit = self._settings.max_length
        if self._settings.input == "pair":
            return self._encode_pair(prompt, answer, limit)
        if self._settings.input == "chat":
            turns = [*messages(prompt), {"role": "assistant", "content": answer}]
            ids = chat_ids(self._tokenizer, turns, answer=False)
        else:
            ids = text_ids(self._tokenizer, dialogue(prompt, normalize_for_judge(answer)))
            end = self._tokenizer.eos_token_id
            # As TRL's RewardTrainer does with every training text.
            if end is not None and (not ids or ids[-1] != end):
                ids = [*ids, end]
        ids = cut(self._tokenizer, ids, limit)
        return {"input_ids": ids, "attention_mask": [1] * len(ids)}

    def _encode_pair(self, prompt: str, answer: str, limit: int) -> dict[str, list[int]]:
        """Two texts as the tokenizer joins them; if too long, the prompt's beginning is cut.

        Special tokens and token types are always kept. If the answer alone is too long, nothing of
        the prompt is left and only the end of the answer.
        """
        tokenizer = self._tokenizer
        special = tokenizer.num_special_tokens_to_add(pair=True)
        room = limit - special
        if room < 1:
            raise JudgeError(
                f"judge.max_length = {limit}: a pair takes {special} special tokens alone; raise it"
            )
        answer_ids = encoded(tokenizer, answer, add_special_tokens=False)["input_ids"]
        original_side, tokenizer.truncation_side = tokenizer.truncation_side, "left"
        try:
            if len(answer_ids) < room:
                truncation = {"truncation": "only_first", "max_length": limit}
                return encoded(tokenizer, prompt, answer, **truncation)
            truncation = {"truncation": "only_second", "max_length": limit}
            return encoded(tokenizer, "", answer, **truncation)
        finally:
            tokenizer.truncation_side = original_side

    def _check_length(self, rows: Sequence[dict[str, list[int]]]) -> None:
        limit = _positions(self._model.config)
        longest = max((len(row["input_ids"]) for row in rows), default=0)
        if limit is not None and 0 < limit < longest:  # -1 if positions are only relative
            raise JudgeError(
                f"a dialogue takes {longest} tokens, the judge has positions for {limit}; "
                f"lower judge.max_length"
            )

    def _forward(self, rows: list[dict[str, list[int]]]) -> Tensor:
        """Float32 outputs (rows, outputs), before any activation."""
        import torch  # noqa: PLC0415

        from alignment.policies.probe import unchanged  # noqa: PLC0415 - loads torch

        keys = rows[0].keys()
        padded = self._tokenizer.pad(
            {key: [row[key] for row in rows] for key in keys},
            padding_side="right",
            return_tensors="pt",
        ).to(self.device)
        state_guard = unchanged(self._model) if len(rows) == 1 else contextlib.nullcontext()
        with torch.inference_mode(), state_guard:
            logits: Tensor = self._model(**padded).logits
        return logits.float()

    def _activate(self, logits: Tensor) -> Tensor:
        """Outputs as scores: probabilities if the judge has an activation."""
        if self._settings.activation is None:
            return logits
        classes = self._settings.activation == "softmax"
        return logits.softmax(-1) if classes else logits.sigmoid()

    def close(self) -> None:
        """Drop the weights."""
        del self._model


def _budget(model: Any, device: str) -> int:
    """How many padded tokens this model reads per batch (`batching.budget`)."""
    total = sum(weights.numel() for weights in model.parameters())
    body = total - model.get_input_embeddings().weight.numel()
    return budget(body, getattr(model.config, "num_hidden_layers", 1), device)


def _set_padding_token(name: str, tokenizer: Any, model: Any) -> None:
    """Give tokenizer and model the same padding token: a classifier reads the last other token.

    If the tokenizer has none of its own (`load_tokenizer` then sets the end token), or one without
    an embedding, the model's padding token is used; if that is unusable too, the end token, as in
    TRL's training. Raises ModelError if no usable token is left.
    """
    size = model.get_input_embeddings().weight.shape[0]
    model_pad, pad, end = model.config.pad_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id
    if pad is None or pad == end or pad >= size:
        usable = [token for token in (model_pad, end) if token is not None and 0 <= token < size]
        tokens = [text for text in map(tokenizer.convert_ids_to_tokens, usable) if text is not None]
        if not tokens:
            raise ModelError(
                f"{name}: neither its tokenizer nor its config.json has a padding token within "
                f"its {size} embeddings; set pad_token in tokenizer_config.json"
            )
        tokenizer.pad_token = tokens[0]
    model.config.pad_token_id = tokenizer.pad_token_id


def _positions(config: Any) -> int | None:
    """How many tokens a text may have; None if positions are only relative, as in DeBERTa v3."""
    if getattr(config, "relative_attention", False) and not config.position_biased_input:
        return None
    limit: int | None = getattr(config, "max_position_embeddings", None)
    return limit
