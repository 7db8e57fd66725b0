"""The store: whatever was expensive to compute, found again by its content."""

from alignment.store.database import RUN, SCHEMA, SETUP, Store, content_key, hash_file

__all__ = ["RUN", "SCHEMA", "SETUP", "Store", "content_key", "hash_file"]
