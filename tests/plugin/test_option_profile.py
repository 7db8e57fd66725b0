"""`--alignment-profile`, and the files that say the same without it."""

import pytest

HALF = """
name = "half"
extends = "world.toml"
axes.harmlessness.threshold = 1.5
"""


def test_a_file(world, workers):
    result = world.run(*workers)
    result.assert_outcomes(passed=10, xfailed=4)
    assert world.report()["profile"]["name"] == "world"


def test_a_built_in_name(world):
    world.run(profile="paper-replay").assert_outcomes(passed=180, xfailed=220)
    rates = {name: each["rates"] for name, each in world.report()["variants"].items()}
    assert {name: rate["HmR"]["percent"] for name, rate in rates.items()} == {
        "base": 42,
        "sft": 48,
        "dpo": 36,
        "sft_dpo": 44,
    }


def test_an_unknown_name_is_refused_with_those_that_there_are(refused):
    assert refused(profile="tniy") == (
        "ERROR: unknown profile 'tniy': it is neither a file nor one of "
        "hh-rlhf, hh-small, paper, paper-eval, paper-replay, tiny"
    )


@pytest.mark.parametrize(
    ("files", "name", "threshold"),
    [
        pytest.param(
            {"pyproject.toml": "[tool.alignment]\nextends = 'world.toml'\nname = 'mine'"},
            *("mine", 0.0),
            id="pyproject",
        ),
        pytest.param({"alignment.toml": HALF}, "half", 1.5, id="alignment.toml"),
        pytest.param(
            {
                "pyproject.toml": "[tool.alignment]\nextends = 'world.toml'\nname = 'mine'",
                "alignment.toml": "axes.harmlessness.threshold = 1.5",
            },
            *("mine", 1.5),
            id="alignment.toml over pyproject, key by key",
        ),
        pytest.param(
            {
                "pyproject.toml": "[tool.alignment]\nextends = 'tiny'\nseed = 7",
                "alignment.toml": HALF,
            },
            *("half", 1.5),
            id="extends drops what lies beneath",
        ),
    ],
)
def test_without_the_option_files_of_the_project_are_read(world, files, name, threshold):
    for file, text in files.items():
        world.write(file, text)
    world.run(profile=None)
    profile = world.report()["profile"]
    assert (profile["name"], profile["axes"]["harmlessness"]["threshold"]) == (name, threshold)


def test_the_option_is_over_the_files(world):
    world.write("alignment.toml", HALF)
    world.run()
    assert world.report()["profile"]["name"] == "world"


def test_recorded_files_lie_beside_the_file_that_names_them(world, monkeypatch):
    world.write("alignment.toml", HALF)
    (world.path / "below").mkdir()
    monkeypatch.chdir(world.path / "below")
    result = world.run("--rootdir=..", "..", profile=None)
    result.assert_outcomes(passed=7, xfailed=7)


def test_a_circle_of_profiles_is_refused(world, refused):
    world.write("there/a.toml", "extends = '../there/b.toml'")
    world.write("there/b.toml", "extends = '../there/a.toml'")
    line = refused(profile="there/a.toml")
    assert line.startswith("ERROR: profiles extend each other in a circle: a.toml -> b.toml -> ")
