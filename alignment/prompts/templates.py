"""How a dialogue is put to a model: one place for training, answering and judging.

The same text must be seen in training and in evaluation; whoever builds text for a model uses this.
"""

from __future__ import annotations

from alignment.records import ASSISTANT


def opened(prompt: str, style: str = "hh") -> str:
    """The text that a policy continues: `hh` opens the assistant's turn, `verbatim` does not."""
    return f"{prompt}\n\n{ASSISTANT}:" if style == "hh" else prompt


def continuation(answer: str) -> str:
    """An answer as it follows an opened prompt."""
    return f" {answer}" if answer else ""


def dialogue(prompt: str, answer: str) -> str:
    """The transcript that a prompt and an answer make."""
    return opened(prompt) + continuation(answer)


def normalize_for_judge(answer: str) -> str:
    """An answer as a dialogue judge reads it, in training and in evaluation: one paragraph.

    A turn begins with a new paragraph. An answer that runs on into `Human: ...` would otherwise
    look like a longer dialogue, of which only the last reply is judged.
    """
    return " ".join(answer.split())
