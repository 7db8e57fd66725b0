"""How much batching changes responses and scores: the noise floor of a run.

A batch changes the order in which floating-point sums are taken, so logits move a little; where two
tokens are nearly as likely, another one may be chosen, and the rest of the response differs. This
is rare in float32 and common in shorter formats. It is measured here for one model, dtype and
device, against `generate` of transformers with one prompt at a time; for a judge, against one pair
at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from alignment.analysis.rates import share
from alignment.errors import ProfileError
from alignment.judges.model import judge_settings
from alignment.policies.model import policy_settings
from alignment.store import Store
from alignment.study.study import Study
from alignment.training import models
from alignment.training.context import JUDGE

if TYPE_CHECKING:
    from alignment.judges.reward_model import RewardModelJudge
    from alignment.policies.huggingface import HuggingFacePolicy

KIND = "invariance"
"""Kind of the records in the store."""

HIGHEST = 8
"""How many of the highest logits of each step are compared: the tokens that could be chosen."""

Step = tuple[list[int], list[float]]
"""The tokens with the highest logits, and these logits."""


def noise_floor(store: Store, identity: str) -> dict[str, Any] | None:
    """The stored record of `measure_invariance` for a policy's or judge's identity, or None."""
    record: dict[str, Any] | None = store.get(KIND, [identity]).get(identity)
    return record


def measure_invariance(
    study: Study, spec: str, *, judge: bool, count: int | None
) -> dict[str, Any]:
    """Measure a model on the first `count` prompts per axis (None: all) and store the record.

    `spec` is a folder, a hub id, a variant of the study's profile, or `judge`. The record holds
    plain values: `differing` of `total` with `percent`, `low` and `high` (its Wilson interval, in
    %), `logit_drift` and `smallest_gap` for a policy, `total` and `score_drift` for a judge; and
    `model`, `dtype`, `device`. An earlier record is replaced. Raises AlignmentError.
    """
    texts = [p.text for prompts in study.data.prompts.values() for p in prompts[:count]]
    if not texts:
        raise ProfileError(f"profile {study.profile.name!r}: has no prompts to try a model with")
    identity, record = (_measure_judge if judge else _measure_policy)(study, spec, texts)
    record |= {"model": spec, "dtype": study.profile.dtype, "device": study.device}
    study.store.put(KIND, {identity: record}, replace=True)
    return record


def _measure_policy(study: Study, spec: str, texts: Sequence[str]) -> tuple[str, dict[str, Any]]:
    from alignment.policies.huggingface import HuggingFacePolicy  # noqa: PLC0415

    context = study.context
    known = spec in study.profile.variants
    settings = policy_settings(context, spec if known else None)
    if settings.generation.temperature > 0:
        raise ProfileError(f"{spec}: is sampled; greedy answers (temperature = 0) are compared")
    model = models.opened(context, spec) if known else models.opened_folder(context, spec)
    policy = HuggingFacePolicy(model.checkpoint, settings, note=study.progress.note)
    size = study.profile.generation.block
    pairs = [
        pair
        for start in range(0, len(texts), size)
        for pair in _compare_ways(policy, policy.rows(texts[start : start + size]))
    ]
    model.require_unchanged()
    flips = share("flips", sum(not same for same, _, _ in pairs), len(pairs), 0.95)
    return policy.identity, {
        "kind": "policy",
        "way": policy.generator.way,
        "differing": flips.passed,
        "total": flips.total,
        "percent": flips.percent,
        "low": flips.interval.low,
        "high": flips.interval.high,
        "logit_drift": max(drift for _, drift, _ in pairs),
        "smallest_gap": min(gap for _, _, gap in pairs),
    }


def _compare_ways(
    policy: HuggingFacePolicy, rows: Sequence[Sequence[int]]
) -> Iterator[tuple[bool, float, float]]:
    """For every row: whether both answers are the same, the largest drift and the smallest gap.

    Logits are compared up to and including the first step whose tokens differ.
    """
    together: list[list[Step]] = [[] for _ in rows]

    def watch(members: Sequence[int], logits: Any) -> None:
        highest = logits.topk(HIGHEST)
        steps = zip(highest.indices.tolist(), highest.values.tolist(), strict=True)
        for i, step in zip(members, steps, strict=True):
            together[i].append(step)

    policy.generator.watch = watch
    answers = policy.generator.generate(rows)
    policy.generator.watch = None
    for row, answer, steps in zip(rows, answers, together, strict=True):
        tokens, logits = policy.alone(row)
        yield (tokens == answer.tokens, *_drift(steps, logits))


def _drift(steps: Sequence[Step], alone: Any) -> tuple[float, float]:
    """The largest difference of a logit, and the smallest gap between the two highest logits."""
    largest, smallest = 0.0, float("inf")
    for (tokens, values), row in zip(steps, alone, strict=False):
        reference = row[tokens].tolist()
        largest = max(largest, *(abs(a - b) for a, b in zip(values, reference, strict=True)))
        first, second = row.topk(2).values.tolist()
        smallest = min(smallest, first - second)
        if int(row.argmax()) != tokens[0]:
            break
    return largest, smallest


def _measure_judge(study: Study, spec: str, texts: Sequence[str]) -> tuple[str, dict[str, Any]]:
    from alignment.judges.reward_model import RewardModelJudge  # noqa: PLC0415

    context, settings = study.context, judge_settings(study.context, JUDGE)
    of_profile = spec == JUDGE
    model = (
        models.opened(context, JUDGE)
        if of_profile
        else models.opened_folder(context, spec, settings.judge)
    )
    judge = RewardModelJudge(model.checkpoint, settings)
    # The text of the next prompt serves as the response: only rounding differences are measured.
    pairs = list(zip(texts, [*texts[1:], texts[0]], strict=True))
    drift = _score_drift(judge, pairs)
    model.require_unchanged()
    return judge.identity, {"kind": "judge", "total": len(pairs), "score_drift": drift}


def _score_drift(judge: RewardModelJudge, pairs: Sequence[tuple[str, str]]) -> float:
    """The largest difference of an output between scoring in batches and one pair at a time."""
    together = judge.outputs(pairs)
    alone = [judge.outputs([pair])[0] for pair in pairs]
    return max(
        abs(a - b)
        for left, right in zip(together, alone, strict=True)
        for a, b in zip(left, right, strict=True)
    )


def table(record: dict[str, Any]) -> Iterator[str]:
    """A record as lines of text."""
    yield f"model          {record['model']}"
    yield f"dtype, device  {record['dtype']}, {record['device']}"
    if record["kind"] == "judge":
        yield f"pairs          {record['total']}"
        yield f"largest difference of a score  {record['score_drift']:.2g}"
        return
    yield f"way            {record['way']}"
    yield (
        f"answers that differ from one at a time  {record['differing']} of {record['total']}: "
        f"{record['percent']:.1f} % [{record['low']:.1f}, {record['high']:.1f}]"
    )
    yield f"largest drift of a logit                {record['logit_drift']:.2g}"
    yield f"smallest gap between the two highest    {record['smallest_gap']:.2g}"
