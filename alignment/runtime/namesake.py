"""Another distribution that owns the import name `alignment`: found and explained."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

OURS = "alignment-gate"


def conflict() -> str | None:
    """One line about another installed `alignment`, or None when there is none.

    Looks only at the folders of `sys.path`, which costs a few system calls; distributions are read
    when there is something to explain.
    """
    own = Path(__file__).resolve().parents[1]
    here = Path(__file__).resolve().relative_to(own)
    for entry in dict.fromkeys(sys.path):
        other = Path(entry or ".") / "alignment"
        if not (other / "__init__.py").is_file() or other.resolve() == own:
            continue
        if not (other / here).is_file():  # else another copy of ours: a checkout beside a wheel
            return _explanation(other, own)
    return None


def _explanation(other: Path, own: Path) -> str:
    owners = {
        name for name in metadata.packages_distributions().get("alignment", []) if name != OURS
    }
    who = f"distribution {', '.join(sorted(owners))}" if owners else "another package"
    return (
        f"the import name 'alignment' is owned twice: by {OURS} ({own}) and by {who} ({other}); "
        f"uninstall the other one or use an environment of its own for {OURS}"
    )
