"""Hides secrets: this process's API keys, and users, passwords and queries of addresses.

Every reply of a server goes through `without_keys` before anything else reads it; our own texts
(errors, the command line in a report) go through `redacted`. Imports nothing of the project.
"""

from __future__ import annotations

import base64
import html
import logging
import os
import re
from collections.abc import Iterator, Sequence
from functools import cache

HIDDEN = "***"

_TOKENS = ("OPENAI_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""Environment variables from which our libraries take a key, whatever the profile says."""

_SHORT, _WORD = 6, 12
"""A key of fewer than 6 characters, or of fewer than 12 that are all letters, is taken for a
placeholder: `none` or `password` must not be hidden in every answer that contains the word."""

_USER = re.compile(r"(?:(?<=://)|(?<=:/)(?!/))\S*@")
"""User and password in an address. `:/`: an address that was read as a path lost one `/`."""
_ALL_USER = re.compile(r"(?s)(?<=://).*@")
"""The same in a text that is at most one address: here the password may contain spaces."""
_QUERY = re.compile(r"(:/[^\s?]*\?)[^\s'\"]+")
_OPTION = re.compile(
    r"(?is)(--?(?:[\w.]+[-_])*(?:api)?(?:key|token|secret|pass|passwd|password|credentials?|auth))"
    r"(=.*)?"
)

_keys: set[str] = set()


def remember(key: str | None) -> None:
    """Hide this key in all texts from now on, in each of its spellings, unless a placeholder."""
    if key and (key := key.strip()) and _is_secret(key):
        _keys.add(key)


def without_keys(text: str) -> str:
    """`text` with every known key, in each of its spellings, replaced by `***`."""
    for name in _TOKENS:
        remember(os.environ.get(name))
    pattern = _key_pattern(frozenset(_keys))
    return text if pattern is None else pattern.sub(HIDDEN, text)


def redacted(text: str) -> str:
    """`text` with keys, and users, passwords and queries of addresses, replaced by `***`."""
    return _QUERY.sub(rf"\1{HIDDEN}", _USER.sub(f"{HIDDEN}@", without_keys(text)))


def command(arguments: Sequence[str]) -> list[str]:
    """A command line fit to be shown: values of options such as `--api-key` are hidden too."""
    shown: list[str] = []
    hide = False
    for argument in arguments:
        option = _OPTION.fullmatch(argument)
        if hide and not argument.startswith("-"):
            shown.append(HIDDEN)
        elif option is not None and option[2]:
            shown.append(f"{option[1]}={HIDDEN}")
        else:
            shown.append(redacted(_ALL_USER.sub(f"{HIDDEN}@", argument)))
        hide = option is not None and not option[2]
    return shown


def guard_logs(*libraries: str) -> None:
    """Hide keys in what these libraries log, at any level. Call it after they are imported.

    Every existing logger gets the filter: a filter does not apply to the children of its logger.
    """
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.partition(".")[0] in libraries:
            logger.addFilter(_FILTER)


class _Filter(logging.Filter):
    """Hides keys in a record's message and in its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        cleaned = without_keys(message)
        if cleaned != message:
            record.msg, record.args = cleaned, ()
        if record.exc_info:
            record.exc_text = without_keys(logging.Formatter().formatException(record.exc_info))
        return True


_FILTER = _Filter()


def _is_secret(key: str) -> bool:
    return len(key) >= (_WORD if key.isalpha() else _SHORT)


@cache
def _key_pattern(keys: frozenset[str]) -> re.Pattern[str] | None:
    spellings = {each for key in keys for each in _spelling_patterns(key)}
    longest = sorted(spellings, key=len, reverse=True)
    return re.compile("|".join(longest)) if longest else None


def _spelling_patterns(key: str) -> Iterator[str]:
    """Patterns of a key as it may occur in a text: plain or escaped, in hex, in base64."""
    raw = key.encode("utf-8", "surrogatepass")
    yield _text_pattern(key)
    yield f"(?i:{raw.hex()})"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):  # where the key starts in a group of three bytes (`user:KEY`)
            code = encode(b"\0" * before + raw).decode()
            certain = code.rstrip("=")[:-1] if code.endswith("=") else code
            yield _text_pattern(certain[(0, 2, 3)[before] :])


def _text_pattern(text: str) -> str:
    r"""A pattern of `text` in which any character may be escaped, also several times over.

    Escapes are those of JSON, Python and shells (`\"`, `\u0022`, `\x22`), of addresses (`%22`) and
    of HTML.
    """
    return "".join(map(_character_pattern, text))


def _character_pattern(character: str) -> str:
    # Every repetition is bounded: otherwise a text of only backslashes would take forever.
    code = f"(?i:{ord(character):02x})"
    return (
        rf"(?:\\{{0,8}}{re.escape(character)}|\\{{1,8}}(?:u00|x){code}|%(?:25){{0,4}}{code}"
        rf"|&\#(?:0{{0,6}}{ord(character)}|x0{{0,6}}{code});|{re.escape(html.escape(character))})"
    )
