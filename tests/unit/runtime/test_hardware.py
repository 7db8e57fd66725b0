"""Whatever a loader raises over a folder is one line that names the folder."""

import pickle

import pytest

from alignment.errors import JudgeError, ModelError
from alignment.runtime.hardware import loading


class PanicException(BaseException):
    """As the tokenizers' library raises it: no `Exception`, and not to be imported."""


class OutOfMemoryError(RuntimeError):
    """Torch's."""


def told(error):
    with pytest.raises(ModelError) as caught, loading("/models/theirs"):
        raise error
    text = str(caught.value)
    assert text.startswith("model /models/theirs: ")
    assert "\n" not in text
    assert len(text) <= 500
    assert caught.value.__cause__ is error
    return text.removeprefix("model /models/theirs: ")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError("no file"), "cannot be loaded: no file"),
        (ValueError("two\nlines"), "cannot be loaded: two"),
        (ValueError("Validation error for 'x':\n    it is 3"), None),
        (RuntimeError("x" * 9000), None),
        (AssertionError("Padding_idx must be within"), "cannot be loaded: Padding_idx must be"),
        (AssertionError(), "cannot be loaded: AssertionError"),
        (KeyError("weight"), "cannot be loaded: KeyError: 'weight'"),
        (TypeError("int() argument"), "cannot be loaded: TypeError: int() argument"),
        (AttributeError("no 'shape'"), "cannot be loaded: AttributeError: no 'shape'"),
        (ZeroDivisionError("by zero"), "cannot be loaded: ZeroDivisionError: by zero"),
        (NotImplementedError(), "cannot be loaded: NotImplementedError"),
        (RecursionError("too deep"), "cannot be loaded: too deep"),
        (OverflowError("too large"), "cannot be loaded: OverflowError: too large"),
        (StopIteration(), "cannot be loaded: StopIteration"),
        (EOFError("ended"), "cannot be loaded: ended"),
        (PanicException("index out of range"), "cannot be loaded: index out of range"),
        (MemoryError(), "there is too little memory to load it"),
        (OutOfMemoryError("CUDA out of memory"), "there is too little memory to load it"),
        (pickle.UnpicklingError("run me"), "its pickled weights are damaged"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, BaseException) else "",
)
def test_whatever_a_loader_raises_is_one_line(error, text):
    found = told(error)
    assert found.startswith(text or "cannot be loaded: ")


def test_a_line_that_only_announces_is_told_with_the_next():
    error = ValueError("Validation error for 'x':\n    it is 3")
    assert told(error) == "cannot be loaded: Validation error for 'x': it is 3"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_who_wants_to_stop_is_not_held(error):
    with pytest.raises(error), loading("/models/theirs"):
        raise error


def test_what_is_ours_goes_through():
    with pytest.raises(JudgeError, match=r"^said already$"), loading("/models/theirs"):
        raise JudgeError("said already")
