"""Plug-ins (a user's class or function) as policies and judges: what both have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from alignment.config.tables import Settings
from alignment.errors import AlignmentError
from alignment.policies.kind import Kind
from alignment.prompts.transcripts import shown
from alignment.runtime.plugins import Plugin, said_by

T = TypeVar("T")

BATCH = 32
"""How many items it gets per call."""


class PluggedKind(Kind):
    """A policy or judge with `python`."""

    group: ClassVar[str]
    """The group of entry points that its name is looked up in."""
    method: ClassVar[str]
    """The method that its class must have."""

    def check(self) -> None:
        """Check that it can be imported and has an identity. Raises ProfileError."""
        _ = self.plugin.identity

    def description(self, *, failed: bool) -> dict[str, Any]:
        """Its name, and its own identity."""
        identity = None if failed else self.plugin.identity
        return {"python": self.plugin.spec, "identity": identity}

    @cached_property
    def plugin(self) -> Plugin:
        """The class or function."""
        spec, arguments, where = self.named()
        folder = Path(self.context.profile.data)
        return Plugin(spec, arguments, where, self.group, self.method, folder)

    @abstractmethod
    def named(self) -> tuple[str, Settings, str]:
        """(object, arguments, key of the profile that names them)."""


class Asked:
    """A plug-in that is called in batches; any fault of its results is raised as one line.

    `fault` is the error class to raise; `results` and `of` name its results and its inputs in
    messages, e.g. "scores for" and "responses".
    """

    def __init__(self, plugin: Plugin, fault: type[AlignmentError], results: str, of: str) -> None:
        self._plugin = plugin
        self._fault = fault
        self._words = results, of
        self._call = plugin.call

    def batches(
        self,
        items: Sequence[Any],
        needed: Collection[int],
        prompt_of: Callable[[Any], str],
        read: Callable[[Any, str], T],
    ) -> Iterator[dict[int, T]]:
        """Yield index -> result for the `needed` items, a batch at a time.

        `prompt_of` gives an item's prompt, for messages; `read` takes a raw result and its prompt
        and returns the checked result. Raises the fault.
        """
        order = sorted(needed)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            prompts = [prompt_of(items[i]) for i in batch]
            results = self._results([items[i] for i in batch], prompts)
            yield {i: read(*each) for i, *each in zip(batch, results, prompts, strict=True)}

    def _results(self, items: list[Any], prompts: Sequence[str]) -> list[Any]:
        try:
            results = list(self._call(items))
        except AlignmentError:
            raise
        except Exception as error:
            raise self.error(f"raised {said_by(error)}", *prompts) from error
        if len(results) != len(items):
            noun, of = self._words
            raise self.error(f"gave {len(results)} {noun} {len(items)} {of}", *prompts)
        return results

    def error(self, problem: str, *prompts: str) -> AlignmentError:
        """The error, to be raised, about the results for some prompts; names the first of them."""
        first = shown(prompts[0].rsplit("Human:", 1)[-1].strip())
        more = f" and {len(prompts) - 1} more" if len(prompts) > 1 else ""
        plugin = self._plugin
        return self._fault(f"{plugin.where}.python: {plugin.spec} {problem} (prompt {first}{more})")

    def close(self) -> None:
        """Close the plug-in, if it can be closed."""
        self._plugin.close()
