"""TRL's dataset formats, each as rows, pairs and prompts."""

from __future__ import annotations

import json
import shutil

import datasets
import datasets.config
import pytest

from alignment.config.axes import DatasetSource, FileSource
from alignment.config.profile import Profile
from alignment.errors import PromptError
from alignment.prompts.preferences import pairs
from alignment.prompts.selection import select
from alignment.prompts.sources import read_rows
from alignment.prompts.transcripts import messages, parse
from alignment.records import Turn

ASKED = "Human: Why does it rain?"
BETTER, WORSE = "Because clouds cool.", "No idea."
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


QUESTION = [user("Why does it rain?")]
FORMS = {
    "HH-RLHF": {
        "chosen": f"\n\n{ASKED}\n\nAssistant: {BETTER}",
        "rejected": f"\n\n{ASKED}\n\nAssistant: {WORSE}",
    },
    "explicit prompt": {"prompt": "Why does it rain?", "chosen": BETTER, "rejected": WORSE},
    "explicit prompt, labelled": {
        "prompt": f"{ASKED}\n\nAssistant:",
        "chosen": f" {BETTER}",
        "rejected": f" {WORSE}",
    },
    "explicit prompt, conversational": {
        "prompt": QUESTION,
        "chosen": [assistant(BETTER)],
        "rejected": [assistant(WORSE)],
    },
    "implicit prompt, conversational": {
        "chosen": [*QUESTION, assistant(BETTER)],
        "rejected": [*QUESTION, assistant(WORSE)],
    },
    "implicit prompt, and told apart": {
        "prompt": "Why does it rain?",
        "chosen": [*QUESTION, assistant(BETTER)],
        "rejected": [*QUESTION, assistant(WORSE)],
    },
}


def read(folder, rows):
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = FileSource(source="file", path="rows.jsonl")
    return list(read_rows(source, data=folder, axis="x", network=False))


def refusal(folder, row):
    with pytest.raises(PromptError) as raised:
        read(folder, [FORMS["HH-RLHF"], row])
    text = str(raised.value)
    assert text.startswith(f"{folder / 'rows.jsonl'}, line 2: ")
    assert "\n" not in text
    return text.partition("line 2: ")[2]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_pair(tmp_path, form):
    usable, unusable = pairs(read(tmp_path, [FORMS[form]]), "x")
    assert not unusable
    assert [(p.prompt, p.chosen, p.rejected) for p in usable] == [(ASKED, BETTER, WORSE)]


def test_turns_before_the_last_are_kept(tmp_path):
    history = [user("Hello."), assistant("Hello!\n\nWhat can I do?"), *QUESTION]
    row = {"prompt": history, "chosen": [assistant(BETTER)], "rejected": [assistant(WORSE)]}
    ((pair,), _) = pairs(read(tmp_path, [row]), "x")
    assert pair.prompt == f"Human: Hello.\n\nAssistant: Hello!\n\nWhat can I do?\n\n{ASKED}"
    assert messages(pair.prompt) == history


def test_a_system_message_opens_the_turn_after_it(tmp_path):
    history = [{"role": "system", "content": "Be brief."}, *QUESTION]
    row = {"chosen": [*history, assistant(BETTER)], "rejected": [*history, assistant(WORSE)]}
    ((pair,), _) = pairs(read(tmp_path, [row]), "x")
    assert pair.prompt == "Human: Be brief.\n\nWhy does it rain?"
    assert parse(pair.prompt) == (Turn("Human", "Be brief.\n\nWhy does it rain?"),)


@pytest.mark.parametrize("gap", ["\n\n", "\n \n", "\r\n\r\n", "\n\n\n\n"])
def test_a_message_stays_one_turn_whatever_it_says(tmp_path, gap):
    text = f"They said:{gap}Human: no{gap}Assistant: yes"
    ((row,)) = read(tmp_path, [{"prompt": [user(text)]}])
    assert parse(row.prompt) == (Turn("Human", "They said:\nHuman: no\nAssistant: yes"),)


def test_conversations_that_are_only_prompts(tmp_path):
    history = [user("Hello."), assistant("Hello!"), *QUESTION]
    read(tmp_path, [{"prompt": QUESTION}, {"prompt": history}])
    axis = {"rate": "R", "threshold": 0.0, "comparison": ">="}
    prompts = {"origin": {"source": "file", "path": "rows.jsonl"}}
    profile = Profile.model_validate(
        {"name": "p", "axes": {"x": {**axis, "prompts": prompts}}, "judge": {"model": "./judge"}}
    )
    found = [prompt.text for prompt in select(profile, data=tmp_path)["x"]]
    assert found == [ASKED, f"Human: Hello.\n\nAssistant: Hello!\n\n{ASKED}"]


@pytest.mark.parametrize(
    ("conversation", "reason"),
    [
        ([], "`chosen` is an empty list; messages are required"),
        (["Hello."], "`chosen`, message 1: an object with `role` and `content` is required, "),
        ([*QUESTION, {"role": "tool", "content": "5"}], "`chosen`, message 2: role 'tool' has no "),
        ([{"content": "Hello."}], "`chosen`, message 1: role None has no place"),
        (
            [*QUESTION, {"role": "assistant", "content": None, "tool_calls": [{}]}],
            "`chosen`, message 2: `content` must be a string; calls of tools are not supported",
        ),
        (
            [{"role": "user", "content": [{"type": "image"}]}],
            "`chosen`, message 1: `content` must be a string, not a list",
        ),
        ([{"role": "system", "content": "Be brief."}], "`chosen`: a system message needs a user's"),
    ],
)
def test_what_is_no_dialogue_of_text_is_refused_with_file_and_row(tmp_path, conversation, reason):
    assert refusal(tmp_path, {"chosen": conversation}).startswith(reason)


@pytest.fixture
def conversations():
    """A data set of two rows as people publish them."""
    row = {"score": 1.5, **FORMS["implicit prompt, and told apart"]}
    return datasets.Dataset.from_list([row, row])


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return cache


def pairs_of(source, folder):
    return pairs(read_rows(source, data=folder, axis="x", network=False), "x")


def test_a_folder_of_parquet(tmp_path, conversations, own_cache):
    (tmp_path / "theirs" / "data").mkdir(parents=True)
    conversations.to_parquet(tmp_path / "theirs" / "data" / "train-00000-of-00001.parquet")
    source = DatasetSource(source="dataset", dataset="theirs", split="train")
    usable, unusable = pairs_of(source, tmp_path)
    assert [(p.prompt, p.chosen, p.rejected) for p in usable] == [(ASKED, BETTER, WORSE)] * 2
    assert not unusable


def test_the_cache_of_datasets_offline(tmp_path, conversations, own_cache):
    """What `load_dataset("acme/chats")` leaves behind, made of what a local load leaves."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    conversations.to_parquet(folder / "train.parquet")
    datasets.load_dataset(str(folder), split="train")
    (made,) = own_cache.glob("theirs/default/0.0.0/*/dataset_info.json")
    kept = own_cache / "acme___chats" / "default" / "0.0.0" / COMMIT
    shutil.copytree(made.parent, kept)
    (kept / "theirs-train.arrow").rename(kept / "chats-train.arrow")
    shutil.rmtree(own_cache / "theirs")
    shutil.rmtree(folder)
    source = DatasetSource(source="dataset", dataset="acme/chats", split="train")
    usable, _ = pairs_of(source, tmp_path)
    assert [(p.prompt, p.chosen, p.rejected) for p in usable] == [(ASKED, BETTER, WORSE)] * 2


def test_the_hubs_cache_offline(tmp_path, conversations, own_cache):
    """What `hf download --repo-type dataset` leaves behind."""
    repository = tmp_path / "hub" / "datasets--acme--chats"
    snapshot = repository / "snapshots" / COMMIT
    (snapshot / "data").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    conversations.to_parquet(snapshot / "data" / "train-00000-of-00001.parquet")
    source = DatasetSource(source="dataset", dataset="acme/chats", split="train")
    usable, _ = pairs_of(source, tmp_path)
    assert [(p.prompt, p.chosen, p.rejected) for p in usable] == [(ASKED, BETTER, WORSE)] * 2
    shutil.rmtree(repository)
    with pytest.raises(PromptError, match=r"dataset 'acme/chats' .*`network = true`"):
        pairs_of(source, tmp_path)
