"""Finds and explains another installed package with the import name `alignment`."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

OURS = "alignment-gate"


def conflict() -> str | None:
    """One line about another installed `alignment`, or None if there is none.

    Only the folders of `sys.path` are looked at, which takes a few system calls; the metadata of
    distributions is read only if there is a conflict.
    """
    package = Path(__file__).resolve().parents[1]
    module = Path(__file__).resolve().relative_to(package)
    for entry in dict.fromkeys(sys.path):
        other = Path(entry or ".") / "alignment"
        if not (other / "__init__.py").is_file() or other.resolve() == package:
            continue
        if not (other / module).is_file():  # otherwise it is a second copy of this package
            return _explain(other, package)
    return None


def _explain(other: Path, package: Path) -> str:
    owners = {
        name for name in metadata.packages_distributions().get("alignment", []) if name != OURS
    }
    owner = f"distribution {', '.join(sorted(owners))}" if owners else "another package"
    return (
        f"the import name 'alignment' is owned twice: by {OURS} ({package}) and by {owner} "
        f"({other}); uninstall the other one or use an environment of its own for {OURS}"
    )
