"""A causal language model of transformers as a policy: greedy, a block of prompts at a time."""

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

_HUMAN = re.compile(rf"(?<!\s)[^\S\n]*+\n\s*+{HUMAN}:")
_LABEL = 16
"""Tokens at an answer's end in which the label of the human's turn is looked for."""

VERSION = 3
"""Raise it when the same weights and prompt could give another answer."""


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """How a checkpoint is loaded and asked; `threads` alone changes no answer's key."""

    generation: Generation
    device: str
    threads: int = 0
    dtype: str = "float32"
    quantization: Mapping[str, Any] | None = None
    seed: int = 0
    """Of sampled answers."""


def identity_of(checkpoint: Checkpoint, settings: PolicySettings) -> str:
    """A hash of all that an answer depends on apart from its prompt; needs no torch."""
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

    `steady` raises once a file of the checkpoint has changed: no answer is given then.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        settings: PolicySettings,
        *,
        note: Callable[[str], None] | None = None,
        steady: Callable[[], None] = lambda: None,
    ) -> None:
        self._steady = steady
        from alignment.policies.engine import Generator  # noqa: PLC0415 - loads torch

        self.device = settings.device
        configure_torch(self.device, settings.threads)
        self.identity = identity_of(checkpoint, settings)
        self._loaded, self._name = settings, checkpoint.outermost
        self._settings, self._seed = settings.generation, settings.seed
        self._tokenizer = load_tokenizer(checkpoint)
        self.begins_with = begins_with(self._tokenizer, self._settings.format)
        self._opened = begun_thinking(self._tokenizer, self._settings.format)
        self._model = load_model(
            checkpoint, settings.dtype, device=self.device, quantization=settings.quantization
        )
        self._size: int = self._model.get_input_embeddings().weight.shape[0]
        self._ends = frozenset(_ends(self._model, self._tokenizer))
        pad = self._tokenizer.pad_token_id
        self.generator = Generator(
            self._model,
            pad=None if pad is None or pad >= self._size else pad,
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
        self, asked: Sequence[tuple[str, int]], needed: Collection[int]
    ) -> Iterator[dict[int, Response]]:
        """Answer (prompt text, number of the sample), all of them in one go."""
        if not needed:
            return
        rows = self.rows([text for text, _ in asked])
        check_known(rows, self._size, self._tokenizer.name_or_path)
        self._check_length(rows)
        with self._named():
            answers = self.generator.generate(
                rows,
                seeds=[seed_of(self._seed, text, sample) for text, sample in asked],
                stop=self._speaks_on if self._settings.stop_at_human else None,
            )
        self._steady()
        yield {i: self._response(answer) for i, answer in enumerate(answers)}

    def rows(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids that the model is given for these prompt texts."""
        return [prompt_ids(self._tokenizer, text, self._settings.format) for text in texts]

    def alone(self, row: Sequence[int]) -> tuple[tuple[int, ...], Tensor]:
        """What `generate` of transformers makes of one row: the reference for the engine.

        Gives an answer's tokens and the float32 logits (steps, vocabulary) that they come from.
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
        self._model.generation_config = settings  # a checkpoint's own would fill what is open
        with torch.inference_mode(), unchanged(self._model):
            output = self._model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings
            )
        tokens = output.sequences[0, len(row) :].tolist()
        if tokens and tokens[-1] in self._ends:
            tokens.pop()
        logits = torch.cat(output.logits).float()
        with self._named():
            check_logits(logits)
        return tuple(tokens), logits

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Say which model it is whose numbers are not finite, and why. Raises ModelError."""
        try:
            yield
        except NotFiniteError as error:
            settings = self._loaded
            why = explanation(
                self._model,
                error,
                dtype=settings.dtype,
                quantized=settings.quantization is not None,
            )
            raise ModelError(f"model {self._name}: {why}") from error

    def _speaks_on(self, tokens: list[int]) -> bool:
        """Whether an answer has just begun to speak for the human."""
        return _HUMAN.search(self._tokenizer.decode(tokens[-_LABEL:])) is not None

    def _response(self, answer: Generated) -> Response:
        text = self._tokenizer.decode(answer.tokens, skip_special_tokens=True)
        if self._settings.stop_at_human:
            text = _HUMAN.split(text, maxsplit=1)[0]
        text = self._opened + text  # said in the prompt, so that its end is not without a beginning
        return Response(text.strip(), "eos" if answer.ended else "length", len(answer.tokens))

    def _check_length(self, ids: list[list[int]]) -> None:
        limit = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        longest = max(map(len, ids), default=0) + self._settings.max_new_tokens
        if limit is not None and 0 < limit < longest:  # -1 where positions are relative only
            raise ModelError(
                f"a prompt and its answer take {longest} tokens, the model has positions for "
                f"{limit}; lower generation.max_new_tokens or leave the longest prompts out"
            )

    def close(self) -> None:
        """Drop the weights."""
        del self._model, self.generator


def seed_of(seed: int, text: str, sample: int) -> int:
    """The seed of one sampled answer: it depends on nobody who is answered at the same time."""
    digest = hashlib.sha256(f"{seed}/{sample}/{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:7], "big")


def load_model(
    checkpoint: Checkpoint,
    dtype: str,
    *,
    device: str = "cpu",
    quantization: Mapping[str, Any] | None = None,
) -> PreTrainedModel:
    """A checkpoint's causal language model on a device, ready to answer, its adapters merged in.

    Raises ModelError where it cannot be loaded, or not be quantized as asked.
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
    """The tokens that end an answer, for the model and for its tokenizer."""
    own = model.generation_config.eos_token_id
    tokens = own if isinstance(own, list) else [own]
    return {token for token in (*tokens, tokenizer.eos_token_id) if token is not None}
