"""How a judge's texts are batched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

OPERATIONS = 1e9
"""Operations per layer call on a CPU beyond which the cost of the call itself is negligible."""

PROCESSOR, ACCELERATOR = 768, 16384
"""The most padded tokens per batch; on a CPU, attention over that many fits into its cache."""


def budget(parameters: int, layers: int, device: str) -> int:
    """How many padded tokens a judge reads per batch, from its size (never from timing).

    `parameters` counts those of all `layers` together. On a CPU, a larger batch only saves layer
    calls: a small model gains from that, while a large one is busy with one text and would only
    read padding in addition. An accelerator always gets large batches.
    """
    if not device.startswith("cpu"):
        return ACCELERATOR
    tokens = OPERATIONS / (2 * max(1, parameters // max(1, layers)))
    return int(min(PROCESSOR, max(1, tokens)))


def batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Indices, longest first, in batches of at most `most` padded tokens.

    A batch has at least one text, which may be longer.
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        longest = lengths[batch[0]] if batch else lengths[i]
        if batch and longest * (len(batch) + 1) > most:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
