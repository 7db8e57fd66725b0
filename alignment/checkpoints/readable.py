"""A model's folder as transformers is to read it: its files may ask for too much or say too little.

- Transformers loads every tensor of the files that an index names, whatever it says of each, and
  uses nothing of its `metadata` but a dtype, where config.json has none. But it must be there.
- It looks for packages, and in the hub, to compute a part as a configuration says.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alignment.checkpoints.code import without_ways
from alignment.checkpoints.documents import read_json
from alignment.checkpoints.weights import index_of

_CONFIG = "config.json"


@contextlib.contextmanager
def readable(folder: Path) -> Iterator[Path]:
    """This folder, or links to its files beside those that are to be read otherwise."""
    changed = _changed(folder)
    if not changed:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="alignment-model-") as name:
        for path in folder.iterdir():
            if path.name not in changed:
                (Path(name) / path.name).symlink_to(path.absolute())
        for file, value in changed.items():
            (Path(name) / file).write_text(json.dumps(value), encoding="utf-8")
        yield Path(name)


def _changed(folder: Path) -> Mapping[str, Any]:
    """File -> what it is to say."""
    changed: dict[str, Any] = {}
    config = read_json(folder / _CONFIG)
    plain = without_ways(config)
    if plain != config:
        changed[_CONFIG] = plain
    if (index := index_of(folder, config)) is not None:
        told = read_json(index)
        metadata = told.get("metadata")
        if not isinstance(metadata, dict) or "dtype" in metadata:
            changed[index.name] = {**told, "metadata": {}}
    return changed
