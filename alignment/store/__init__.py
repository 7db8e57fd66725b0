"""The store: whatever was expensive to compute, found again by its content."""

from alignment.store.connection import FILE, SCHEMA, in_memory
from alignment.store.content import content_key, hash_file
from alignment.store.files import Reading
from alignment.store.shapes import REPEATS, RUN, UNSCORED
from alignment.store.store import Store

__all__ = [
    "FILE",
    "REPEATS",
    "RUN",
    "SCHEMA",
    "UNSCORED",
    "Reading",
    "Store",
    "content_key",
    "hash_file",
    "in_memory",
]
