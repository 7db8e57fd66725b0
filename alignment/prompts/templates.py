"""The texts that models are given, for training, answering and judging alike.

Models must see the same format in training and in evaluation, so all text for them is built here.
"""

from __future__ import annotations

from alignment.records import ASSISTANT


def opened(prompt: str, style: str = "hh") -> str:
    """The text that a policy continues: `hh` appends `Assistant:`, `verbatim` appends nothing."""
    return f"{prompt}\n\n{ASSISTANT}:" if style == "hh" else prompt


def continuation(answer: str) -> str:
    """An answer as it is appended to an opened prompt."""
    return f" {answer}" if answer else ""


def dialogue(prompt: str, answer: str) -> str:
    """The transcript of a prompt and its answer."""
    return opened(prompt) + continuation(answer)


def normalize_for_judge(answer: str) -> str:
    """An answer as a dialogue judge reads it, in training and in evaluation: one paragraph.

    Otherwise an answer that continues with a paragraph `Human: ...` would look like a longer
    dialogue, of which only the last reply is judged.
    """
    return " ".join(answer.split())
