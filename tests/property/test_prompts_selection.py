from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from alignment.config.profile import Profile
from alignment.errors import PromptError
from alignment.prompts.jsonfiles import entries
from alignment.prompts.leakage import overlap
from alignment.prompts.preferences import pairs
from alignment.prompts.recordings import read_recorded
from alignment.prompts.selection import select
from alignment.prompts.sources import Row
from alignment.prompts.training_data import training_pairs, unfiltered
from alignment.prompts.transcripts import cluster_id, content_id, parse, render
from alignment.records import HUMAN

WORDS = st.sampled_from(["kill", "Kill", "skill", "tea", "TEA", "tea ", "té", "te\u0301", "a b"])
TURN = st.tuples(
    st.sampled_from(["Human", "Assistant"]), st.lists(WORDS, max_size=3).map("\n\n".join)
)
DIALOGUE = st.lists(TURN, min_size=1, max_size=4).map(
    lambda turns: "\n\n".join(f"{speaker}: {text}" for speaker, text in turns)
)
ROWS = st.lists(
    st.fixed_dictionaries({"chosen": DIALOGUE | WORDS, "rejected": DIALOGUE | WORDS}),
    min_size=1,
    max_size=25,
)


def profile(seed=0, hold_out="cluster", **prompts):
    test = {"source": "file", "path": "test.jsonl"}
    axis = {"rate": "R", "threshold": 0.0, "comparison": ">="}
    train = {"a": {"source": "file", "path": "train.jsonl"}}
    return Profile.model_validate(
        {
            "name": "test",
            "sampling_seed": seed,
            "axes": {"a": {**axis, "prompts": {"origin": test, **prompts}}},
            "judge": {"recorded": True},
            "training": {"hold_out": hold_out, "sources": train},
        }
    )


def chosen(folder, rows, **options):
    (folder / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    try:
        return select(profile(**options), data=folder)["a"]
    except PromptError:
        return None


@given(ROWS, st.randoms(use_true_random=False), st.integers(0, 3), st.integers(1, 4))
@settings(deadline=None)
def test_strict_selection(rows, shuffler, seed, count):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        everything = chosen(folder, rows) or ()
        sample = chosen(folder, rows, seed=seed, sample=count)
        assert (sample is None) == (count > len(everything))
        for prompt in everything:
            last = parse(prompt.text)[-1]
            assert last.speaker == HUMAN
            assert last.text
            assert (prompt.id, prompt.cluster) == (content_id(prompt.text), cluster_id(prompt.text))
        ids = [prompt.id for prompt in everything]
        assert len(set(ids)) == len(ids)
        shuffled = shuffler.sample(rows, len(rows))
        assert {prompt.id for prompt in chosen(folder, shuffled) or ()} == set(ids)
        if sample is not None:
            assert {prompt.id for prompt in sample} <= set(ids)
            assert len(sample) == count
            again = chosen(folder, shuffled, seed=seed, sample=count)
            assert [prompt.id for prompt in again] == [prompt.id for prompt in sample]


@given(ROWS, st.integers(0, 3), st.integers(1, 4))
@settings(deadline=None)
def test_paper_selection_is_a_seeded_subset(rows, seed, count):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = {"protocol": "paper", "keywords": ["kill"], "seed": seed}
        everything = chosen(folder, rows, **options) or ()
        assert len(everything) == sum("kill" in row["chosen"] for row in rows)
        sample = chosen(folder, rows, sample=count, **options)
        if sample is not None:
            assert sample == chosen(folder, rows, sample=count, **options)
            assert set(sample) <= set(everything)


@given(ROWS, ROWS, st.sampled_from(["cluster", "prompt"]))
@example([{"chosen": "Assistant: a\n\nAssistant:", "rejected": "a"}], [], "cluster")
@settings(deadline=None, max_examples=60)
def test_no_training_text_overlaps_with_the_evaluation(rows, learned, mode):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = profile(hold_out=mode, protocol="paper")
        (folder / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (folder / "train.jsonl").write_text("\n".join(map(json.dumps, learned + rows[:3])))
        prompts = select(plan, data=folder)
        on_trial, _ = pairs([Row(1, "t", **row) for row in rows[::2]], "a")
        for function in (training_pairs, unfiltered):
            try:
                found = function(plan, prompts, {"a": on_trial}, data=folder)
            except PromptError:
                continue
            assert overlap(found, prompts, {"a": on_trial}, hold_out=mode) == []


@given(ROWS)
def test_every_row_is_a_pair_or_is_listed(rows):
    read = [Row(number, "test", **row) for number, row in enumerate(rows, 1)]
    made, unusable = pairs(read, "a")
    assert len(made) + len(unusable) == len(rows)
    assert len({row.line for row in unusable}) == len(unusable)
    for pair in made:
        assert pair.chosen.strip() != pair.rejected.strip()
        assert parse(pair.prompt)[-1].speaker == HUMAN
        assert render(parse(pair.prompt)) == pair.prompt
        for answer in (pair.chosen, pair.rejected):
            assert answer
            assert parse(f"{pair.prompt}\n\nAssistant: {answer}")[-1].text == answer


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(deadline=None)
def test_any_bytes_are_read_or_refused_in_one_line(content):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "rows.jsonl"
        path.write_bytes(content)
        for read in (lambda: list(entries(path)), lambda: read_recorded(str(path), data=path)):
            try:
                read()
            except PromptError as error:
                assert str(error).startswith(str(path))
                assert len(str(error).splitlines()) == 1
