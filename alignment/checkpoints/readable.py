"""A model's folder as transformers can read it, where an index lacks what it asks for.

Transformers loads every tensor of the files that an index names, whatever it says of each, and uses
nothing of its `metadata` but a dtype, where config.json has none. But it must be there.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alignment.checkpoints.documents import read_json
from alignment.checkpoints.weights import index_of


@contextlib.contextmanager
def readable(folder: Path, config: Mapping[str, Any]) -> Iterator[Path]:
    """This folder, or links to its files beside an index with metadata that say nothing."""
    index = index_of(folder, config)
    told = {} if index is None else read_json(index)
    metadata = told.get("metadata")
    if index is None or (isinstance(metadata, dict) and "dtype" not in metadata):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="alignment-model-") as name:
        for path in folder.iterdir():
            if path.name != index.name:
                (Path(name) / path.name).symlink_to(path.absolute())
        (Path(name) / index.name).write_text(json.dumps({**told, "metadata": {}}), encoding="utf-8")
        yield Path(name)
