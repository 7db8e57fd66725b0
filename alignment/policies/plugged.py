"""Somebody else's class or function as a kind of policy or judge: what both have in common."""

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
"""Texts that it is given at once."""


class PluggedKind(Kind):
    """A policy or judge with `python`."""

    group: ClassVar[str]
    """The group of entry points that its name may be of."""
    method: ClassVar[str]
    """What its class must be able to do."""

    def check(self) -> None:
        """Import it, and see that it says its identity."""
        _ = self.plugin.identity

    def description(self, *, failed: bool) -> dict[str, Any]:
        """Its name, and what it says its results depend on."""
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
        """What the profile says: the object, its arguments, and the key that they stand under."""


class Asked:
    """A plug-in that is asked in batches; what is wrong with its results is one line.

    `fault` is what is raised, `results` and `of` are what it gives and is given, in words.
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
        """Index of what is `needed` -> its result as `read` reads it, a batch at a time.

        `prompt_of` gives the prompt of an item, which errors name; `read` is given a result and its
        prompt. Raises the fault.
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
            made, of = self._words
            raise self.error(f"gave {len(results)} {made} {len(items)} {of}", *prompts)
        return results

    def error(self, what: str, *prompts: str) -> AlignmentError:
        """What is wrong with the results for some prompts, of which the first is named."""
        first = shown(prompts[0].rsplit("Human:", 1)[-1].strip())
        more = f" and {len(prompts) - 1} more" if len(prompts) > 1 else ""
        plugin = self._plugin
        return self._fault(f"{plugin.where}.python: {plugin.spec} {what} (prompt {first}{more})")

    def close(self) -> None:
        """Have it free what it holds."""
        self._plugin.close()
