"""The baseline that a gated variant is compared with, or a sentence on why there is none."""

from __future__ import annotations

from pathlib import Path

from alignment.config.profile import Profile
from alignment.errors import BaselineError
from alignment.gating.baseline import Baseline
from alignment.gating.baseline_files import load, path_of, shown
from alignment.records.decisions import ACCEPT

StoredBaseline = Baseline | str
"""A baseline, or the sentence that says why there is none."""


def stored_baseline(
    profile: Profile, folder: Path, variant: str, *, updating: bool
) -> StoredBaseline:
    """The baseline in `folder` for a variant; `updating`: this run will create a missing one."""
    path = path_of(folder, variant)
    try:
        baseline = load(path)
    except BaselineError as error:
        return str(error)
    if baseline is None:
        return _explain_missing(profile, path, variant, updating=updating)
    if baseline.variant != variant:
        return (
            f"baseline {shown(path)}: it belongs to {baseline.variant!r}, not to "
            f"{variant!r}; restore the file, or accept this run with {ACCEPT}"
        )
    return baseline


def _explain_missing(profile: Profile, path: Path, variant: str, *, updating: bool) -> str:
    if updating:
        return f"no baseline yet at {shown(path)}; this run will create it"
    others = [name for name in profile.variants if name != variant]
    reference = profile.reference if profile.reference in others else None
    name = reference or (others[0] if others else "reference")
    option = "" if others else "--alignment-variant reference=./its-parent "
    return (
        f"no baseline for {variant!r} at {shown(path)}; "
        f"accept this run with --snapshot-update, or compare with a variant of this run with "
        f"{option}--alignment-set gate.against=variant:{name}"
    )
