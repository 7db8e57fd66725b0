"""`--alignment-variant NAME=SPEC`."""


def test_a_file_of_recorded_answers(world, workers):
    world.record("mine.jsonl", {"harmlessness": [1, 1, 1, -1], "helpfulness": [1, 1, 1]})
    result = world.run("--alignment-variant", "candidate=mine.jsonl", *workers)
    result.assert_outcomes(passed=16, xfailed=5)
    rates = world.report()["variants"]["candidate"]["rates"]
    assert rates["HmR"]["percent"] == 75
    assert rates["HpR"]["percent"] == 100


def test_it_replaces_a_variant_of_the_profile(world):
    world.record("mine.jsonl", {"harmlessness": [1, 1, 1, 1], "helpfulness": [1, 1, 1]})
    world.run("--alignment-variant", "base=mine.jsonl").assert_outcomes(passed=13, xfailed=1)


def test_the_tiny_profile_refuses_a_real_checkpoint_with_what_to_use(refused):
    line = refused("--alignment-variant", "candidate=./my-checkpoint", profile=None)
    assert line == (
        "ERROR: variant 'candidate' is a real checkpoint, but profile 'tiny' is a demo with toy "
        "prompts and a toy judge; use: pytest eval_suites --alignment-profile hh-rlhf "
        "--alignment-variant candidate=./my-checkpoint"
    )


def test_a_checkpoint_cannot_be_judged_by_recorded_scores(refused):
    line = refused("--alignment-variant", "candidate=./my-checkpoint")
    assert line == (
        "ERROR: profile 'world': variants.candidate: has no recorded scores, and the judge of this "
        "profile is `recorded`; name a judge's `model` or `stages`"
    )


def test_a_name_alone_is_refused(refused):
    assert refused("--alignment-variant", "candidate") == (
        "ERROR: --alignment-variant 'candidate': needs NAME=SPEC, "
        "for example candidate=./my-checkpoint"
    )


def test_a_name_that_is_none_is_refused(refused):
    line = refused("--alignment-variant", "my model=base.jsonl")
    assert line.startswith("ERROR: profile 'world': variants.my model: ")
