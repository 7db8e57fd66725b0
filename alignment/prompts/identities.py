"""The identities of sources: names of their content, found without `datasets`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from alignment.config.axes import DatasetSource, FileSource, TinySource
from alignment.errors import PromptError
from alignment.files.foreign import UnfitError, opened
from alignment.prompts.dataset_folders import data_files, local_folder
from alignment.prompts.hubcache import is_commit, revision
from alignment.prompts.jsonfiles import require_file


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex. Raises PromptError if it cannot be read."""
    try:
        with opened(path) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except UnfitError as error:
        raise PromptError(f"{path}: {error}") from error
    except OSError as error:
        raise PromptError(f"{path}: cannot be read ({error.strerror or error})") from error


def identity(
    source: TinySource | DatasetSource | FileSource,
    *,
    data: Path,
    hash_file: Callable[[Path], str] = hash_file,
) -> str:
    """A string that identifies the rows which `read_rows` would return for a source.

    For files and local folders it holds a hash of their bytes (and which part of them is read), for
    the built-in corpus the hash of its code, and for a hub dataset its id and commit: the pinned
    one, else the cached one of the branch, else `unpinned`. Relative paths start at `data`;
    `hash_file` may be a caching hasher. Raises PromptError if files are missing.
    """
    if isinstance(source, TinySource):
        code = Path(__file__).parents[1] / "tiny"
        suffix = "+unfiltered" if source.unfiltered else ""
        return f"tiny:{source.split}{suffix}@{_tree_digest(code, code.glob('*.py'), hash_file)}"
    if isinstance(source, FileSource):
        path = data / source.path
        require_file(path)
        return f"file@{hash_file(path)}"
    part = f"{source.data_dir or '.'}:{source.split}"
    folder = local_folder(source, data)
    if folder is not None:
        return f"folder:{part}@{_tree_digest(folder, data_files(source, folder), hash_file)}"
    return f"{source.dataset}:{part}@{revision(source)}"


def names_content(source: TinySource | DatasetSource | FileSource, *, data: Path) -> bool:
    """Whether `identity` changes with the content; false if a hub dataset's commit is unknown.

    Raises PromptError as `identity` does.
    """
    if not isinstance(source, DatasetSource) or local_folder(source, data) is not None:
        return True
    return is_commit(revision(source))


def _tree_digest(root: Path, files: Iterable[Path], hash_file: Callable[[Path], str]) -> str:
    """A hash of the relative paths and contents of these files, in hex."""
    names = sorted((path.relative_to(root).as_posix(), path) for path in files)
    digest = hashlib.sha256()
    for name, path in names:
        digest.update(f"{name}\0{hash_file(path)}\n".encode())
    return digest.hexdigest()
