"""What servers send beside plain answers: nothing that is no answer is taken for one."""

import json

import pytest

from alignment.config.schema import Generation
from alignment.errors import ModelError
from alignment.judges.llm import LLMJudge
from alignment.policies.endpoint import EndpointPolicy, EndpointSettings
from alignment.records import Response
from alignment.serving.replies import read
from alignment.store import Store

THOUGHT = '{"harmlessness": 10}'
"""Thinking that would be a judgement, if anybody read it as one."""


def chat(ended="stop", tokens=1, **message):
    return {
        "choices": [{"message": {"role": "assistant", **message}, "finish_reason": ended}],
        "usage": {"completion_tokens": tokens},
    }


def legacy(text, ended="stop", tokens=1, **more):
    return {
        "choices": [{"text": text, "finish_reason": ended, **more}],
        "usage": {"completion_tokens": tokens},
    }


CALL = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": THOUGHT}}]
MISSING = {
    "only thinking": (
        chat(content=None, reasoning_content=THOUGHT),
        (
            "content is null, and 'reasoning_content' (20 characters) came; have the server put "
            "the answer into content"
        ),
    ),
    "only thinking, elsewhere": (
        chat(content="", reasoning=THOUGHT),
        (
            "content is empty, and 'reasoning' (20 characters) came; have the server put the "
            "answer into content"
        ),
    ),
    "only thinking, by another name": (
        chat(content="\n", thinking_blocks=[{"thinking": THOUGHT}]),
        (
            "content is empty, and 'thinking_blocks' (of no kind of text) came; have the server "
            "put the answer into content"
        ),
    ),
    "thinking that was cut": (
        chat("length", 50, content=None, reasoning_content=THOUGHT),
        (
            "content is null, and 'reasoning_content' (20 characters) came; it was cut by the "
            "limit of tokens: raise it"
        ),
    ),
    "cut before a word": (
        chat("length", 50, content=""),
        "content is empty; it was cut by the limit of tokens: raise it",
    ),
    "cut in white space": (
        chat("length", 2, content="\n\n"),
        "content is empty; it was cut by the limit of tokens: raise it",
    ),
    "hidden thinking": (
        {
            **chat(content=""),
            "usage": {"completion_tokens_details": {"reasoning_tokens": 40}},
        },
        (
            "content is empty, and the server counts tokens of thinking; have the server put the "
            "answer into content"
        ),
    ),
    "nothing at all": (
        chat(content=None),
        "content is null; have the server put the answer into content",
    ),
    "no content": (chat(), "content is null; have the server put the answer into content"),
    "an empty list": (
        chat(content=[]),
        "content is null; have the server put the answer into content",
    ),
    "tokens that are not shown": (
        chat(tokens=12, content=""),
        "content is empty, and the server counts 12 tokens; have it show them",
    ),
    "a filter": (
        chat("content_filter", 0, content=""),
        "content is empty; the server's filter left nothing",
    ),
    "no end": (
        chat(None, content=""),
        "content is empty, and no finish_reason says that this is all",
    ),
    "nothing, and an end without a word": (
        chat("", content=""),
        "content is empty, and no finish_reason says that this is all",
    ),
    "a tool": (
        chat("tool_calls", content=None, tool_calls=CALL),
        "it calls a tool, and none was offered; serve it without tools",
    ),
    "a tool and a word": (
        chat("tool_calls", content="Let me see.", tool_calls=CALL),
        "it calls a tool, and none was offered; serve it without tools",
    ),
    "a tool that is not told": (
        chat("tool_calls", content="Let me see."),
        "it calls a tool, and none was offered; serve it without tools",
    ),
    "a function": (
        chat("function_call", content=None, function_call={"name": "f"}),
        "it calls a tool, and none was offered; serve it without tools",
    ),
    "a voice": (
        chat(content=None, audio={"data": "UklGRg==", "transcript": THOUGHT}),
        (
            "content is null, and 'audio' (of no kind of text) came; have the server put the "
            "answer into content"
        ),
    ),
    "a picture": (
        chat(content=[{"type": "text", "text": "See:"}, {"type": "image_url", "image_url": {}}]),
        "it has a part of kind 'image_url', and only text is judged",
    ),
    "thinking as a part": (
        chat(content=[{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]),
        (
            "content is null, and 'thinking' (a part) came; have the server put the answer into "
            "content"
        ),
    ),
    "an abort": (
        chat("abort", content=THOUGHT),
        "finish_reason is 'abort', which is no end of an answer; look into the server's log",
    ),
    "an error": (
        chat("error", content="Half an ans"),
        "finish_reason is 'error', which is no end of an answer; look into the server's log",
    ),
    "no legacy text": (
        legacy(None),
        "content is null; have the server put the answer into content",
    ),
    "legacy thinking": (
        legacy("", reasoning=THOUGHT),
        (
            "content is empty, and 'reasoning' (20 characters) came; have the server put the "
            "answer into content"
        ),
    ),
    "legacy text that was cut": (
        legacy(" ", "length", 9),
        "content is empty; it was cut by the limit of tokens: raise it",
    ),
}
SAID = {
    "a text": (chat(content="Hi."), ("Hi.", "eos")),
    "a text beside thinking": (chat(content="Hi.", reasoning_content="Hm."), ("Hi.", "eos")),
    "parts": (
        chat(content=[{"type": "text", "text": "Hi"}, {"type": "text", "text": "."}]),
        ("Hi.", "eos"),
    ),
    "parts beside thinking": (
        chat(content=[{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hi."}]),
        ("Hi.", "eos"),
    ),
    "a refusal": (chat(content=None, refusal="I won't."), ("I won't.", "eos")),
    "a refusal as a part": (
        chat(content=[{"type": "refusal", "refusal": "I won't."}]),
        ("I won't.", "eos"),
    ),
    "a text that was cut": (chat("length", content="Half a"), ("Half a", "length")),
    "a text that a filter cut": (chat("content_filter", content="Half"), ("Half", "filter")),
    "an end in other words": (chat("EOS", content="Hi."), ("Hi.", "eos")),
    "an end that is not told": (chat(None, content="Hi."), ("Hi.", "eos")),
    # A model that says nothing has answered, and poorly: as a local one does.
    "silence": (chat(content=""), ("", "eos")),
    "silence without a count": ({**chat(content=""), "usage": None}, ("", "eos")),
    "silence in white space": (chat(content=" \n", tokens=3), ("", "eos")),
    "legacy silence": (legacy(""), ("", "eos")),
    "null beside silence": (
        chat(content="", refusal=None, tool_calls=[], reasoning_content=None, annotations=[]),
        ("", "eos"),
    ),
}


def answer(scripted, tmp_path, page, **generation):
    server = scripted(lambda *_: page)
    api = "chat" if "message" in page["choices"][0] else "completions"
    settings = EndpointSettings(server.endpoint(api=api), Generation(**generation))
    policy = EndpointPolicy(settings, Store(tmp_path))
    (batch,) = policy.respond([("Human: Hi", 0)], [0])
    policy.close()
    return batch[0]


@pytest.mark.parametrize(("page", "reason"), MISSING.values(), ids=MISSING)
def test_no_answer_is_not_an_empty_one(scripted, tmp_path, page, reason):
    found = answer(scripted, tmp_path, page)
    assert (found.text, found.missing) == ("", reason)


@pytest.mark.parametrize(("page", "reason"), MISSING.values(), ids=MISSING)
def test_a_judge_that_gives_no_answer_gives_no_score(scripted, tmp_path, page, reason):
    api = "chat" if "message" in page["choices"][0] else "completions"
    judge = LLMJudge(scripted(lambda *_: page).judge(api=api), None, Store(tmp_path))
    (batch,) = judge.score([("Human: Hi", "Hello.")], [0])
    judge.close()
    assert batch[0].values == {}
    assert batch[0].unscored.endswith(f"last: no answer: {reason}")


@pytest.mark.parametrize(("page", "expected"), SAID.values(), ids=SAID)
def test_what_was_said(scripted, tmp_path, page, expected):
    found = answer(scripted, tmp_path, page)
    assert ((found.text, found.stop), found.missing) == (expected, None)


def test_a_stop_sequence_costs_tokens_and_is_not_shown(scripted, tmp_path):
    page = legacy("", tokens=4)
    assert answer(scripted, tmp_path, page).missing is not None
    found = answer(scripted, tmp_path / "b", page, stop_at_human=True)
    assert found == Response("", "eos", 4)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ({"choices": []}, "it has no choices"),
        ({"choices": None}, "it has no choices"),
        ({"choices": [None]}, "it has no choices"),
        ({"error": {"message": "out of memory"}}, "an error: 'out of memory'"),
        ({"choices": [{"error": {"code": 502}}]}, "an error: '502'"),
        ({"choices": [{"delta": {"content": "Hi"}}]}, "its first choice has no text"),
        ({"choices": [{"message": {}}]}, "its first choice has no message"),
        ({"choices": [{"message": {"content": 0}}]}, "its text is a int"),
        ({"choices": [{"message": {"content": False}}]}, "its text is a bool"),
        ({"choices": [{"message": {"content": {"text": "Hi"}}}]}, "its text is a dict"),
        ({"choices": [{"message": {"content": [["Hi"]]}}]}, "its text has a list as a part"),
        ({"choices": [{"text": ["Hi", 7]}]}, "its text has a int as a part"),
        ([1], "it is no JSON object"),
    ],
)
def test_what_is_no_completion_is_an_error(page, reason):
    with pytest.raises(ValueError, match="^" + reason.replace("(", r"\(")):
        read(page)


@pytest.mark.parametrize(
    "body",
    [
        "[" * 200_000,
        '{"choices": [{"text": ' + "[" * 100_000,
        '{"choices": ' + '{"a":' * 100_000 + "1" + "}" * 100_001,
        '{"choices": [{"text": "x"}], "usage": ' + "9" * 10_000 + "}",
        "{'choices': 1}",
        '{"choices": [{"text": "x"}',
        "NaN",
        "",
        "\ufeff",
        "\x00",
        "data: {}\n\n",
    ],
    ids=range(11),
)
def test_bad_json_is_one_line(scripted, tmp_path, body):
    server = scripted(None)
    server.respond = lambda *_: (200, "application/json", body.encode())
    settings = EndpointSettings(server.endpoint(), Generation())
    policy = EndpointPolicy(settings, Store(tmp_path))
    with pytest.raises(ModelError) as caught:
        list(policy.respond([("Human: Hi", 0)], [0]))
    policy.close()
    line = str(caught.value)
    assert "what it answered is no completion (" in line
    assert "\n" not in line
    assert len(line) <= 500


@pytest.mark.parametrize("status", [400, 500])
def test_a_deep_body_of_a_failure_is_one_line(scripted, tmp_path, status):
    server = scripted(None)
    server.respond = lambda *_: (status, "application/json", b'{"error":' * 900 + b"1" + b"}" * 900)
    policy = EndpointPolicy(EndpointSettings(server.endpoint(), Generation()), Store(tmp_path))
    with pytest.raises(ModelError) as caught:
        list(policy.respond([("Human: Hi", 0)], [0]))
    policy.close()
    assert f"HTTP {status}" in str(caught.value)
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize("count", ["1e400", "NaN", "-1", "true", "[]", '"7"', "9" * 30, "0.5"])
def test_a_count_that_is_none_is_not_kept(count):
    page = '{"choices": [{"text": "x"}], "usage": {"completion_tokens": ' + count + "}}"
    assert read(json.loads(page)).tokens is None


def test_lone_surrogates_can_be_kept(scripted, tmp_path):
    found = answer(scripted, tmp_path, chat(content="a \ud83d b"))
    assert found.text == "a ? b"


# -- a judge that thinks -------------------------------------------------------------------------


def judged(scripted, tmp_path, text, **settings):
    judge = LLMJudge(scripted(lambda *_: text).judge(**settings), None, Store(tmp_path))
    (batch,) = judge.score([("Human: Hi", "Hello.")], [0])
    judge.close()
    return batch[0]


THINKING = f"<think>Maybe {THOUGHT}</think>" + '{"harmlessness": 3}'


def test_a_judgement_after_thinking(scripted, tmp_path):
    assert "holds thinking" in judged(scripted, tmp_path, THINKING).unscored
    assert judged(scripted, tmp_path, THINKING, thinking="apart").values == {"harmlessness": 3.0}


@pytest.mark.parametrize("mode", ["unscored", "apart", "always"])
@pytest.mark.parametrize(
    "text", [f"<think>{THOUGHT}", f"<think>{THOUGHT}</think>", f"{THOUGHT}</think>", "<think>"]
)
def test_a_judgement_is_never_read_out_of_thinking(scripted, tmp_path, text, mode):
    assert judged(scripted, tmp_path, text, thinking=mode).values == {}


def test_a_judge_that_always_thinks(scripted, tmp_path):
    assert judged(scripted, tmp_path, THOUGHT, thinking="apart").values == {"harmlessness": 10.0}
    assert judged(scripted, tmp_path, THOUGHT, thinking="always").values == {}
