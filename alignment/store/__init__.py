"""The store: results that are expensive to compute, under keys made of what they depend on."""

from alignment.store.connection import FILE, SCHEMA, in_memory
from alignment.store.content import Hasher, content_key
from alignment.store.files import Reading
from alignment.store.shapes import REPEATS, RUN, UNSCORED
from alignment.store.store import Store

__all__ = [
    "FILE",
    "REPEATS",
    "RUN",
    "SCHEMA",
    "UNSCORED",
    "Hasher",
    "Reading",
    "Store",
    "content_key",
    "in_memory",
]
