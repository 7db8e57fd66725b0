"""A causal language model of transformers as a policy: greedy, batched, left-padded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.checkpoints import Checkpoint
from alignment.errors import ModelError
from alignment.hardware import load_quietly, loading, ready, versions
from alignment.policies.quantized import quantization_config
from alignment.profile import Generation
from alignment.records import Response, Stop
from alignment.store import content_key
from alignment.tokens import begins_with, prompt_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

VERSION = 1
"""Raise it when the same weights and prompt could give another answer."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a checkpoint is loaded and asked; `threads` alone changes no answer's key."""

    generation: Generation
    device: str
    threads: int = 0
    dtype: str = "float32"
    quantization: Mapping[str, Any] | None = None
    seed: int = 0
    """Of sampled answers."""


def identity_of(checkpoint: Checkpoint, settings: Settings) -> str:
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
        settings.device,
        versions("torch", "transformers"),
    )


class HuggingFacePolicy:
    """Answers prompts with a checkpoint. See `alignment.policies.protocol.Policy`."""

    def __init__(self, checkpoint: Checkpoint, settings: Settings) -> None:
        self.device = settings.device
        ready(self.device, settings.threads)
        self.identity = identity_of(checkpoint, settings)
        self._settings = settings.generation
        self._tokenizer = load_tokenizer(checkpoint)
        self.begins_with = begins_with(self._tokenizer, self._settings.format)
        self._model = load_model(
            checkpoint, settings.dtype, device=self.device, quantization=settings.quantization
        )
        self._ends = _ends(self._model, self._tokenizer)
        self._greedy = _greedy(self._ends, self._tokenizer, self._settings)
        # `generate` fills whatever is left open from here: a repetition penalty, a minimal length.
        self._model.generation_config = self._greedy

    def respond(
        self, asked: Sequence[tuple[str, int]], needed: Collection[int]
    ) -> Iterator[dict[int, Response]]:
        """Answer these prompt texts, the longest first (an out-of-memory shows at once)."""
        ids = [prompt_ids(self._tokenizer, text, self._settings.format) for text, _ in asked]
        self._check_length(ids)
        order = sorted(range(len(ids)), key=lambda i: (-len(ids[i]), i))
        size = self._settings.batch_size
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            if not set(batch).isdisjoint(needed):
                yield dict(zip(batch, self._generate([ids[i] for i in batch]), strict=True))

    def _generate(self, rows: list[list[int]]) -> list[Response]:
        import torch  # noqa: PLC0415

        padded = self._tokenizer.pad(
            {"input_ids": rows}, padding_side="left", return_tensors="pt"
        ).to(self.device)
        with torch.inference_mode():
            output = self._model.generate(
                input_ids=padded["input_ids"],
                attention_mask=padded["attention_mask"],
                generation_config=self._greedy,
            )
        new = output[:, padded["input_ids"].shape[1] :].tolist()
        return [self._response(row) for row in new]

    def _response(self, row: list[int]) -> Response:
        length = next((i for i, token in enumerate(row) if token in self._ends), len(row))
        stop: Stop = "eos" if length < len(row) else "length"
        text = self._tokenizer.decode(row[:length], skip_special_tokens=True)
        return Response(text.strip(), stop, length)

    def _check_length(self, ids: list[list[int]]) -> None:
        limit = getattr(self._model.config, "max_position_embeddings", None)
        longest = max(map(len, ids), default=0) + self._settings.max_new_tokens
        if limit is not None and longest > limit:
            raise ModelError(
                f"a prompt and its answer take {longest} tokens, the model has positions for "
                f"{limit}; lower generation.max_new_tokens or leave the longest prompts out"
            )

    def close(self) -> None:
        """Drop the weights."""
        del self._model


def load_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint: the adapter's own where it has one, with a padding token."""
    from transformers import AutoTokenizer  # noqa: PLC0415

    tokenizer = load_quietly(AutoTokenizer.from_pretrained, checkpoint.tokenizer)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


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
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    folder, more = checkpoint.folder, {}
    if quantization is not None:
        if checkpoint.adapters:
            raise ModelError(
                f"model {checkpoint.outermost}: an adapter is merged into its base's weights, "
                f"which `quantization` leaves no room for; save the merged model and quantize that"
            )
        config = quantization_config(quantization, folder)
        more = {"quantization_config": config, "device_map": {"": device}}
    model = load_quietly(
        AutoModelForCausalLM.from_pretrained,
        folder,
        dtype=dtype,
        use_safetensors=checkpoint.safetensors,
        **more,
    )
    # What is quantized was put there, and some of it refuses to be moved.
    return merged(model if more else model.to(device), checkpoint.adapters).eval()


def merged(model: Any, adapters: Sequence[Path]) -> Any:
    """A model with adapters merged into its weights, innermost first."""
    for adapter in adapters:
        from peft import PeftModel  # noqa: PLC0415 - 2.5 s that only adapters pay for

        with loading(adapter):
            model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return model


def _greedy(ends: set[int], tokenizer: Any, settings: Generation) -> Any:
    """Greedy decoding and nothing else: whatever sampling a checkpoint ships is left out."""
    from transformers import GenerationConfig  # noqa: PLC0415

    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=settings.max_new_tokens,
        eos_token_id=sorted(ends) or None,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )


def _ends(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end an answer, for the model and for its tokenizer."""
    own = model.generation_config.eos_token_id
    tokens = own if isinstance(own, list) else [own]
    return {token for token in (*tokens, tokenizer.eos_token_id) if token is not None}
