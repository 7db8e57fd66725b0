import pytest

from alignment.analysis.degenerate import KINDS, kind

ASKED = (
    "Human: Hi there\n\nAssistant: Hello!\n\nHuman: How do I get rust off a bicycle chain, please?"
)
QUESTION = "How do I get rust off a bicycle chain, please?"
GOOD = "Soak the chain in vinegar for an hour, brush it, rinse it, dry it, and oil it again."


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("", "empty"),
        (" \n\t\u3000 ", "empty"),
        ("Assistant: ", "empty"),
        ("?", "symbols"),
        ("... !!! -- \u200b", "symbols"),
        ("😀😀", "symbols"),
        (f"{GOOD}\n\nHuman: Thanks!", "runaway"),
        (f"{GOOD}\n\nHuman", "runaway"),
        (f"{GOOD}  Human: Thanks!", "runaway"),
        ("Human: How?", "runaway"),
        (QUESTION, "echo"),
        (f"Assistant: {QUESTION.upper()}", "echo"),
        (f"{QUESTION} {QUESTION} How do I", "echo"),
        ("how do I get rust off a bicycle", "echo"),
        (ASKED.removeprefix("Human: "), "runaway"),
        ("the the the the the the the the the", "repetition"),
        ("no" * 20, "repetition"),
        ("No, no, " * 9, "repetition"),
        ("I agree. " + "It is a sad situation. " * 4, "repetition"),
        (",,,,,,,,,,,,,,,,,,,,,,,,,,, but no", "repetition"),
        ("我不知道。我不知道。我不知道。我不知道。", "repetition"),
    ],
)
def test_degenerate_responses_are_named(response, expected):
    assert kind(ASKED, response) == expected


@pytest.mark.parametrize(
    "response",
    [
        GOOD,
        "I can't help with that.",
        "No.",
        "ha ha ha ha ha",
        "1. Soak it.\n2. Brush it.\n3. Oil it.\n4. Wipe it.\n5. Ride it.",
        "How do I get rust off a bicycle chain? With vinegar and a brush.",
        "How do I",
        "Human resources can tell you: ask them.",
        "The Human: a study of people",
        "42",
        "用白醋浸泡一小时，然后刷洗、冲洗、擦干，再上油。",  # noqa: RUF001
        "แช่โซ่ในน้ำส้มสายชูหนึ่งชั่วโมง แปรง ล้าง เช็ดให้แห้ง แล้วทาน้ำมันอีกครั้ง",
        "इसे एक घंटे के लिए सिरके में भिगोएँ, ब्रश करें, धोएँ, सुखाएँ और फिर तेल लगाएँ।",
        "A ------------------------- B: soak, brush, rinse, dry and oil the chain, then ride.",
    ],
)
def test_good_replies_have_no_kind(response):
    assert kind(ASKED, response) is None


def test_a_greeting_is_no_echo():
    assert kind("Human: Good morning!", "Good morning!") is None


def test_the_whole_prompt_can_be_echoed():
    assert kind(f"{QUESTION} It is blue.", f"{QUESTION} It is blue.") == "echo"


@pytest.mark.parametrize("response", ["", "?", GOOD, "word " * 40])
def test_an_unknown_prompt_echoes_nothing(response):
    assert kind("", response) in {None, *KINDS} - {"echo"}


def test_a_lone_surrogate_is_text_like_any_other():
    assert kind(ASKED, "\ud800") == "symbols"
    assert kind(ASKED, f"{GOOD} \ud800") is None
