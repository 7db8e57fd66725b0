"""What recipes learn from and the judge is tried on, without anything that is asked.

The order in which a run calls these: `select` (prompts), `trial` for each axis that has one, then
the training rows, which keep clear of both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from alignment.config.axes import TinySource
from alignment.config.profile import Profile
from alignment.errors import PromptError
from alignment.prompts.draws import generator
from alignment.prompts.holdout import HoldOut, PairsByAxis, PromptsByAxis
from alignment.prompts.preferences import Unusable, pairs
from alignment.prompts.sources import label, read_rows, tiny
from alignment.prompts.templates import dialogue
from alignment.prompts.transcripts import content_id
from alignment.records import PreferencePair


def trial(
    profile: Profile, axis: str, prompts: PromptsByAxis, *, data: Path
) -> list[PreferencePair]:
    """Draw the pairs that the judge is tried on for `axis`; none when the axis has no trial.

    `axis.trial.pairs` different pairs, none of a dialogue that an evaluation prompt of any axis
    comes from, by a generator of its own: neither the order of the rows nor another axis matters.
    Raises PromptError when the source cannot be read or has too few such pairs.
    """
    settings = profile.axes[axis].trial
    if settings is None:
        return []
    rows = read_rows(settings.origin, data=data, axis=axis, network=profile.network)
    usable, unusable = pairs(rows, axis)
    held = HoldOut(prompts, {})
    pool = {_pair_id(pair): pair for pair in usable if not held.holds(pair.prompt)}
    if len(pool) < settings.pairs:
        raise PromptError(
            f"axis {axis!r}: the trial needs {settings.pairs} preference pairs, and "
            f"{label(settings.origin)} has {len(pool)} different ones of dialogues that no "
            f"evaluation prompt comes from ({len(usable)} pairs, {len(unusable)} rows unusable); "
            "lower `trial.pairs` or the axis's `sample`, or give a source with more rows"
        )
    draw = generator(profile.sampling_seed, "trial", axis)
    return [pool[name] for name in draw.sample(sorted(pool), settings.pairs)]


def training_pairs(
    profile: Profile, prompts: PromptsByAxis, trials: PairsByAxis, *, data: Path
) -> list[PreferencePair]:
    """The preference pairs of all `profile.training.sources`, axis after axis, in their order.

    Leaves out whatever `profile.training.hold_out` says no training row may share with the
    evaluation `prompts` and the `trials`. Raises PromptError when a source cannot be read or
    leaves no pair.
    """
    held = HoldOut(prompts, trials, profile.training.hold_out)
    kept: list[PreferencePair] = []
    for axis, source in profile.training.sources.items():
        rows = read_rows(source, data=data, axis=axis, network=profile.network)
        usable, unusable = pairs(rows, axis)
        clear = [pair for pair in usable if not any(map(held.holds, both_transcripts(pair)))]
        if not clear:
            raise PromptError(_nothing_left(axis, label(source), len(usable), unusable))
        kept += clear
    return kept


def unfiltered(
    profile: Profile, prompts: PromptsByAxis, trials: PairsByAxis, *, data: Path
) -> list[str]:
    """Transcripts to pretrain a base on, each once: good answers and bad ones.

    The built-in corpus gives its unfiltered dialogues where the source asks for them; of every
    other source both transcripts of each row count. Held-out dialogues are left out. Raises
    PromptError as `training_pairs` does.
    """
    held = HoldOut(prompts, trials, profile.training.hold_out)
    texts = dict.fromkeys(_all_transcripts(profile, data))
    return _clear(held, texts)


def chosen_transcripts(
    profile: Profile, prompts: PromptsByAxis, trials: PairsByAxis, *, data: Path
) -> list[str]:
    """The chosen transcript of every training row, as the source has it.

    More than the chosen side of `training_pairs`: a row needs no usable rejected answer here.
    Held-out dialogues are left out. Raises PromptError as `training_pairs` does.
    """
    held = HoldOut(prompts, trials, profile.training.hold_out)
    rows = (
        row.chosen
        for axis, source in profile.training.sources.items()
        for row in read_rows(source, data=data, axis=axis, network=profile.network)
    )
    return _clear(held, [text.strip() for text in rows if text is not None])


def both_transcripts(pair: PreferencePair) -> tuple[str, str]:
    """The two dialogues that a pair is: its prompt with the chosen and with the rejected answer."""
    return dialogue(pair.prompt, pair.chosen), dialogue(pair.prompt, pair.rejected)


def _all_transcripts(profile: Profile, data: Path) -> Iterator[str]:
    whole_corpus = False
    for axis, source in profile.training.sources.items():
        if isinstance(source, TinySource) and source.unfiltered:
            whole_corpus = True
            continue
        for row in read_rows(source, data=data, axis=axis, network=profile.network):
            yield from (text.strip() for text in (row.chosen, row.rejected) if text is not None)
    if whole_corpus:
        yield from (text.strip() for text in tiny().unfiltered())


def _clear(held: HoldOut, texts: Iterable[str]) -> list[str]:
    kept = [text for text in texts if text and not held.holds(text)]
    if not kept:
        raise PromptError(
            "no training transcript is left that shares no dialogue with the evaluation; "
            "give `training.sources` with other rows"
        )
    return kept


def _pair_id(pair: PreferencePair) -> str:
    return content_id(f"{pair.prompt}\0{pair.chosen}\0{pair.rejected}")


def _nothing_left(axis: str, source: str, usable: int, unusable: list[Unusable]) -> str:
    reasons = Counter(row.reason for row in unusable)
    lost = "".join(f", {count} rows: {reason}" for reason, count in reasons.items())
    return (
        f"training source of axis {axis!r}, {source}: none of its {usable} preference pairs is "
        f"clear of the evaluation prompts and trial pairs{lost}; give other rows"
    )
