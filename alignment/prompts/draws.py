"""Seeded draws that depend on nothing but their seed and their name."""

from __future__ import annotations

import hashlib
import random


def generator(seed: int, *names: str) -> random.Random:
    """A local random generator for one purpose: `seed` and `names`, through SHA-256.

    Draws of other axes and purposes never shift this one's, and Python's hash seed and the
    module-wide generator play no part.
    """
    material = "\0".join((str(seed), *names)).encode()
    return random.Random(int.from_bytes(hashlib.sha256(material).digest()))
