"""What a profile asks is found again by the content of its sources, and by nothing else."""

import json
import os
import subprocess

import pytest

from alignment.config.profile import Profile
from alignment.errors import PromptError, TrainingError
from alignment.policies import recorded as recorded_policy
from alignment.policies.kind import policy_of
from alignment.progress import Progress
from alignment.prompts import selection
from alignment.prompts import training_data as training
from alignment.store import Store
from alignment.study import inputs
from alignment.study.inputs import StudyData
from alignment.training.context import ModelContext

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LONG_AGO = 10**18


def written(path, rows, when=LONG_AGO):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.utime(path, ns=(when, when))
    return path


def prompts(word):
    return [{"prompt": f"Human: {word} {number}?"} for number in range(3)]


def pairs(word):
    return [
        {
            "chosen": f"Human: {word} {number}?\n\nAssistant: Yes.",
            "rejected": f"Human: {word} {number}?\n\nAssistant: No.",
        }
        for number in range(3)
    ]


def recorded(word):
    return [{"axis": "a", "response": "x", "score": 1.0, **row} for row in prompts(word)]


def profile(tmp_path, origin, **variant):
    axis = {
        "rate": "AR",
        "threshold": 0.0,
        "comparison": ">",
        "prompts": {"origin": origin},
    }
    return Profile.model_validate(
        {
            "name": "mine",
            "data": str(tmp_path),
            "axes": {"a": axis},
            "variants": {"base": variant or {"model": "./model"}},
            "judge": {"recorded": True} if variant else {"model": "./judge"},
            "training": {"sources": {"a": {"source": "file", "path": "lessons.jsonl"}}},
        }
    )


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def by_tar(old, new):
    subprocess.run(["tar", "-C", new.parent, "-cf", new.parent / "a.tar", new.name], check=True)
    subprocess.run(
        ["tar", "-C", old.parent, "--overwrite", "-xf", new.parent / "a.tar"], check=True
    )


ORIGINS = {
    "file": ({"source": "file", "path": "asked/test.jsonl"}, {}, prompts),
    "folder": ({"source": "dataset", "dataset": "asked"}, {}, pairs),
    "recorded": ({"source": "recorded"}, {"recorded": "asked/test.jsonl"}, recorded),
}


@pytest.mark.parametrize(("origin", "variant", "rows"), ORIGINS.values(), ids=ORIGINS)
def test_other_prompts_of_one_size_and_time_are_asked(tmp_path, store, origin, variant, rows):
    mine = profile(tmp_path, origin, **variant)
    old = written(tmp_path / "asked" / "test.jsonl", rows("one"))
    first = StudyData(mine, store)
    assert first.prompts["a"][0].text == "Human: one 0?"
    state = old.stat()
    by_tar(old, written(tmp_path / "new" / "test.jsonl", rows("two")))
    assert (old.stat().st_size, old.stat().st_mtime_ns) == (state.st_size, state.st_mtime_ns)
    second = StudyData(mine, store)
    assert second.prompts["a"][0].text == "Human: two 0?"
    assert second.key != first.key


@pytest.fixture
def asked(tmp_path):
    return written(tmp_path / "asked.jsonl", prompts("one"))


def _interrupting(monkeypatch, module, name, change, times):
    """Have a file change while `module.name` reads, the first so many times."""
    real, left = getattr(module, name), list(range(times))

    def reading(*arguments, **options):
        found = real(*arguments, **options)
        if left:
            change(left.pop())
        return found

    monkeypatch.setattr(module, name, reading)


def test_what_is_kept_is_what_was_hashed(tmp_path, store, asked, monkeypatch):
    """Read before a change, hashed after it: the old prompts would be kept for the new file."""
    mine = profile(tmp_path, {"source": "file", "path": "asked.jsonl"})
    change = lambda number: written(asked, prompts(f"new{number}"))  # noqa: E731
    _interrupting(monkeypatch, selection, "select", change, 1)
    assert StudyData(mine, store).prompts["a"][0].text == "Human: new0 0?"
    assert StudyData(mine, store).prompts["a"][0].text == "Human: new0 0?"
    assert len(store.values("questions")) == 1


def test_a_file_that_is_being_written_is_an_error(tmp_path, store, asked, monkeypatch):
    mine = profile(tmp_path, {"source": "file", "path": "asked.jsonl"})
    change = lambda number: written(asked, prompts(f"new{number}"))  # noqa: E731
    _interrupting(monkeypatch, selection, "select", change, 9)
    with pytest.raises(PromptError, match="were changed while they were read; run again"):
        StudyData(mine, store)
    assert store.values("questions") == []


def test_what_an_earlier_release_selected_is_selected_anew(tmp_path, store, asked, monkeypatch):
    """Marks beyond a hundred were not parted then: other dialogues counted as one."""
    mine = profile(tmp_path, {"source": "file", "path": "asked.jsonl"})
    written(tmp_path / "lessons.jsonl", pairs("lesson"))
    with monkeypatch.context() as earlier:
        earlier.setattr(inputs, "VERSION", 1)
        before = StudyData(mine, store)
        before.training_digest()
    now = StudyData(mine, store)
    now.training_digest()
    assert now.key != before.key
    assert len(store.values("questions")) == len(store.values("lessons")) == 2


def test_lessons_of_one_size_and_time_have_another_digest(tmp_path, store, asked):
    mine = profile(tmp_path, {"source": "file", "path": "asked.jsonl"})
    old = written(tmp_path / "lessons.jsonl", pairs("lesson one"))
    first = StudyData(mine, store).training_digest()
    assert StudyData(mine, store).training_digest() == first
    by_tar(old, written(tmp_path / "new" / "lessons.jsonl", pairs("lesson two")))
    again = StudyData(mine, store)
    assert again.training_digest() == again.training_data().digest() != first


def test_lessons_are_those_that_a_model_is_kept_under(tmp_path, store, asked, monkeypatch):
    """The digest was kept, the file has changed since it was hashed."""
    mine = profile(tmp_path, {"source": "file", "path": "asked.jsonl"})
    path = written(tmp_path / "lessons.jsonl", pairs("lesson one"))
    digest = StudyData(mine, store).training_digest()
    questions = StudyData(mine, store)
    assert questions.training_digest() == digest
    written(path, pairs("lesson two"))
    with pytest.raises(TrainingError, match="were changed while they were read; run again"):
        questions.training_data()

    written(path, pairs("lesson six"))
    change = lambda number: written(path, pairs(f"lesson {number}xy"))  # noqa: E731
    _interrupting(monkeypatch, training, "training_pairs", change, 1)
    fresh = StudyData(mine, store)
    assert fresh.training_data().pairs[0].prompt == "Human: lesson 0xy 0?"
    assert fresh.training_digest() == fresh.training_data().digest()


def test_what_no_commit_names_is_read_every_time(tmp_path, store, monkeypatch):
    """A branch moves: what it was must not be taken for what it is."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    mine = profile(tmp_path, {"source": "dataset", "dataset": "a/b", "revision": "v1"})
    read = []

    def select(*_, **__):
        read.append(True)
        return {"a": ()}

    monkeypatch.setattr(selection, "select", select)
    written(tmp_path / "lessons.jsonl", pairs("lesson"))
    for _ in range(2):
        StudyData(mine, store)
    assert len(read) == 2
    assert store.values("questions") == []
    refs = tmp_path / "cache" / "datasets--a--b" / "refs"
    refs.mkdir(parents=True)
    (refs / "v1").write_text(COMMIT)
    for _ in range(2):
        StudyData(mine, store)
    assert len(read) == 3


def test_damaged_questions_are_selected_anew(tmp_path, store, asked):
    mine = profile(tmp_path, {"source": "file", "path": "asked.jsonl"})
    first = StudyData(mine, store)
    store._db.execute("UPDATE entries SET value = replace(value, 'one', 'two')")
    again = StudyData(mine, store)
    assert (again.key, again.prompts) == (first.key, first.prompts)


def test_recorded_answers_are_those_of_the_file_whose_prompts_are_asked(
    tmp_path, store, monkeypatch
):
    mine = profile(tmp_path, {"source": "recorded"}, recorded="asked/test.jsonl")
    path = written(tmp_path / "asked" / "test.jsonl", recorded("one"))
    questions = StudyData(mine, store)
    context = ModelContext(mine, store, questions, Progress())
    assert len(policy_of(context, "base").rows) == 3
    written(path, [row | {"score": 9.0} for row in recorded("one")])
    with pytest.raises(PromptError, match="recorded answers were changed while they were read"):
        _ = policy_of(context, "base").rows
    _interrupting(monkeypatch, recorded_policy, "read_recorded", lambda _: written(path, []), 1)
    with pytest.raises(PromptError, match="recorded answers were changed while they were read"):
        context = ModelContext(mine, store, StudyData(mine, store), Progress())
        _ = policy_of(context, "base").rows
