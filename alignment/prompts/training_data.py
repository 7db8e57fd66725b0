"""Training data and the judge's trial pairs, disjoint from the evaluation prompts.

A run calls `select` (prompts), then `trial` for each axis that has one, then the functions for
training data, which leave out what the other two selected.
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
    """Draw the pairs that the judge is tried on for `axis`; empty if the axis has no trial.

    Draws `axis.trial.pairs` distinct pairs, none of a dialogue that an evaluation prompt of any
    axis comes from, with a generator of its own: the order of rows and other axes do not matter.
    Raises PromptError if the source cannot be read or has too few such pairs.
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

    Pairs that share a dialogue with the evaluation `prompts` or the `trials` are left out, as
    `profile.training.hold_out` says. Raises PromptError if a source cannot be read or no pair of
    it is left.
    """
    held = HoldOut(prompts, trials, profile.training.hold_out)
    training: list[PreferencePair] = []
    for axis, source in profile.training.sources.items():
        rows = read_rows(source, data=data, axis=axis, network=profile.network)
        usable, unusable = pairs(rows, axis)
        clear = [pair for pair in usable if not any(map(held.holds, both_transcripts(pair)))]
        if not clear:
            raise PromptError(_nothing_left_message(axis, label(source), len(usable), unusable))
        training += clear
    return training


def unfiltered(
    profile: Profile, prompts: PromptsByAxis, trials: PairsByAxis, *, data: Path
) -> list[str]:
    """Distinct transcripts to pretrain a base model on, with good and bad answers.

    They are the unfiltered dialogues of the built-in corpus if the source says so, and both
    transcripts of each row of every other source. Held-out dialogues are left out. Raises
    PromptError as `training_pairs` does.
    """
    held = HoldOut(prompts, trials, profile.training.hold_out)
    texts = dict.fromkeys(_all_transcripts(profile, data))
    return _without_held_out(held, texts)


def chosen_transcripts(
    profile: Profile, prompts: PromptsByAxis, trials: PairsByAxis, *, data: Path
) -> list[str]:
    """The chosen transcript of every training row, as the source has it.

    These are more than those of `training_pairs`: rows need no usable rejected answer here.
    Held-out dialogues are left out. Raises PromptError as `training_pairs` does.
    """
    held = HoldOut(prompts, trials, profile.training.hold_out)
    rows = (
        row.chosen
        for axis, source in profile.training.sources.items()
        for row in read_rows(source, data=data, axis=axis, network=profile.network)
    )
    return _without_held_out(held, [text.strip() for text in rows if text is not None])


def both_transcripts(pair: PreferencePair) -> tuple[str, str]:
    """(chosen, rejected): the transcripts of a pair's prompt with either answer."""
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


def _without_held_out(held: HoldOut, texts: Iterable[str]) -> list[str]:
    """The texts that are neither empty nor held out. Raises PromptError if there are none."""
    clear = [text for text in texts if text and not held.holds(text)]
    if not clear:
        raise PromptError(
            "no training transcript is left that shares no dialogue with the evaluation; "
            "give `training.sources` with other rows"
        )
    return clear


def _pair_id(pair: PreferencePair) -> str:
    return content_id(f"{pair.prompt}\0{pair.chosen}\0{pair.rejected}")


def _nothing_left_message(axis: str, source: str, usable: int, unusable: list[Unusable]) -> str:
    reasons = Counter(row.reason for row in unusable)
    left_out = "".join(f", {count} rows: {reason}" for reason, count in reasons.items())
    return (
        f"training source of axis {axis!r}, {source}: none of its {usable} preference pairs is "
        f"clear of the evaluation prompts and trial pairs{left_out}; give other rows"
    )
