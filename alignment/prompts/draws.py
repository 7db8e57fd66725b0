"""Random generators that depend on nothing but a seed and names."""

from __future__ import annotations

import hashlib
import random


def generator(seed: int, *names: str) -> random.Random:
    """A random generator of its own for one purpose, seeded by SHA-256 of `seed` and `names`.

    Its draws depend neither on those for other axes and purposes, nor on Python's hash seed or the
    global generator.
    """
    material = "\0".join((str(seed), *names)).encode()
    return random.Random(int.from_bytes(hashlib.sha256(material).digest()))
