"""The selection of an axis's prompts: read, filter, sample; by protocol `strict` or `paper`."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from alignment.config.axes import Prompts, RecordedSource
from alignment.config.profile import Profile
from alignment.errors import PromptError
from alignment.prompts.draws import generator
from alignment.prompts.keyword_filter import Filter
from alignment.prompts.rows import Row
from alignment.prompts.sources import label, read_rows
from alignment.prompts.transcripts import (
    as_transcript,
    cluster_id,
    content_id,
    parse,
    render,
    split_reply,
)
from alignment.records import ASSISTANT, HUMAN, Prompt


def select(profile: Profile, *, data: Path) -> dict[str, tuple[Prompt, ...]]:
    """Axis -> prompts, for every axis of `profile` whose origin is not `recorded`.

    `strict` samples each axis with a generator of its own, from prompts sorted by id: the order of
    the file and other axes do not matter. `paper` repeats the published study: one generator for
    all axes in turn, from rows in file order; the result may hold duplicates and chosen answers, as
    the study's did. Sampled prompts are in the order of the draw, others in that of the source.
    Raises PromptError if a source cannot be read, or has no prompts or fewer than `sample`.
    """
    shared = random.Random(profile.sampling_seed)
    selected: dict[str, tuple[Prompt, ...]] = {}
    for axis, settings in profile.axes.items():
        prompts = settings.prompts
        if isinstance(prompts.origin, RecordedSource):
            continue
        rows = read_rows(
            prompts.origin,
            data=data,
            axis=axis,
            network=profile.network,
            columns=profile.slices.by,
        )
        counts: Counter[str] = Counter()
        pool = _POOLS[prompts.protocol](rows, axis, Filter.of(prompts), counts)
        _require_enough(pool, counts, axis, prompts, label(prompts.origin))
        if prompts.sample is None:
            selected[axis] = tuple(pool)
        elif prompts.protocol == "paper":
            selected[axis] = tuple(shared.sample(pool, prompts.sample))
        else:
            draw = generator(profile.sampling_seed, "prompts", axis)
            by_id = sorted(pool, key=lambda prompt: prompt.id)
            selected[axis] = tuple(draw.sample(by_id, prompts.sample))
    return selected


def _strict_pool(
    rows: Iterable[Row], axis: str, keywords: Filter, counts: Counter[str]
) -> list[Prompt]:
    """Distinct prompts that end with a human turn and hold nothing of the chosen reply.

    `counts` gets the number of rows read, and of rows left out by reason.
    """
    keeps = keywords.compiled()
    pool: dict[str, Prompt] = {}
    for row in rows:
        counts["read"] += 1
        try:
            text = _strict_text(row)
        except PromptError:
            counts["no transcripts"] += 1
            continue
        if text is None:
            counts["not ending with the human's words"] += 1
        elif not keeps(text, row.text):
            counts["without a keyword"] += 1
        elif (prompt := _prompt(text, axis, row)).id in pool:
            counts["duplicates"] += 1
        else:
            pool[prompt.id] = prompt
    return list(pool.values())


def _strict_text(row: Row) -> str | None:
    """The dialogue before the final reply, or None if it does not end with human words.

    A row with only a prompt may end in an empty `Assistant:`; if that turn has a text, the prompt
    is already answered, hence None. Raises PromptError if the row holds no transcript.
    """
    turns = parse(as_transcript(row.text) if row.chosen is None else row.text)
    before, reply = split_reply(turns)
    answered = row.chosen is None and any(turn.text for turn in reply)
    if answered or not before or before[-1].speaker != HUMAN or not before[-1].text:
        return None
    return render(before)


def _paper_pool(
    rows: Iterable[Row], axis: str, keywords: Filter, counts: Counter[str]
) -> list[Prompt]:
    """Prompts as the published study cut them, with its defects; `counts` as in `_strict_pool`."""
    keeps = keywords.compiled()
    pool: list[Prompt] = []
    for row in rows:
        counts["read"] += 1
        text = _paper_text(row.text)
        if not keeps(text, row.text):
            counts["without a keyword"] += 1
        else:
            pool.append(_prompt(text, axis, row))
    return pool


def _paper_text(transcript: str) -> str:
    """The transcript without its last paragraph, if that begins with `Assistant:`."""
    parts = transcript.strip().split("\n\n")
    if parts[-1].startswith(f"{ASSISTANT}:"):
        parts.pop()
    return "\n\n".join(parts)


_POOLS = {"strict": _strict_pool, "paper": _paper_pool}


def _prompt(text: str, axis: str, row: Row) -> Prompt:
    return Prompt(
        id=content_id(text),
        axis=axis,
        text=text,
        cluster=cluster_id(text),
        source=row.source,
        language=row.language,
        columns=row.columns,
    )


def _require_enough(
    pool: list[Prompt], counts: Counter[str], axis: str, prompts: Prompts, source: str
) -> None:
    required = prompts.sample or 1
    if len(pool) >= required:
        return
    read = counts.pop("read", 0)
    left_out = ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none left out"
    remedy = "widen `keywords`, or give a source with more rows"
    if pool and prompts.sample is not None:
        remedy = f"lower `sample` to {len(pool)} or less, {remedy}"
    raise PromptError(
        f"axis {axis!r}: {len(pool)} prompts left of {read} rows in {source} ({left_out}), "
        f"at least {required} required; {remedy}"
    )
