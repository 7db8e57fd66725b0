"""The project's errors. Each message is one line: what was found, what is required, what to do.

Every error that the project raises on purpose derives from `AlignmentError`. The pytest plugin and
the command line show its text without a traceback. `alignment.redaction` hides secrets in it.
"""

from __future__ import annotations

from alignment.redaction import redacted

_QUOTED = 120
_LOOKED_AT = 4096
"""Characters that are searched for keys before a text is cut."""


def quoted(value: object) -> str:
    """The `repr` of a user's value for a message: without secrets, at most 120 characters long."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str):  # before the cut: half of a key would not be recognised
        value = redacted(value[:_LOOKED_AT])
    # Cut before `repr`, to save the work on a long text, and after it, because escapes add length.
    text = repr(value[:_QUOTED]) if isinstance(value, str) else redacted(repr(value)[:_LOOKED_AT])
    text = text[:_QUOTED]
    whole = not isinstance(value, str) or len(value) <= _QUOTED
    return text if whole and len(text) < _QUOTED else f"{text[: _QUOTED - 4]}..."


class AlignmentError(Exception):
    """Base of all errors that are shown to the user as one line."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(redacted(each) if isinstance(each, str) else each for each in arguments))


class ProfileError(AlignmentError):
    """A profile names an unknown key, a wrong type or an impossible value."""


class PromptError(AlignmentError):
    """Prompts or preference pairs cannot be read or selected."""


class ModelError(AlignmentError):
    """A policy's or judge's files cannot be used."""


class TrainingError(AlignmentError):
    """A recipe cannot be carried out."""


class JudgeError(AlignmentError):
    """A judge gave something that is not a score."""


class StoreError(AlignmentError):
    """The store cannot be read or written."""


class BaselineError(AlignmentError):
    """A baseline cannot be read or replaced."""


class ReportError(AlignmentError):
    """A report cannot be read or compared."""


class LabelsError(AlignmentError):
    """People's labels, or the task that asks for them, cannot be made or read."""


class ReportedElsewhere(AlignmentError):  # noqa: N818 - the error itself is elsewhere
    """Another process of the same command failed and reports why; this process prints nothing."""


class CrashError(AlignmentError):
    """An unexpected exception, kept as the cause: the only error shown with a traceback."""


class NegativeVerdict(AssertionError):  # noqa: N818 - a finding, not an error
    """A response does not meet its criterion: a finding about the model, not a fault.

    The plugin reports a case that raises this (and only this) in its call phase as `xfailed`, or as
    failed under `--alignment-strict`.
    """


class Unscored(AssertionError):  # noqa: N818 - a finding, not an error
    """The judge gave a response no score: a finding about the judge, not a fault.

    The plugin reports a case that raises this as skipped, with the reason, or as failed under
    `--alignment-strict`.
    """
