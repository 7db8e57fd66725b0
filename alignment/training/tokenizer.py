"""The tokenizer of fresh models: byte-level BPE, trained on what the models learn from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END, PAD = "</s>", "<pad>"


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer; as in OPT, `</s>` both begins and ends a text.

    It adds no special token of its own, so that training and evaluation see the same ids: TRL ends
    training texts with `</s>`, and nobody begins them with it.
    """
    from tokenizers import ByteLevelBPETokenizer  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(
        texts,
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[END, PAD],
        show_progress=False,
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer,  # noqa: SLF001 - how transformers' own tests do it
        bos_token=END,
        eos_token=END,
        pad_token=PAD,
        padding_side="left",
    )
