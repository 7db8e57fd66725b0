"""Which prompts an axis asks: read, filter, sample. Two protocols, `strict` and `paper`."""

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
    """The prompts of every axis of `profile` whose origin is not `recorded`, by axis.

    `strict` draws each axis with its own generator from the rows in the order of their ids: the
    order of the file and the other axes do not matter. `paper` repeats the published study: one
    generator for all axes in their order, over the rows as the file has them; what it draws may
    hold duplicates and chosen answers, as the study's did. Sampled prompts keep the order of the
    draw, all others that of the source. Raises PromptError when a source cannot be read, or leaves
    no prompt, or fewer than `sample`.
    """
    shared = random.Random(profile.sampling_seed)
    chosen: dict[str, tuple[Prompt, ...]] = {}
    for axis, settings in profile.axes.items():
        prompts = settings.prompts
        if isinstance(prompts.origin, RecordedSource):
            continue
        rows = read_rows(prompts.origin, data=data, axis=axis, network=profile.network)
        counts: Counter[str] = Counter()
        pool = _POOLS[prompts.protocol](rows, axis, Filter.of(prompts), counts)
        _require(pool, counts, axis, prompts, label(prompts.origin))
        if prompts.sample is None:
            chosen[axis] = tuple(pool)
        elif prompts.protocol == "paper":
            chosen[axis] = tuple(shared.sample(pool, prompts.sample))
        else:
            draw = generator(profile.sampling_seed, "prompts", axis)
            by_id = sorted(pool, key=lambda prompt: prompt.id)
            chosen[axis] = tuple(draw.sample(by_id, prompts.sample))
    return chosen


def _strict(rows: Iterable[Row], axis: str, keywords: Filter, counts: Counter[str]) -> list[Prompt]:
    """Prompts that end with the human's words and hold nothing of the chosen reply, each once."""
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
    """The dialogue before the final reply, or None where that does not end with human words.

    Raises PromptError where the row holds no transcript.

    A bare prompt may end in an empty `Assistant:`; one that ends with an assistant's words asks
    nothing, and what the human said before it was answered already.
    """
    turns = parse(as_transcript(row.text) if row.chosen is None else row.text)
    before, reply = split_reply(turns)
    answered = row.chosen is None and any(turn.text for turn in reply)
    if answered or not before or before[-1].speaker != HUMAN or not before[-1].text:
        return None
    return render(before)


def _paper(rows: Iterable[Row], axis: str, keywords: Filter, counts: Counter[str]) -> list[Prompt]:
    """Prompts as the published study cut them, defects included."""
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
    """Everything but the last paragraph, and that too unless it begins with `Assistant:`."""
    parts = transcript.strip().split("\n\n")
    if parts[-1].startswith(f"{ASSISTANT}:"):
        parts.pop()
    return "\n\n".join(parts)


_POOLS = {"strict": _strict, "paper": _paper}


def _prompt(text: str, axis: str, row: Row) -> Prompt:
    return Prompt(content_id(text), axis, text, cluster_id(text), row.source, row.language)


def _require(
    pool: list[Prompt], counts: Counter[str], axis: str, prompts: Prompts, source: str
) -> None:
    wanted = prompts.sample or 1
    if len(pool) >= wanted:
        return
    read = counts.pop("read", 0)
    lost = ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none left out"
    remedy = "widen `keywords`, or give a source with more rows"
    if pool and prompts.sample is not None:
        remedy = f"lower `sample` to {len(pool)} or less, {remedy}"
    raise PromptError(
        f"axis {axis!r}: {len(pool)} prompts left of {read} rows in {source} ({lost}), "
        f"at least {wanted} required; {remedy}"
    )
