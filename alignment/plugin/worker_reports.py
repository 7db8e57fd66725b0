"""What the report of a test carries of our session: what ran, what it accepted, how long it took.

A worker of pytest-xdist that dies takes along what it would have said at its end. The reports of
its tests have arrived by then. A plain run takes the same way. Where plugins of others exchange
reports, what they carried comes with a worker's end.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from alignment.plugin.host import GATED, REFUSED, SESSION, is_worker, session_of, updating
from alignment.plugin.watching import Watch

_TOLD = "alignment_told"
_REFUSED = "alignment_refused"


def tell(item: pytest.Item, report: pytest.TestReport, *, accepted: str | None, held: bool) -> None:
    """Attach what is known now; `accepted` is a variant that this run may become the baseline of.

    `held`: the gate made the test fail. Values are plain: the report is serialised.
    """
    config = item.config
    if SESSION not in config.stash:
        return
    ours = session_of(config)
    ours.used = True
    told: dict[str, Any] = {
        "gated": ours.gated,
        "baselines": str(ours.baselines) if ours.baselines else None,
    }
    if is_worker(config):
        told["worker"] = config.workerinput["workerid"]  # type: ignore[attr-defined]
        told["seconds"] = dict(ours.progress.seconds)
    watch, decided = config.stash[LISTENER].watch, GATED in item.stash
    state = watch.note(item.nodeid, report, decided=decided, held=held)
    watch.session = told
    setattr(report, _TOLD, told | {"accepted": accepted, "state": state})


def tell_refused(config: pytest.Config, report: pytest.CollectReport) -> None:
    """Note that collecting failed because our input is bad."""
    if report.failed and REFUSED in config.stash:
        setattr(report, _REFUSED, True)


class Listener:
    """Takes over what reports carry, and knows which results have not come."""

    def __init__(self, config: pytest.Config, watch: Watch) -> None:
        self._config = config
        self._collected = False
        self.watch = watch
        self.uncollected = 0
        """Modules and the like that could not be collected."""
        self.awaited: set[str] = set()
        """Tests that were selected and have not reported, where a run is to be accepted."""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count what could not be collected; one of them may be our refusal in a worker."""
        self.uncollected += report.failed
        if getattr(report, _REFUSED, False) and REFUSED not in self._config.stash:
            self._config.stash[REFUSED] = "a worker refused its input"

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What was selected is to report."""
        if updating(self._config):
            self.awaited |= {item.nodeid for item in session.items}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: Sequence[str]) -> None:  # noqa: ARG002
        """All workers collect the same."""
        if updating(self._config) and not self._collected:
            self.awaited |= set(ids)
            self._collected = True

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Take over what a worker sends at its end."""
        if told := self.watch.receive(getattr(node, "workeroutput", {})):
            self._take(told)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take over what a test of ours did."""
        self.awaited.discard(report.nodeid)
        self.watch.hear(report)
        told: dict[str, Any] | None = getattr(report, _TOLD, None)
        if told is None:
            return
        self._take(told)
        self.watch.states[report.nodeid] = told["state"]
        if told["accepted"]:
            session_of(self._config).accepted.add(told["accepted"])

    def _take(self, told: dict[str, Any]) -> None:
        ours = session_of(self._config)
        ours.used = True
        ours.gated = ours.gated or told["gated"]
        if told["baselines"]:
            ours.baselines = Path(told["baselines"])
        if "worker" in told:
            ours.elsewhere[told["worker"]] = told["seconds"]


LISTENER = pytest.StashKey[Listener]()
