"""Which texts a judge reads together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

OPERATIONS = 1e9
"""What a layer has to do in one go on a processor, for calling it to cost next to nothing."""

PROCESSOR, ACCELERATOR = 768, 16384
"""The most padded tokens in one go: a processor's cache holds what attention makes of so many."""


def budget(parameters: int, layers: int, device: str) -> int:
    """How many padded tokens a judge reads at once, by its size and never by the clock.

    On a processor a bigger batch only saves the calling of layers: a small model gains by it, a
    large one has enough to do with one text, and would only read padding on top. `parameters` are
    those of all layers. An accelerator wants its many units filled, whatever the model.
    """
    if not device.startswith("cpu"):
        return ACCELERATOR
    enough = OPERATIONS / (2 * max(1, parameters // max(1, layers)))
    return int(min(PROCESSOR, max(1, enough)))


def batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Indices, the longest first, in batches whose padded size is at most `most` tokens.

    A batch has one text at least.
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
