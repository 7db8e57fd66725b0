"""What test reports carry about our session: gated tests, accepted variants, and times.

If a worker of pytest-xdist dies, what it would send at its end is lost, but the reports of its
tests have arrived. Runs without workers use the same mechanism. If another plugin replaces reports,
the same data comes with a worker's end (`alignment.plugin.watching`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from alignment.plugin.host import GATED, REFUSED, SESSION, is_worker, session_of, updating
from alignment.plugin.watching import Watch

_CARRIED = "alignment_told"
_REFUSED = "alignment_refused"


def tell(item: pytest.Item, report: pytest.TestReport, *, accepted: str | None, held: bool) -> None:
    """Attach the state of the session to a report.

    `accepted` is the variant whose baseline the test accepts, if any. `held`: the gate made the
    test fail. All values are plain, because the report is serialized.
    """
    config = item.config
    if SESSION not in config.stash:
        return
    ours = session_of(config)
    ours.used = True
    data: dict[str, Any] = {
        "gated": ours.gated,
        "baselines": str(ours.baselines) if ours.baselines else None,
    }
    if is_worker(config):
        data["worker"] = config.workerinput["workerid"]  # type: ignore[attr-defined]
        data["seconds"] = dict(ours.progress.seconds)
    watch, decided = config.stash[LISTENER].watch, GATED in item.stash
    state = watch.note(item.nodeid, report, decided=decided, held=held)
    watch.session = data
    setattr(report, _CARRIED, data | {"accepted": accepted, "state": state})


def tell_refused(config: pytest.Config, report: pytest.CollectReport) -> None:
    """Mark a report of a failed collection if the reason is bad input."""
    if report.failed and REFUSED in config.stash:
        setattr(report, _REFUSED, True)


class Listener:
    """Takes over what reports carry, and knows which tests have not reported."""

    def __init__(self, config: pytest.Config, watch: Watch) -> None:
        self._config = config
        self._collected = False
        self.watch = watch
        self.uncollected = 0
        """How many modules (and other collectors) could not be collected."""
        self.awaited: set[str] = set()
        """Selected tests that have not reported; recorded only if the run may write baselines."""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count failed collections; one of them may be a refusal of input in a worker."""
        self.uncollected += report.failed
        if getattr(report, _REFUSED, False) and REFUSED not in self._config.stash:
            self._config.stash[REFUSED] = "a worker refused its input"

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the selected tests."""
        if updating(self._config):
            self.awaited |= {item.nodeid for item in session.items}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: Sequence[str]) -> None:  # noqa: ARG002
        """Record the tests that the first worker collected: all workers collect the same."""
        if updating(self._config) and not self._collected:
            self.awaited |= set(ids)
            self._collected = True

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Take over what a worker sends at its end."""
        if data := self.watch.receive(getattr(node, "workeroutput", {})):
            self._take(data)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take over what the report of a marked test carries."""
        self.awaited.discard(report.nodeid)
        self.watch.hear(report)
        data: dict[str, Any] | None = getattr(report, _CARRIED, None)
        if data is None:
            return
        self._take(data)
        self.watch.states[report.nodeid] = data["state"]
        if data["accepted"]:
            session_of(self._config).accepted.add(data["accepted"])

    def _take(self, data: dict[str, Any]) -> None:
        ours = session_of(self._config)
        ours.used = True
        ours.gated = ours.gated or data["gated"]
        if data["baselines"]:
            ours.baselines = Path(data["baselines"])
        if "worker" in data:
            ours.elsewhere[data["worker"]] = data["seconds"]


LISTENER = pytest.StashKey[Listener]()
