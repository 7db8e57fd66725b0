"""A model's folder as transformers should read it, with corrected copies of single files.

- An index needs `metadata`, of which transformers uses only a dtype, where config.json has none:
  it is replaced by an empty one.
- An implementation that `config.json` selects may need other packages or code from the hub: the
  setting is left out (`alignment.checkpoints.code`).
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
    """The folder itself, or a temporary one with links to its files and corrected copies."""
    changed = _find_corrections(folder)
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


def _find_corrections(folder: Path) -> Mapping[str, Any]:
    """File name -> the JSON value to read instead of the file's own."""
    changed: dict[str, Any] = {}
    config = read_json(folder / _CONFIG)
    plain = without_ways(config)
    if plain != config:
        changed[_CONFIG] = plain
    if (index := index_of(folder, config)) is not None:
        content = read_json(index)
        metadata = content.get("metadata")
        if not isinstance(metadata, dict) or "dtype" in metadata:
            changed[index.name] = {**content, "metadata": {}}
    return changed
