"""The tokenizer of fresh models: byte-level BPE, trained on the training data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END, PAD = "</s>", "<pad>"


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer; as in OPT, `</s>` is both its BOS and its EOS token.

    It adds no special token to a text, so training and evaluation see the same ids: TRL appends
    `</s>` to training texts, and nothing prepends it.
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
        tokenizer_object=bpe._tokenizer,  # noqa: SLF001 - as in transformers' own tests
        bos_token=END,
        eos_token=END,
        pad_token=PAD,
        padding_side="left",
    )
