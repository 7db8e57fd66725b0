"""A study over micro models: what is computed for whom, and what a failure leaves standing."""

import pytest

from alignment.errors import ModelError, StoreError, TrainingError
from alignment.training import models


@pytest.fixture(scope="module")
def root(micro, tmp_path_factory):
    """A store in which everything was computed, in one go."""
    root = tmp_path_factory.mktemp("study")
    study = micro.study(root)
    study.want(study.keys())
    assert len([study.case(*key) for key in list(study.keys())]) == 4 * 2 * 20
    return root


def two_variants(micro):
    variants = micro.profile().variants
    return {name: variants[name].model_dump() for name in ("base", "sft")}


def records(store):
    return store._db.execute("SELECT kind, key, created FROM entries ORDER BY 1, 2").fetchall()


def keys_of(store, kind):
    return [key for found, key, _ in records(store) if found == kind]


def test_a_full_store_gives_every_case_without_computing_anything(micro, root):
    study = micro.study(root)
    before = records(study.store)
    cases = [study.case(*key) for key in list(study.keys())]
    assert len(study.found()) == len(cases)
    assert records(study.store) == before
    assert study.progress.seconds == {}
    assert {case.variant for case in cases} == {"base", "sft", "dpo", "sft_dpo"}


def test_a_case_alone_is_the_same_as_among_all(micro, root, tmp_path):
    full = micro.study(root)
    alone = micro.study(tmp_path)
    key = list(full.keys())[50]  # sft, harmlessness
    assert alone.case(*key) == full.case(*key)
    # Its block and no more was answered; nothing was computed for other variants.
    counts = {kind: count for kind, count, _ in alone.store.contents()}
    assert (counts["response"], counts["score"]) == (8, 8)
    assert counts["model"] == 3  # base, sft, judge


def test_a_store_that_fills_errs_the_cases_it_could_not_keep_with_one_line(micro, tmp_path):
    study = micro.study(tmp_path, variants=two_variants(micro))
    study.store._db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.kind = 'score' AND "
        "(SELECT COUNT(*) FROM entries WHERE kind = 'score') >= 30 "
        "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    study.want(study.keys())
    kept, lines = [], []
    for key in list(study.keys()):
        try:
            kept.append(study.case(*key))
        except StoreError as error:
            lines.append(str(error))
    assert len(set(lines)) == 1
    assert "cannot be written: database or disk is full" in lines[0]
    assert len(lines) + len(kept) == 2 * 2 * 20
    assert len(kept) >= len(study.store.get("score", keys_of(study.store, "score"))) >= 20
    assert study.found() == kept
    study.store._db.execute("DROP TRIGGER full")

    before = set(records(study.store))
    again = micro.study(tmp_path, variants=two_variants(micro))
    assert len([again.case(*key) for key in list(again.keys())]) == 80
    assert before <= set(records(again.store))


def test_a_variant_that_fails_leaves_the_others_alone(micro, root, tmp_path):
    variants = two_variants(micro)
    wrong = {"trainer": "sft", "data": "chosen", "args": {"optim": "magic"}}
    variants["broken"] = {"parent": "base", "stages": [wrong]}
    variants["child"] = {"parent": "broken", "stages": [{**wrong, "args": micro.args}]}
    study = micro.study(tmp_path, variants=variants)
    study.want(study.keys())
    lines = set()
    for key in list(study.keys()):
        if key[0] in {"broken", "child"}:
            with pytest.raises(TrainingError) as caught:
                study.case(*key)
            lines.add(str(caught.value))
        else:
            assert study.case(*key).variant == key[0]
    assert len(lines) == 1
    assert "magic" in lines.pop()
    assert study.failures.keys() == {"broken", "child"}
    assert len(study.found()) == 2 * 2 * 20
    assert micro.study(root).found()[:80] == study.found()


def test_answers_that_do_not_fit_the_model_fail_their_variant_only(micro, tmp_path):
    base = two_variants(micro)["base"]
    short = {**base, "architecture": {**micro.architecture, "max_position_embeddings": 128}}
    generation = {"max_new_tokens": 110}
    variants = {"base": base, "short": short}
    study = micro.study(tmp_path, sample=3, variants=variants, generation=generation)
    keys = list(study.keys())
    study.want(keys)
    for key in keys:
        if key[0] == "short":
            with pytest.raises(ModelError, match="the model has positions for 128"):
                study.case(*key)
        else:
            assert study.case(*key).response.tokens > 0
    assert models.find(study.context, "short") is not None
