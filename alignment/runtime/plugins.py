"""Policies and judges written by others, found by import path or entry point.

Every error is a ProfileError of one line, which names the key of the profile and the object. Their
code runs without restrictions, because the profile names it.
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
    """A class or function that the profile names, and the arguments for the class.

    `spec` is `package.module:name`, or the name of an entry point of `group`. `where` is the key of
    the variant or judge in the profile. `method` is the method that the object must have. Modules
    are also looked for in `folder`.
    """

    spec: str
    arguments: Mapping[str, Any]
    where: str
    group: str
    method: str
    folder: Path

    @cached_property
    def named(self) -> Any:
        """The imported class, function or object. Raises ProfileError."""
        with self._plain_errors("cannot be imported"), _importable(self.folder):
            return self._import() if ":" in self.spec else self._load_entry_point()

    @cached_property
    def built(self) -> Any:
        """The instance of a class, otherwise `named` itself. Raises ProfileError."""
        named = self.named
        if isinstance(named, type):
            with self._plain_errors("cannot be built"):
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
        """The object's `identity`, on which stored results depend. Raises ProfileError without one.

        It may be an attribute of the class; then the class is not instantiated for it, and a run
        whose results are stored need not load the model.
        """
        identity = getattr(self.named, "identity", None)
        if not isinstance(identity, str):
            with self._plain_errors("cannot say its `identity`"):
                identity = getattr(self.built, "identity", None)
        if not isinstance(identity, str) or not identity.strip():
            raise self.error(
                "has no `identity`; a text is required that changes whenever the same input could "
                "give another result (a version, or a hash of its weights), as results are stored "
                "under it"
            )
        return identity

    def close(self) -> None:
        """Call the object's method `close`, if it has one."""
        close = getattr(self.built, "close", None)
        if callable(close) and not self._is_function(self.built):
            close()

    def error(self, what: str) -> ProfileError:
        """An error of one line; `what` is the sentence that follows the object's name."""
        return ProfileError(f"{self.where}.python: {self.spec} {what}")

    def _is_function(self, built: Any) -> bool:
        return callable(built) and not hasattr(built, self.method)

    def _import(self) -> Any:
        module, _, name = self.spec.partition(":")
        target: Any = importlib.import_module(module)
        for attribute in name.split("."):
            if not hasattr(target, attribute):
                raise self.error(f"is not there: {module} has no {attribute!r}")
            target = getattr(target, attribute)
        return target

    def _load_entry_point(self) -> Any:
        points = metadata.entry_points(group=self.group)
        for point in points:
            if point.name == self.spec:
                return point.load()
        known = ", ".join(sorted({point.name for point in points})) or "none is installed"
        raise self.error(
            f"is no installed plug-in of the group {self.group} ({known}); install it, or name "
            f"`package.module:name`"
        )

    @contextlib.contextmanager
    def _plain_errors(self, what: str) -> Iterator[None]:
        """Turn any exception of the object's code into a ProfileError of one line."""
        try:
            yield
        except ProfileError:
            raise
        except (Exception, SystemExit) as error:
            raise self.error(f"{what}: {said_by(error)}") from error


def said_by(error: BaseException) -> str:
    """The class and the first line of an exception."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {quoted(lines[0])}" if lines else type(error).__name__


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Add a folder to the end of `sys.path`, so that modules in it can be imported."""
    path = str(folder.resolve())
    sys.path.append(path)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(path)
