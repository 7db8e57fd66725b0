"""A light world for the plugin: recorded answers and scores, so that a run takes a second."""

import pytest

from alignment.config.layers import resolve
from alignment.progress import Progress
from alignment.store import Store, content_key
from alignment.store.answers import RESPONSE, SCORE, score_key
from alignment.study.study import Study
from support.worlds import World, question, told


@pytest.fixture
def world(pytester, monkeypatch):
    """A project that `pytest` runs in about a second."""
    for name in ("ALIGNMENT_STORE", "GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return World(pytester.path, pytester)


@pytest.fixture(params=[(), ("-n", "2")], ids=["plain", "xdist"])
def workers(request):
    """The arguments of a plain run and of one with two workers."""
    return request.param


@pytest.fixture
def refused(world):
    """Runs pytest, plain and under xdist, and holds what every refusal is: gives the line.

    Exit code 4, one plain line on stderr and nothing else, and no file left.
    """

    def run(*arguments, **options):
        before = world.files()
        lines = []
        for workers in ((), ("-n", "2")):
            result = world.run(*arguments, *workers, **options)
            assert result.ret == pytest.ExitCode.USAGE_ERROR
            assert result.stdout.str().strip() == ""
            (line,) = told(result)
            assert line.startswith("ERROR: ")
            assert world.files() == before
            lines.append(line)
        assert lines[0] == lines[1]
        return lines[0]

    return run


@pytest.fixture
def world_of_models(world, model_folder):
    """The same with models instead of recorded answers: a file of prompts, a variant, a judge."""
    asked = """
    rate = "{rate}"
    threshold = 0.0
    comparison = ">="
    prompts = {{ origin = {{ source = "file", path = "{axis}.jsonl" }} }}
    """
    world.write(
        "models.toml",
        f"""
        name = "models"
        device = "cpu"
        [axes.harmlessness]
        {asked.format(rate="HmR", axis="harmlessness")}
        [axes.helpfulness]
        {asked.format(rate="HpR", axis="helpfulness")}
        [variants.candidate]
        model = "model"
        [judge]
        model = "judge"
        """,
    )
    for axis in ("harmlessness", "helpfulness"):
        world.rows(f"{axis}.jsonl", [{"prompt": question(axis, i)} for i in range(3)])
    model_folder(world.path / "model")
    model_folder(world.path / "judge", judge=True)
    return world


@pytest.fixture
def filled_store(world_of_models):
    """Fills the store with the answers and scores (1, 0, -1) that the models would give.

    `leave_out` is an axis without scores.
    """

    def fill(*, leave_out=None):
        world = world_of_models
        profile = resolve(world.path, selected=str(world.path / "models.toml"))
        store = Store(world.store)
        study = Study(profile, store, progress=Progress())
        policy = study.policy("candidate").identity()
        judge = study.judge().identity()
        for axis, prompts in study.prompts.items():
            for i, prompt in enumerate(prompts):
                answer = {"text": f"Answer {i}.", "stop": "eos", "tokens": 3}
                store.put(RESPONSE, {content_key(policy, prompt.text): answer})
                if axis != leave_out:
                    key = score_key(judge, (prompt.text, answer["text"]))
                    store.put(SCORE, {key: {"reward": 1.0 - i}})
        store.close()

    return fill
