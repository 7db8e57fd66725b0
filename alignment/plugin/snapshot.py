"""The syrupy extension whose equality is the gate.

`assert alignment_report == alignment_baseline` holds when the paired comparison shows no
regression. Under `--snapshot-update` it always holds, and nothing is written here: that would be
while tests run, in every worker, in failing runs too. Baselines are written by the controller at
the end, if the run was complete. What a test does with the comparison is not what decides.
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
    """One variant's side of the comparison on one axis; equal to a baseline if the gate says so.

    `text` is the baseline that the run would leave, `before` the one that is there (None: none);
    `updating` whether it may be replaced. `compared` says whether a test made the comparison.
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
    """See the module. A subclass per test (`extension_for`) holds the report."""

    file_extension = "json"
    write_immediately = True
    report: ClassVar[GatedReport]

    def serialize(self, data: Any, **_: Any) -> str:
        """The baseline that the run would leave."""
        self.report.compared = True
        return str(data.text) if isinstance(data, GatedReport) else repr(data)

    def matches(self, *, serialized_data: Any, snapshot_data: Any) -> bool:
        """The gate's word; while updating, whether not a byte would change."""
        if self.report.updating:
            return bool(serialized_data == snapshot_data)
        return self.report.passes

    def diff_lines(self, serialized_data: Any, snapshot_data: Any) -> Iterator[str]:  # noqa: ARG002
        """One line: the account is a section of its own."""
        yield repr(self.report)

    @classmethod
    def get_location(cls, *, test_location: PyTestLocation, index: Any) -> str:  # noqa: ARG003
        """The variant's file."""
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
        """Nothing beyond what this run uses: other files are other profiles' and variants'."""
        return SnapshotCollections()

    def read_snapshot_data_from_location(
        self,
        *,
        snapshot_location: str,  # noqa: ARG002
        snapshot_name: str,  # noqa: ARG002
        session_id: str,  # noqa: ARG002
    ) -> str | None:
        """The other side; None where there is none."""
        return self.report.before

    def read_snapshot_collection(self, *, snapshot_location: str) -> SnapshotCollection:
        """The file as syrupy counts it."""
        collection = SnapshotCollection(location=snapshot_location)
        collection.add(Snapshot(name=repr(self.report), data=self.report.before))
        return collection

    @classmethod
    def write_snapshot(cls, **_: Any) -> None:
        """Nothing: what a test of the variant accepts is known by its outcome."""

    @classmethod
    def write_snapshot_collection(cls, **_: Any) -> None:
        """Never called: `write_snapshot` writes nothing."""

    def delete_snapshots(self, **_: Any) -> None:
        """Baselines are not deleted by a test run."""


def extension_for(report: GatedReport) -> type[BaselineExtension]:
    """The extension of one test."""
    return type("Baseline", (BaselineExtension,), {"report": report})
