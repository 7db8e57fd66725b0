"""What a run must share with another to be compared with it."""

from __future__ import annotations

from alignment.gating.baseline import Manifest, digest_of
from alignment.study.study import Study

SIDES = ("the baseline", "this run")
"""How the two sides of a comparison are called."""


def manifest(study: Study, variant: str) -> Manifest:
    """What a run must share with another to be compared, for one variant."""
    policy = study.policy(variant)
    return Manifest(
        prompts={a: digest_of([p.id for p in ps]) for a, ps in study.asked(variant).items()},
        criteria={name: str(axis.criterion) for name, axis in study.profile.axes.items()},
        judge=study.judge().manifest(),
        decoding=policy.decoding(),
        format=policy.format(),
    )
