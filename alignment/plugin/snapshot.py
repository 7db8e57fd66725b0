"""The syrupy extension by which a report equals a baseline if the gate passes.

`assert alignment_report == alignment_baseline` holds if the paired comparison shows no regression.
With `--snapshot-update` it always holds. Nothing is written here, because syrupy writes while tests
run, in every worker, and in failing runs too: the controller writes the baselines at the end, if
the run was complete. A test's outcome is the gate's, whatever the test does with the comparison
(`alignment.plugin.outcomes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from syrupy.data import Snapshot, SnapshotCollection, SnapshotCollections
from syrupy.extensions.base import AbstractSyrupyExtension
from syrupy.location import PyTestLocation

from alignment.records.decisions import Decision


@dataclass(slots=True, eq=False)
class GatedReport:
    """The gate's decision on a variant and axis; equal to the baseline if the decision is `pass`.

    `text` is the baseline that the run would write, `before` the existing one (None without one);
    `updating`: whether it may be replaced. `compared`: whether a test has made the comparison.
    """

    decision: Decision
    path: str
    text: str
    before: str | None
    passes: bool
    updating: bool = False
    compared: bool = False

    def __repr__(self) -> str:
        return f"{self.decision.variant} {self.decision.rate}: {self.decision.outcome}"


class BaselineExtension(AbstractSyrupyExtension):
    """See the module. There is a subclass for every test (`extension_for`), with its report."""

    file_extension = "json"
    write_immediately = True
    report: ClassVar[GatedReport]

    def serialize(self, data: Any, **_: Any) -> str:
        """The baseline that the run would write."""
        self.report.compared = True
        return str(data.text) if isinstance(data, GatedReport) else repr(data)

    def matches(self, *, serialized_data: Any, snapshot_data: Any) -> bool:
        """Whether the gate passes; while updating, whether the baseline would stay the same."""
        if self.report.updating:
            return bool(serialized_data == snapshot_data)
        return self.report.passes

    def diff_lines(self, serialized_data: Any, snapshot_data: Any) -> Iterator[str]:  # noqa: ARG002
        """One line; the decision's details are in the test's failure text."""
        yield repr(self.report)

    @classmethod
    def get_location(cls, *, test_location: PyTestLocation, index: Any) -> str:  # noqa: ARG003
        """The path of the variant's baseline."""
        return cls.report.path

    @classmethod
    def matches_test_location(
        cls,
        *,
        test_location: PyTestLocation,  # noqa: ARG003
        snapshot_location: str,
    ) -> bool:
        """Whether a file is this test's."""
        return snapshot_location == cls.report.path

    def discover_snapshots(
        self,
        *,
        test_location: PyTestLocation,  # noqa: ARG002
        ignore_extensions: list[str] | None = None,  # noqa: ARG002
    ) -> SnapshotCollections:
        """No snapshots: files that this run does not use are of other profiles or variants."""
        return SnapshotCollections()

    def read_snapshot_data_from_location(
        self,
        *,
        snapshot_location: str,  # noqa: ARG002
        snapshot_name: str,  # noqa: ARG002
        session_id: str,  # noqa: ARG002
    ) -> str | None:
        """The existing baseline; None without one."""
        return self.report.before

    def read_snapshot_collection(self, *, snapshot_location: str) -> SnapshotCollection:
        """The baseline's file, for syrupy's summary."""
        collection = SnapshotCollection(location=snapshot_location)
        collection.add(Snapshot(name=repr(self.report), data=self.report.before))
        return collection

    @classmethod
    def write_snapshot(cls, **_: Any) -> None:
        """Write nothing: accepted baselines are written at the end of the session."""

    @classmethod
    def write_snapshot_collection(cls, **_: Any) -> None:
        """Never called: `write_snapshot` writes nothing."""

    def delete_snapshots(self, **_: Any) -> None:
        """Delete nothing: test runs do not delete baselines."""


def extension_for(report: GatedReport) -> type[BaselineExtension]:
    """The extension of one test."""
    return type("Baseline", (BaselineExtension,), {"report": report})
