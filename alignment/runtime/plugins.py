"""Other people's policies and judges: found by import path or entry point, built, and named.

What is wrong with one is a ProfileError of one line, which names the key of the profile and the
object. Its code runs with our rights, because the profile asks for it by name.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from alignment.errors import ProfileError, quoted

JUDGES, POLICIES = "alignment.judges", "alignment.policies"
"""The groups of entry points."""


@dataclass(frozen=True)
class Plugin:
    """A class or function that the profile names, and what its class is called with.

    `spec` is `package.module:name`, or the name of an entry point of `group`; `method` is what the
    object must be able to do; modules are also looked for in `folder`.
    """

    spec: str
    arguments: Mapping[str, Any]
    where: str
    group: str
    method: str
    folder: Path

    @cached_property
    def named(self) -> Any:
        """What stands under that name, before anything is built. Raises ProfileError."""
        with self._plainly("cannot be imported"), _importable(self.folder):
            return self._imported() if ":" in self.spec else self._installed()

    @cached_property
    def built(self) -> Any:
        """The object to ask. Raises ProfileError."""
        named = self.named
        if isinstance(named, type):
            with self._plainly("cannot be built"):
                built = named(**self.arguments)
        elif self.arguments:
            raise self.error("is no class, and only a class can be called with `arguments`")
        else:
            built = named
        if not (callable(getattr(built, self.method, None)) or self._is_function(built)):
            raise self.error(
                f"has no method `{self.method}`; a class with `identity` and `{self.method}` is "
                f"required, or a function with an attribute `identity`"
            )
        return built

    @property
    def call(self) -> Any:
        """The bound method, or the function itself."""
        return self.built if self._is_function(self.built) else getattr(self.built, self.method)

    @property
    def identity(self) -> str:
        """What it says that its results depend on. Raises ProfileError where it says nothing.

        A class may say it without being built, which saves a warm run from loading its model.
        """
        said = getattr(self.named, "identity", None)
        if not isinstance(said, str):
            with self._plainly("cannot say its `identity`"):
                said = getattr(self.built, "identity", None)
        if not isinstance(said, str) or not said.strip():
            raise self.error(
                "has no `identity`; a text is required that changes whenever the same input could "
                "give another result (a version, or a hash of its weights), as results are stored "
                "under it"
            )
        return said

    def close(self) -> None:
        """Have what was built free what it holds, where it knows how to."""
        close = getattr(self.built, "close", None)
        if callable(close) and not self._is_function(self.built):
            close()

    def error(self, what: str) -> ProfileError:
        """What is wrong, in one line."""
        return ProfileError(f"{self.where}.python: {self.spec} {what}")

    def _is_function(self, built: Any) -> bool:
        return callable(built) and not hasattr(built, self.method)

    def _imported(self) -> Any:
        module, _, name = self.spec.partition(":")
        found: Any = importlib.import_module(module)
        for step in name.split("."):
            if not hasattr(found, step):
                raise self.error(f"is not there: {module} has no {step!r}")
            found = getattr(found, step)
        return found

    def _installed(self) -> Any:
        found = metadata.entry_points(group=self.group)
        for point in found:
            if point.name == self.spec:
                return point.load()
        known = ", ".join(sorted({point.name for point in found})) or "none is installed"
        raise self.error(
            f"is no installed plug-in of the group {self.group} ({known}); install it, or name "
            f"`package.module:name`"
        )

    @contextlib.contextmanager
    def _plainly(self, what: str) -> Iterator[None]:
        """Make one line of whatever others' code raises."""
        try:
            yield
        except ProfileError:
            raise
        except (Exception, SystemExit) as error:
            raise self.error(f"{what}: {said_by(error)}") from error


def said_by(error: BaseException) -> str:
    """The kind and the first line of an exception."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {quoted(lines[0])}" if lines else type(error).__name__


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Modules beside the profile can be imported, after all that are installed."""
    place = str(folder.resolve())
    sys.path.append(place)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(place)
