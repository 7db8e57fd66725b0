"""Which tests of ours were to run, and what is known of each of them when the session is over.

Plugins of others may replace or drop a report, or keep a test from being run. What was selected and
what became of it is therefore noted where tests run; a worker of pytest-xdist sends it at its end.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import pytest

from alignment.plugin.host import MARK, REFUSED, SESSION, WAITING, is_worker

_OUTPUT = "alignment"
"""Under which a worker's output has what it noted."""

State = dict[str, bool]
"""Whether the gate `decided` on a test and made it fail (`held`), and whether it was `skipped`."""


class Watch:
    """What is noted of marked tests; all of it plain, as workers send nothing else."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._heard: set[str] = set()
        self._deselected: list[pytest.Item] = []
        self.asked: dict[str, bool] = {}
        """Test that was selected -> whether it is gated."""
        self.states: dict[str, State] = {}
        self.dropped: list[str] = []
        """Gated tests that somebody took out of what was collected without a word."""
        self.session: dict[str, Any] = {}
        """What the last test told of our session."""

    # -- where tests are collected and run ---------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Note which gated tests go without being reported as deselected."""
        gated = [item for item in items if _is_marked(item) and _is_gated(item)]
        result = yield
        left = {id(item) for item in (*items, *self._deselected)}
        self.dropped = [item.nodeid for item in gated if id(item) not in left]
        self._deselected.clear()
        return result

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """These were left out as the user wished."""
        self._deselected += items

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is to run, before anybody takes something away."""
        config = self._config
        if SESSION in config.stash:
            marked = filter(_is_marked, session.items)
            self.asked = {item.nodeid: _is_gated(item) for item in marked}

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """A worker's output is sent when this hook is over."""
        if is_worker(self._config):
            self._config.workeroutput[_OUTPUT] = {  # type: ignore[attr-defined]
                "asked": self.asked,
                "states": self.states,
                "dropped": self.dropped,
                "waiting": self._config.stash.get(WAITING, None),
                "session": self.session,
            }
        return (yield)

    def note(self, nodeid: str, report: pytest.TestReport, *, decided: bool, held: bool) -> State:
        """What is known of a test by now; it begins anew where it is run again."""
        before = {} if report.when == "setup" else self.states.get(nodeid, {})
        found = {"decided": decided, "held": held, "skipped": report.outcome == "skipped"}
        state = {name: each or before.get(name, False) for name, each in found.items()}
        self.states[nodeid] = state
        return state

    # -- where they are reported -------------------------------------------------------------------

    def hear(self, report: pytest.TestReport) -> None:
        """A result counts where pytest counts it."""
        if report.when == "call" or report.outcome != "passed":
            self._heard.add(report.nodeid)

    def receive(self, output: dict[str, Any]) -> dict[str, Any]:
        """Take over what a worker noted: gives what its last test told of the session."""
        noted: dict[str, Any] = output.get(_OUTPUT, {})
        self.asked |= noted.get("asked", {})
        self.states |= noted.get("states", {})
        self.dropped = list(dict.fromkeys((*self.dropped, *noted.get("dropped", ()))))
        if waiting := noted.get("waiting"):
            self._config.stash[WAITING] = waiting
        return dict(noted.get("session", {}))

    # -- when all is over --------------------------------------------------------------------------

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What kept cases from being made is told, also where none of them was to run."""
        stash = self._config.stash
        if WAITING in stash and REFUSED not in stash:
            none = "" if self._config.option.collectonly else ", and none was selected"
            said = f"alignment: its tests cannot run{none}: {stash[WAITING]}"
            terminalreporter.write_line(said, yellow=True)

    def held(self) -> bool:
        """Whether the gate made a test fail, whatever became of its report."""
        return any(state["held"] for state in self.states.values())

    def lost(self) -> list[str]:
        """Tests that were to run and of which nothing is known, or nothing of what they gate."""
        return [
            nodeid
            for nodeid, gated in self.asked.items()
            if nodeid not in self._heard or not self._known(nodeid, gated=gated)
        ]

    def undecided(self) -> list[str]:
        """Gated tests that were skipped or taken out before the gate was asked."""
        skipped = (
            nodeid
            for nodeid, gated in self.asked.items()
            if gated and self._is(nodeid, "skipped") and not self._is(nodeid, "decided")
        )
        return [*skipped, *self.dropped]

    def _known(self, nodeid: str, *, gated: bool) -> bool:
        if nodeid not in self.states:
            return False
        return not gated or self._is(nodeid, "decided") or self._is(nodeid, "skipped")

    def _is(self, nodeid: str, name: str) -> bool:
        return self.states.get(nodeid, {}).get(name, False)


def _is_marked(item: pytest.Item) -> bool:
    return item.get_closest_marker(MARK) is not None


def _is_gated(item: pytest.Item) -> bool:
    return "alignment_report" in getattr(item, "fixturenames", ())
