"""What is found before the run, and that a store is only begun when all is well."""

import pytest

from alignment.errors import AlignmentError, ModelError, ProfileError, PromptError, StoreError
from alignment.plugin.session import Options, Session
from alignment.store import Store, content_key
from alignment.study.preflight import Draft

PROFILE = """
name = "mine"
device = "cpu"
axes.harmlessness = { rate = "HmR", threshold = 0, comparison = ">=", prompts = { origin = { source = "file", path = "asked.jsonl" } } }
variants.candidate = { model = "./model" }
judge = { model = "./judge" }
"""  # noqa: E501
TRAINED = """
variants.trained.parent = "./model"
variants.trained.stages = [{ trainer = "sft", data = "chosen" }]
training.sources.harmlessness = { source = "file", path = "lessons.jsonl" }
"""


@pytest.fixture
def project(tmp_path, monkeypatch, model_folder):
    """A profile over two checkpoints and a file of prompts: its folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(PROFILE)
    (tmp_path / "asked.jsonl").write_text('{"prompt": "Human: What?"}\n{"prompt": "Human: Why?"}')
    model_folder(tmp_path / "model")
    model_folder(tmp_path / "judge", judge=True)
    return tmp_path


def session(project, *assignments, store="store"):
    return Session(
        Options(
            root=project,
            report=project / "reports",
            profile="mine.toml",
            assignments=assignments,
            store=str(project / store),
        )
    )


def test_what_is_well_begins_the_store_and_keeps_what_was_found(project):
    checked = session(project)
    checked.check()
    assert len(checked.study.prompts["harmlessness"]) == 2
    store = Store(project / "store")
    assert store.get("questions", [checked.study.data.key])
    assert {kind for kind, *_ in store.contents()} == {"questions", "model"}


def test_a_second_check_finds_the_store_of_the_first(project):
    session(project).check()
    again = session(project)
    again.check()
    assert again.study.store.root == project / "store"


def _gone(name):
    return lambda project: (project / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "assignments", "error"),
    [
        (_gone("asked.jsonl"), (), PromptError),
        (_gone("model/model.safetensors"), (), ModelError),
        (_gone("judge/config.json"), (), ModelError),
        (None, ("judge.dimension=harm",), ProfileError),
        (None, ("variants.candidate.stages=[]", "variants.candidate.model=3"), ProfileError),
        (None, ("variants.candidate.model=./none",), ModelError),
        (None, ("judge.model=./model",), ModelError),
    ],
)
def test_what_is_not_leaves_nothing_behind(project, spoil, assignments, error):
    if spoil:
        spoil(project)
    before = sorted(project.rglob("*"))
    with pytest.raises(error) as raised:
        session(project, *assignments).check()
    assert "\n" not in str(raised.value)
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        ("variants.trained.parent=./none", "variants.trained: model ./none: no such folder"),
        (
            "variants.trained.stages.0.args={lerning_rate=1}",
            "variants.trained.stages.0.args.lerning_rate: SFTConfig has no such argument; ",
        ),
        (
            "training.sources.harmlessness.path=none.jsonl",
            "none.jsonl: there is no such file ",
        ),
    ],
)
def test_recipes_are_looked_at_too(project, assignment, text):
    (project / "mine.toml").write_text(PROFILE + TRAINED)
    (project / "lessons.jsonl").write_text('{"chosen": "Human: a\\n\\nAssistant: b"}\n')
    session(project).check()
    with pytest.raises(AlignmentError) as raised:
        session(project, assignment, store="other").check()
    assert text in str(raised.value)


def test_a_store_that_cannot_be_begun_is_found_last(project):
    (project / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        session(project, store="file/store").check()


def test_a_draft_is_handed_over_and_overwrites_nothing(tmp_path):
    draft, store = Draft(tmp_path / "store"), Store(tmp_path / "store")
    old, new = content_key("old"), content_key("new")
    store.put("thing", {old: "kept"})
    draft.put("thing", {old: "lost", new: "found"})
    draft.hand_over()
    draft.close()
    assert store.get("thing", [old, new]) == {old: "kept", new: "found"}


CHAT = ("generation.format=chat", "judge.input=chat")
NEEDS = ("generation.format = 'chat'", "input = 'chat'")


@pytest.mark.parametrize(
    ("setting", "where", "folder", "needs"),
    [
        (CHAT[0], "variants.candidate", "model", NEEDS[0]),
        (CHAT[1], "judge", "judge", NEEDS[1]),
    ],
)
def test_chat_needs_a_chat_template(project, setting, where, folder, needs):
    checked = session(project, setting)
    with pytest.raises(ModelError) as raised:
        checked.check()
    assert str(raised.value) == (
        f"{where}: model {folder}: its tokenizer has no chat template (tokenizer_config.json, "
        f"chat_template.jinja), which {needs} needs; add one, or name another format"
    )


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tokenizer_config.json", '{"chat_template": "{{ messages }}"}'),
        ("chat_template.jinja", "{{ messages }}"),
        ("additional_chat_templates/default.jinja", "{{ messages }}"),
    ],
)
def test_a_chat_template_is_found_wherever_transformers_looks(project, file, text):
    for folder in ("model", "judge"):
        (project / folder / file).parent.mkdir(exist_ok=True)
        (project / folder / file).write_text(text)
    ours = session(project, *CHAT)
    ours.check()  # raises where none is found
    assert ours.profile.generation.format == "chat"


def test_a_model_from_scratch_has_no_chat_template(project):
    (project / "mine.toml").write_text(
        PROFILE
        + 'variants.fresh.architecture = { model_type = "opt" }\n'
        + 'variants.fresh.stages = [{ trainer = "sft", data = "chosen" }]\n'
        + 'variants.fresh.generation = { format = "chat" }\n'
        + 'training.sources.harmlessness = { source = "file", path = "asked.jsonl" }\n'
    )
    with pytest.raises(ModelError) as raised:
        session(project).check()
    assert str(raised.value) == (
        "variants.fresh: a model made from scratch has no chat template, which "
        "generation.format = 'chat' needs; name another format"
    )
