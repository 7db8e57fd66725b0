"""A causal language model of transformers as a policy; answers a block of prompts at a time."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alignment.checkpoints import Checkpoint
from alignment.checkpoints.loading import load_causal, load_tokenizer
from alignment.checkpoints.tokens import begins_with, begun_thinking, check_known, prompt_ids
from alignment.config.schema import Generation
from alignment.errors import ModelError
from alignment.policies.decoding import Decoding, Generated
from alignment.policies.quantized import quantization_config
from alignment.records import HUMAN, Response
from alignment.runtime.finite import NotFiniteError, check_logits, explanation
from alignment.runtime.hardware import configure_torch, kind_of, versions
from alignment.store import content_key

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

_HUMAN_TURN = re.compile(rf"(?<!\s)[^\S\n]*+\n\s*+{HUMAN}:")
_LABEL_TOKENS = 16
"""How many tokens at an answer's end are searched for the label of a human turn."""

VERSION = 3
"""Increase it when the same weights and prompt could give another answer."""


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """How a checkpoint is loaded and decoded. All but `threads` is part of an answer's key."""

    generation: Generation
    device: str
    threads: int = 0
    dtype: str = "float32"
    quantization: Mapping[str, Any] | None = None
    seed: int = 0
    """For sampled answers."""


def identity_of(checkpoint: Checkpoint, settings: PolicySettings) -> str:
    """A hash of everything that an answer depends on apart from its prompt; needs no torch."""
    generation = settings.generation
    sampled = [generation.temperature, generation.top_p, settings.seed]
    return content_key(
        "huggingface",
        VERSION,
        checkpoint.identity,
        generation.max_new_tokens,
        generation.format,
        generation.stop_at_human,
        sampled if generation.temperature > 0 else None,
        settings.dtype,
        settings.quantization,
        kind_of(settings.device),
        versions("torch", "transformers"),
    )


class HuggingFacePolicy:
    """Answers prompts with a checkpoint. See `alignment.policies.protocol.Policy`.

    `steady` is called before answers are given; it raises if a file of the checkpoint has changed.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        settings: PolicySettings,
        *,
        note: Callable[[str], None] | None = None,
        steady: Callable[[], None] = lambda: None,
    ) -> None:
        self._require_unchanged = steady
        from alignment.policies.engine import Generator  # noqa: PLC0415 - loads torch

        self.device = settings.device
        configure_torch(self.device, settings.threads)
        self.identity = identity_of(checkpoint, settings)
        self._load_settings, self._name = settings, checkpoint.outermost
        self._settings, self._seed = settings.generation, settings.seed
        self._tokenizer = load_tokenizer(checkpoint)
        self.begins_with = begins_with(self._tokenizer, self._settings.format)
        self._thinking_start = begun_thinking(self._tokenizer, self._settings.format)
        self._model = load_model(
            checkpoint, settings.dtype, device=self.device, quantization=settings.quantization
        )
        self._vocabulary_size: int = self._model.get_input_embeddings().weight.shape[0]
        self._ends = frozenset(_ends(self._model, self._tokenizer))
        pad = self._tokenizer.pad_token_id
        self.generator = Generator(
            self._model,
            pad=None if pad is None or pad >= self._vocabulary_size else pad,
            decoding=Decoding(
                self._settings.max_new_tokens,
                self._ends,
                self._settings.temperature,
                self._settings.top_p,
            ),
            batch_tokens=self._settings.batch_tokens,
            note=note or (lambda _: None),
        )

    def respond(
        self, prompts: Sequence[tuple[str, int]], needed: Collection[int]
    ) -> Iterator[dict[int, Response]]:
        """Answer (prompt text, sample number) items, all of them in one batch.

        Raises ModelError if a prompt is too long or a logit is not finite.
        """
        if not needed:
            return
        rows = self.rows([text for text, _ in prompts])
        check_known(rows, self._vocabulary_size, self._tokenizer.name_or_path)
        self._check_length(rows)
        with self._explain_not_finite():
            answers = self.generator.generate(
                rows,
                seeds=[seed_of(self._seed, text, sample) for text, sample in prompts],
                stop=self._begins_human_turn if self._settings.stop_at_human else None,
            )
        self._require_unchanged()
        yield {i: self._response(answer) for i, answer in enumerate(answers)}

    def rows(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of these prompt texts, as the model gets them."""
        return [prompt_ids(self._tokenizer, text, self._settings.format) for text in texts]

    def alone(self, row: Sequence[int]) -> tuple[tuple[int, ...], Tensor]:
        """One row answered by `generate` of transformers: the reference for the engine.

        Returns the answer's tokens and their float32 logits (steps, vocabulary). Greedy. Raises
        ModelError if a logit is not finite.
        """
        import torch  # noqa: PLC0415
        from transformers import GenerationConfig  # noqa: PLC0415

        from alignment.policies.probe import unchanged  # noqa: PLC0415

        settings = GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=self._settings.max_new_tokens,
            eos_token_id=sorted(self._ends) or None,
            pad_token_id=self._tokenizer.pad_token_id,
            output_logits=True,
            return_dict_in_generate=True,
        )
        ids = torch.tensor([row], device=self.device)
        self._model.generation_config = settings  # else the checkpoint's own fills in what is unset
        with torch.inference_mode(), unchanged(self._model):
            output = self._model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings
            )
        tokens = output.sequences[0, len(row) :].tolist()
        if tokens and tokens[-1] in self._ends:
            tokens.pop()
        logits = torch.cat(output.logits).float()
        with self._explain_not_finite():
            check_logits(logits)
        return tuple(tokens), logits

    @contextlib.contextmanager
    def _explain_not_finite(self) -> Iterator[None]:
        """Turn NotFiniteError into a ModelError with the model's name and the likely reason."""
        try:
            yield
        except NotFiniteError as error:
            settings = self._load_settings
            reason = explanation(
                self._model,
                error,
                dtype=settings.dtype,
                quantized=settings.quantization is not None,
            )
            raise ModelError(f"model {self._name}: {reason}") from error

    def _begins_human_turn(self, tokens: list[int]) -> bool:
        """Whether an answer's last tokens hold the label of a human turn."""
        return _HUMAN_TURN.search(self._tokenizer.decode(tokens[-_LABEL_TOKENS:])) is not None

    def _response(self, answer: Generated) -> Response:
        text = self._tokenizer.decode(answer.tokens, skip_special_tokens=True)
        if self._settings.stop_at_human:
            text = _HUMAN_TURN.split(text, maxsplit=1)[0]
        # The chat template put the start of the thinking into the prompt; its end is in the answer.
        text = self._thinking_start + text
        return Response(text.strip(), "eos" if answer.ended else "length", len(answer.tokens))

    def _check_length(self, ids: list[list[int]]) -> None:
        limit = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        longest = max(map(len, ids), default=0) + self._settings.max_new_tokens
        if limit is not None and 0 < limit < longest:  # -1 if positions are only relative
            raise ModelError(
                f"a prompt and its answer take {longest} tokens, the model has positions for "
                f"{limit}; lower generation.max_new_tokens or leave the longest prompts out"
            )

    def close(self) -> None:
        """Drop the weights."""
        del self._model, self.generator


def seed_of(seed: int, text: str, sample: int) -> int:
    """The seed of one sampled answer, from its own prompt and number, whatever its batch."""
    digest = hashlib.sha256(f"{seed}/{sample}/{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:7], "big")


def load_model(
    checkpoint: Checkpoint,
    dtype: str,
    *,
    device: str = "cpu",
    quantization: Mapping[str, Any] | None = None,
) -> PreTrainedModel:
    """Load a checkpoint's causal language model onto a device, with its adapters merged in.

    Raises ModelError if it cannot be loaded or cannot be quantized as requested.
    """
    if quantization is None:
        return load_causal(checkpoint, dtype, device=device)
    if checkpoint.adapters:
        raise ModelError(
            f"model {checkpoint.outermost}: an adapter is merged into its base's weights, which "
            f"`quantization` leaves no room for; save the merged model and quantize that"
        )
    config = quantization_config(quantization, checkpoint.folder)
    settings = {"quantization_config": config, "device_map": {"": device}}
    return load_causal(checkpoint, dtype, device=device, **settings)


def _ends(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end an answer, by the model's generation config and its tokenizer."""
    model_ends = model.generation_config.eos_token_id
    tokens = model_ends if isinstance(model_ends, list) else [model_ends]
    return {token for token in (*tokens, tokenizer.eos_token_id) if token is not None}
