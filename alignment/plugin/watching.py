"""Records which marked tests were selected, and their results, independently of test reports.

Other plugins may replace or drop a report, or keep a test from being run. Therefore the selected
tests and their results are recorded in the process in which they run; a worker of pytest-xdist
sends them to the controller when it ends.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import pytest

from alignment.plugin.host import MARK, REFUSED, SESSION, WAITING, is_worker

_OUTPUT = "alignment"
"""The key of the records in a worker's output."""

State = dict[str, bool]
"""Whether the gate `decided` on a test and made it fail (`held`), and whether it was `skipped`."""


class Watch:
    """Records of marked tests, in plain values, because workers have to send them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._heard: set[str] = set()
        self._deselected: list[pytest.Item] = []
        self.asked: dict[str, bool] = {}
        """Id of a selected test -> whether it is gated."""
        self.states: dict[str, State] = {}
        self.dropped: list[str] = []
        """Gated tests that another plugin removed without reporting them as deselected."""
        self.session: dict[str, Any] = {}
        """What is known of our session after the last test."""

    # -- where tests are collected and run ---------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Record gated tests that are removed without being reported as deselected."""
        gated = [item for item in items if _is_marked(item) and _is_gated(item)]
        result = yield
        accounted = {id(item) for item in (*items, *self._deselected)}
        self.dropped = [item.nodeid for item in gated if id(item) not in accounted]
        self._deselected.clear()
        return result

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Record tests that were deselected as the user wished."""
        self._deselected += items

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the selected tests, before other plugins' hooks remove any."""
        config = self._config
        if SESSION in config.stash:
            marked = filter(_is_marked, session.items)
            self.asked = {item.nodeid: _is_gated(item) for item in marked}

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Add the records to a worker's output, which is sent after this hook."""
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
        """Record a phase of a test; its state after that. A test that is run again starts anew."""
        before = {} if report.when == "setup" else self.states.get(nodeid, {})
        phase = {"decided": decided, "held": held, "skipped": report.outcome == "skipped"}
        state = {name: value or before.get(name, False) for name, value in phase.items()}
        self.states[nodeid] = state
        return state

    # -- where they are reported -------------------------------------------------------------------

    def hear(self, report: pytest.TestReport) -> None:
        """Record that a test has a result: its call, or a phase that did not pass."""
        if report.when == "call" or report.outcome != "passed":
            self._heard.add(report.nodeid)

    def receive(self, output: dict[str, Any]) -> dict[str, Any]:
        """Take over a worker's records; what is known of its session after its last test."""
        records: dict[str, Any] = output.get(_OUTPUT, {})
        self.asked |= records.get("asked", {})
        self.states |= records.get("states", {})
        self.dropped = list(dict.fromkeys((*self.dropped, *records.get("dropped", ()))))
        if waiting := records.get("waiting"):
            self._config.stash[WAITING] = waiting
        return dict(records.get("session", {}))

    # -- when all is over --------------------------------------------------------------------------

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what is wrong with the input if no marked test was selected, so that none failed."""
        stash = self._config.stash
        if WAITING in stash and REFUSED not in stash:
            none = "" if self._config.option.collectonly else ", and none was selected"
            line = f"alignment: its tests cannot run{none}: {stash[WAITING]}"
            terminalreporter.write_line(line, yellow=True)

    def held(self) -> bool:
        """Whether the gate made a test fail, even if its report was dropped."""
        return any(state["held"] for state in self.states.values())

    def lost(self) -> list[str]:
        """Selected tests without a result, or, for gated ones, without a decision or a skip."""
        return [
            nodeid
            for nodeid, gated in self.asked.items()
            if nodeid not in self._heard or not self._known(nodeid, gated=gated)
        ]

    def undecided(self) -> list[str]:
        """Gated tests that were skipped or dropped before the gate decided."""
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
