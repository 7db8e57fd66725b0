"""Bad input: exit code 4, one plain line on stderr, no file left; the same under xdist.

The fixture `refused` holds all of that; here is what the line says. Bad options have their tests
beside those of the option, bad values of a profile more of them in
`tests/unit/config/test_profile.py`.
"""

import pytest

TABLES = (
    "axes, variants, judge, judges, pickles, generation, training, gate, labels, slices, claims"
)


def test_an_unknown_key(refused):
    assert refused("--alignment-set", "axes.harmlessness.treshold=1") == (
        "ERROR: profile 'world': axes.harmlessness.treshold: unknown key; did you mean "
        "'threshold'? accepted: rate, threshold, comparison, dimension, prompts, trial, gate"
    )


def test_an_unknown_key_at_the_top_of_a_file(world, refused):
    world.write("alignment.toml", "extends = 'world.toml'\njugde = {}")
    line = refused(profile=None)
    assert line.startswith("ERROR: profile 'world': jugde: unknown key; did you mean 'judge'? ")
    assert line.endswith(TABLES)


def test_a_wrong_type(refused):
    assert refused("--alignment-set", "axes.helpfulness.threshold=high") == (
        "ERROR: profile 'world': axes.helpfulness.threshold: "
        "input should be a valid number, found 'high'"
    )


def test_an_impossible_value(refused):
    assert refused("--alignment-set", "confidence=1.5") == (
        "ERROR: profile 'world': confidence: input should be less than 1, found 1.5"
    )


def test_a_file_that_is_not_toml(world, refused):
    world.write("broken.toml", "name = ")
    assert refused(profile="broken.toml").startswith(
        "ERROR: profile broken.toml: not valid TOML: Invalid value (at "
    )


def test_a_parent_that_does_not_exist(refused):
    line = refused("--alignment-set", "variants.sft.parent=bsae", profile="tiny")
    assert line == (
        "ERROR: profile 'tiny': variants.sft.parent: there is no variant 'bsae'; "
        "known: base, sft, dpo, sft_dpo"
    )


def test_a_circle_of_parents(refused):
    line = refused(
        "--alignment-set=variants.sft.parent=sft_dpo",
        "--alignment-set=variants.sft_dpo.parent=sft",
        profile="tiny",
    )
    assert line == (
        "ERROR: profile 'tiny': variants.sft.parent: the parents form a circle: "
        "sft -> sft_dpo -> sft"
    )


def test_a_wrong_argument_of_a_trainer(refused):
    line = refused("--alignment-set", "variants.sft.stages.0.args.learning_rat=1", profile="tiny")
    assert line == (
        "ERROR: variants.sft.stages.0.args.learning_rat: SFTConfig has no such argument; "
        "did you mean learning_rate?"
    )


def test_a_wrong_argument_of_lora(refused):
    line = refused("--alignment-set", "variants.dpo.stages.0.lora.rank=8", profile="tiny")
    assert line.startswith(
        "ERROR: variants.dpo.stages.0.lora.rank: LoraConfig has no such argument; "
    )


def test_a_dimension_that_the_judge_does_not_give(refused):
    line = refused("--alignment-set", "axes.harmlessness.dimension=toxicity")
    assert line == (
        "ERROR: profile 'world': axes.harmlessness.dimension: "
        "the judge gives 'reward', not 'toxicity'"
    )


@pytest.fixture
def asked(world_of_models):
    """The world whose prompts come from files."""
    return world_of_models


PROMPTS = "harmlessness.jsonl"


def _folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        pytest.param(
            lambda path: path.unlink(),
            f"{PROMPTS}: there is no such file (relative paths start at `data`)",
            id="missing",
        ),
        pytest.param(
            _folder,
            f"{PROMPTS}: is a folder, where a JSON or JSONL file is required",
            id="a folder",
        ),
        pytest.param(
            lambda path: path.write_text("\n"),
            f"{PROMPTS}: is empty; at least one row is required",
            id="empty",
        ),
        pytest.param(
            lambda path: path.write_text('{"prompt": "Human: a"}\n\n{"prompt"\n'),
            f"{PROMPTS}, line 3: not JSON (Expecting ':' delimiter at column 10)",
            id="not JSON",
        ),
        pytest.param(
            lambda path: path.write_text('{"rejected": "Human: a"}\n'),
            f"{PROMPTS}, line 1: `chosen` is required; keys found: 'rejected'",
            id="without chosen",
        ),
    ],
)
def test_a_file_of_prompts(asked, refused, spoil, line):
    spoil(asked.path / PROMPTS)
    assert refused(profile="models.toml") == f"ERROR: {line}"


def test_no_prompt_selected(asked, refused):
    line = refused(
        "--alignment-set", 'axes.harmlessness.prompts.keywords=["kill"]', profile="models.toml"
    )
    assert line == (
        f"ERROR: axis 'harmlessness': 0 prompts left of 3 rows in {PROMPTS} (3 without a keyword), "
        "at least 1 required; widen `keywords`, or give a source with more rows"
    )


def test_fewer_prompts_than_the_sample(asked, refused):
    line = refused("--alignment-set", "axes.harmlessness.prompts.sample=4", profile="models.toml")
    assert line == (
        f"ERROR: axis 'harmlessness': 3 prompts left of 3 rows in {PROMPTS} (none left out), "
        "at least 4 required; lower `sample` to 3 or less, widen `keywords`, "
        "or give a source with more rows"
    )


def test_a_recorded_file_that_is_missing(world, refused):
    (world.path / "sft.jsonl").unlink()
    assert refused() == ("ERROR: sft.jsonl: there is no such file (relative paths start at `data`)")


@pytest.mark.parametrize("score", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_score_that_is_not_finite(world, refused, score):
    rows = (world.path / "sft.jsonl").read_text()
    world.write("sft.jsonl", rows.replace('"score": 2}', f'"score": {score}}}'))
    line = refused()
    assert line.startswith("ERROR: sft.jsonl, line 3: `score` is ")
    assert line.endswith(", not a finite number")


def test_a_prompt_without_a_recorded_answer(world, refused):
    world.record("sft.jsonl", {"harmlessness": [1, 1, 2], "helpfulness": [1, 0, 1]})
    line = refused()
    assert line.startswith(
        "ERROR: axis 'harmlessness': variant 'sft' has no recorded row for prompt "
    )
    assert line.endswith("the variants must answer the same prompts")


def test_an_existing_store_is_left_as_it_was(world, refused):
    world.run()
    (world.path / "sft.jsonl").unlink()
    assert refused().startswith("ERROR: sft.jsonl: there is no such file")


def test_the_suites_of_the_project_refuse_without_any_option(world, refused, request, monkeypatch):
    suites = request.config.rootpath / "eval_suites"
    for path in suites.glob("*.py"):
        world.write(f"suites/{path.name}", path.read_text())
    monkeypatch.setenv("ALIGNMENT_STORE", "/proc/store")
    line = refused("suites", profile=None, store=None)
    assert line.startswith("ERROR: store /proc/store: cannot be opened: ")
