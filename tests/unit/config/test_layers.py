"""From names, files and options to one profile."""

import pytest

from alignment.config.layers import BUILT_IN, built_in, resolve
from alignment.errors import ProfileError, quoted

WORLD = """
name = "world"
axes.harmlessness = { rate = "HmR", threshold = 0.0, comparison = ">=", prompts = { origin = { source = "recorded" } } }
variants.base = { recorded = "base.jsonl" }
judge.recorded = true
"""  # noqa: E501


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write files of a project; its root."""
    monkeypatch.chdir(tmp_path)

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".toml").write_text(text)
        return tmp_path

    return write


def refusal(*arguments, **options):
    with pytest.raises(ProfileError) as raised:
        resolve(*arguments, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("name", built_in())
def test_every_built_in_profile_is_valid_or_says_what_it_needs(tmp_path, name):
    variants = ["mine=./my-checkpoint"] if name in {"hh-rlhf", "paper-eval"} else []
    assert resolve(tmp_path, selected=name, variants=variants).name == name


def test_a_profile_for_a_checkpoint_needs_one(tmp_path):
    text = refusal(tmp_path, selected="hh-rlhf")
    assert text.startswith("profile 'hh-rlhf' has no variant to evaluate; name one: pytest ")


def test_nothing_gives_the_tiny_one(tmp_path):
    assert resolve(tmp_path).name == "tiny"


def test_settings_of_a_project_are_laid_over_the_tiny_one(project):
    root = project(alignment="seed = 7")
    profile = resolve(root)
    assert (profile.name, profile.seed, profile.toy) == ("tiny", 7, True)


def test_every_layer_is_over_the_one_before(project):
    below = "[tool.alignment]\nextends = 'world.toml'\nseed = 1\nconfidence = 0.8\nthreads = 1"
    root = project(world=WORLD, pyproject=below, alignment="seed = 2\nconfidence = 0.9")
    profile = resolve(root, assignments=["seed=3"])
    assert (profile.seed, profile.confidence, profile.threads) == (3, 0.9, 1)


def test_a_selected_profile_drops_the_files_of_the_project(project):
    root = project(world=WORLD, pyproject="[tool.alignment]\nseed = 1", alignment="threads = 1")
    profile = resolve(root, selected="world.toml")
    assert (profile.seed, profile.threads) == (0, 0)


def test_extends_is_found_beside_the_file_and_by_name(project):
    root = project(
        there__base=WORLD,
        there__mine="extends = 'base.toml'\nseed = 3",
        other="extends = 'tiny'\nseed = 4",
    )
    mine = resolve(root, selected="there/mine.toml")
    assert (mine.name, mine.seed, list(mine.variants)) == ("mine", 3, ["base"])
    assert resolve(root, selected="other.toml").seed == 4


def test_tables_are_merged_and_lists_are_replaced(project):
    root = project(
        world=WORLD,
        mine="""
extends = "world.toml"
axes.harmlessness.threshold = 2.0
axes.harmlessness.prompts.keywords = ["a"]
""",
        again='extends = "mine.toml"\naxes.harmlessness.prompts.keywords = ["b", "c"]',
    )
    axis = resolve(root, selected="again.toml").axes["harmlessness"]
    assert (axis.rate, axis.threshold, axis.prompts.keywords) == ("HmR", 2, ("b", "c"))


def test_prompts_from_elsewhere_take_the_place_of_those_below(project):
    """Keys of a data set mean nothing to a file; those of the same kind of source are merged."""
    origin = 'axes.harmlessness.prompts.origin = { source = "file", path = "mine.jsonl" }'
    root = project(mine=f"extends = 'paper-eval'\nvariants.a.null = 'refuse'\n{origin}")
    asked = resolve(root, selected=str(root / "mine.toml")).axes["harmlessness"].prompts
    assert asked.origin.model_dump() == {"source": "file", "path": "mine.jsonl"}
    assert asked.protocol == "paper"
    other = 'axes.harmlessness.prompts.origin = { source = "dataset", dataset = "mine" }'
    root = project(mine=f"extends = 'paper-eval'\nvariants.a.null = 'refuse'\n{other}")
    merged = resolve(root, selected=str(root / "mine.toml")).axes["harmlessness"].prompts.origin
    assert (merged.dataset, merged.data_dir) == ("mine", "harmless-base")


@pytest.mark.parametrize(
    ("stated", "data"),
    [("", "there"), ("data = 'rows'", "there/rows"), ("data = '/rows'", "/rows")],
)
def test_data_is_beside_the_file_that_states_it(project, stated, data):
    root = project(there__world=WORLD + stated)
    assert resolve(root, selected="there/world.toml").data == data


def test_data_of_the_projects_own_file_is_below_its_root(project, monkeypatch):
    root = project(world=WORLD, alignment="extends = 'world.toml'")
    assert resolve(root).data == "."
    (root / "below").mkdir()
    monkeypatch.chdir(root / "below")
    assert resolve(root).data == str(root)


def test_data_of_what_is_extended_stays_its_own(project):
    root = project(mine="extends = 'paper-replay'\nseed = 1")
    assert resolve(root, selected="mine.toml").data == str(BUILT_IN / "paper")


@pytest.mark.parametrize(
    ("spec", "field", "value"),
    [
        ("./folder", "model", "./folder"),
        ("nobody/model", "model", "nobody/model"),
        ("/answers.jsonl", "recorded", "/answers.jsonl"),
        ("/answers.json.gz", "recorded", "/answers.json.gz"),
    ],
)
def test_a_variant_of_the_command_line(project, spec, field, value):
    root = project(world=WORLD)
    profile = resolve(root, selected="world.toml", variants=[f"mine={spec}"])
    assert getattr(profile.variants["mine"], field) == value


def test_recorded_answers_of_the_command_line_are_relative_to_the_current_folder(project):
    root = project(there__world=WORLD)
    profile = resolve(root, selected="there/world.toml", variants=["mine=mine.jsonl"])
    assert profile.variants["mine"].recorded == str(root / "mine.jsonl")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("seed=3", lambda p: p.seed == 3),
        (" seed = 3", lambda p: p.seed == 3),
        ("description=two words", lambda p: p.description == "two words"),
        ("description='a=b'", lambda p: p.description == "a=b"),
        ('device="cpu"', lambda p: p.device == "cpu"),
        ("network=true", lambda p: p.network is True),
        (
            'axes.harmlessness.prompts.keywords=["a"]',
            lambda p: p.axes["harmlessness"].prompts.keywords == ("a",),
        ),
    ],
)
def test_assignments(project, text, seen):
    root = project(world=WORLD)
    assert seen(resolve(root, selected="world.toml", assignments=[text]))


def test_an_assignment_steps_into_lists(tmp_path):
    text = "variants.sft.stages.0.args.max_steps=3"
    assert resolve(tmp_path, assignments=[text]).variants["sft"].stages[0].args["max_steps"] == 3
    text = "variants.sft.stages.1.rows=3"
    assert refusal(tmp_path, assignments=[text]) == (
        "--alignment-set variants.sft.stages.1.rows: '1' is not an index below 1"
    )


@pytest.mark.parametrize("text", ["seed", "=1", "a..b=1", "", "."])
def test_what_is_no_assignment(tmp_path, text):
    assert refusal(tmp_path, assignments=[text]).endswith("needs key.path=value")


@pytest.mark.parametrize("text", ["mine", "=x", "mine=", ""])
def test_what_names_no_variant(tmp_path, text):
    assert "needs NAME=SPEC" in refusal(tmp_path, variants=[text])


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        (
            "axes.harmlessness.treshold=1",
            (
                "profile 'tiny': axes.harmlessness.treshold: unknown key; "
                "did you mean 'threshold'? accepted: rate, threshold, comparison, dimension, "
                "prompts, trial"
            ),
        ),
        (
            "variants.sft.stages.0.trianer='sft'",
            (
                "profile 'tiny': variants.sft.stages.0.trianer: unknown key; "
                "did you mean 'trainer'? accepted: trainer, data, args, lora, rows, degenerate"
            ),
        ),
        (
            "axes.harmlessness.prompts.origin.split='dev'",
            (
                "profile 'tiny': axes.harmlessness.prompts.origin.split: "
                "input should be 'train' or 'test', found 'dev'"
            ),
        ),
        (
            "axes.harmlessness.prompts.origin.folder='x'",
            (
                "profile 'tiny': axes.harmlessness.prompts.origin.folder: unknown key; "
                "accepted: source, split, unfiltered"
            ),
        ),
        (
            "training.sources.harmlessness.splt='x'",
            (
                "profile 'tiny': training.sources.harmlessness.splt: unknown key; did you mean "
                "'split'? accepted: source, split, unfiltered"
            ),
        ),
        ("judge=3", "profile 'tiny': judge: input should be a valid dictionary or instance of "),
        (
            "variants.9x.recorded='a'",
            "profile 'tiny': variants.9x: string should match pattern ",
        ),
        ("seed=true", "profile 'tiny': seed: input should be a valid integer, found True"),
        (
            "generation.block=0",
            "profile 'tiny': generation.block: input should be greater than or equal to 1, found 0",
        ),
    ],
)
def test_a_refusal_names_the_key_and_what_is_accepted(tmp_path, assignment, text):
    assert refusal(tmp_path, assignments=[assignment]).startswith(text)


def test_a_required_key(project):
    root = project(mine="name = 'mine'\nvariants = {}\njudge.recorded = true")
    text = refusal(root, selected="mine.toml")
    assert text == "profile 'mine': axes: required key is missing"


def test_several_faults_are_counted(tmp_path):
    text = refusal(tmp_path, assignments=["seed=x", "threads=x"])
    assert text.endswith("seed: input should be a valid integer, found 'x' (and 1 more)")


@pytest.mark.parametrize("name", ["", "nope", "nope.toml", ".", "a\0b", "x" * 300])
def test_unknown_profiles(project, name):
    assert refusal(project(), selected=name).startswith(
        f"unknown profile {quoted(name)}: it is neither a file"
    )


def test_a_toy_judges_no_real_checkpoint(tmp_path):
    text = refusal(tmp_path, variants=["candidate=./my-checkpoint"])
    assert text.endswith(
        "use: pytest eval_suites --alignment-profile hh-rlhf "
        "--alignment-variant candidate=./my-checkpoint"
    )


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"alignment": "a ="}, "alignment.toml: not valid TOML: "),
        (
            {"alignment": "extends = 3"},
            "alignment.toml: extends: must be the name or the file of a ",
        ),
        ({"alignment": "extends = 'none'"}, "unknown profile 'none': "),
        ({"pyproject": "[tool]\nalignment = 3"}, "pyproject.toml: tool.alignment: must be a table"),
    ],
)
def test_files_of_the_project_that_are_refused(project, files, text):
    assert text in refusal(project(**files))


def test_settings_that_are_none_change_nothing(project):
    root = project(pyproject="[tool.other]\nx = 1", alignment="# nothing yet")
    assert resolve(root).name == "tiny"


@pytest.mark.parametrize("step", ["a.toml", "./a.toml", "../there/a.toml"])
def test_a_file_that_extends_itself(project, step):
    root = project(there__a=f"extends = '{step}'")
    text = refusal(root, selected="there/a.toml")
    assert text.startswith("profiles extend each other in a circle: a.toml -> ")


def test_a_circle_of_files(project):
    root = project(a="extends = 'b.toml'", b="extends = 'c.toml'", c="extends = 'a.toml'")
    text = refusal(root, selected="a.toml")
    assert text == ("profiles extend each other in a circle: a.toml -> b.toml -> c.toml -> a.toml")


def test_a_file_that_shares_its_name_with_a_built_in_profile_can_extend_it(project):
    root = project(tiny="extends = 'tiny'\nseed = 5")
    assert resolve(root, selected="./tiny.toml").seed == 5


def test_a_served_variant_of_the_command_line(project):
    root, url = project(world=WORLD), "http://127.0.0.1:8000/v1"
    profile = resolve(root, selected="world.toml", variants=[f"mine={url}#some/model"])
    endpoint = profile.variants["mine"].endpoint
    assert (endpoint.url, endpoint.model, endpoint.api) == (url, "some/model", "completions")
