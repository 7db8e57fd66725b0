"""The manifest of a run: what another run must have in common with it to be compared."""

from __future__ import annotations

from alignment.gating.baseline import Manifest
from alignment.gating.comparability import digest_of
from alignment.study.study import Study


def manifest(study: Study, variant: str) -> Manifest:
    """The manifest of one variant of a study."""
    policy = study.policy(variant)
    return Manifest(
        prompts={a: digest_of([p.id for p in ps]) for a, ps in study.asked(variant).items()},
        criteria={name: str(axis.criterion) for name, axis in study.profile.axes.items()},
        judge=study.judge().manifest(),
        decoding=policy.decoding(),
        format=policy.format(),
    )
