"""`--alignment-set KEY.PATH=VALUE`."""


def test_it_sets_one_value_and_may_be_repeated(world, workers):
    values = ("--alignment-set=axes.harmlessness.threshold=2", "--alignment-set", "seed=7")
    world.run(*values, *workers).assert_outcomes(passed=7, xfailed=7)
    profile = world.report()["profile"]
    assert profile["axes"]["harmlessness"]["threshold"] == 2
    assert profile["seed"] == 7
    assert profile["axes"]["helpfulness"]["threshold"] == 0


def test_it_is_over_every_file(world):
    world.write("alignment.toml", "extends = 'world.toml'\nseed = 1\nconfidence = 0.8")
    world.run("--alignment-set", "seed=2", profile=None)
    profile = world.report()["profile"]
    assert (profile["seed"], profile["confidence"]) == (2, 0.8)


def test_a_word_needs_no_quotes_and_a_table_may_be_set(world):
    world.run(
        "--alignment-set=description=a closer look",
        '--alignment-set=variants.again={recorded="sft.jsonl"}',
    )
    report = world.report()
    assert report["profile"]["description"] == "a closer look"
    assert report["variants"]["again"]["rates"] == report["variants"]["sft"]["rates"]


def test_what_is_no_assignment_is_refused(refused):
    line = refused("--alignment-set", "seed")
    assert line == "ERROR: --alignment-set 'seed': needs key.path=value"


def test_a_step_into_a_value_is_refused(refused):
    line = refused("--alignment-set", "judge.recorded.more=1")
    assert (
        line
        == "ERROR: --alignment-set 'judge.recorded.more=1': judge.recorded is a value, not a table"
    )
