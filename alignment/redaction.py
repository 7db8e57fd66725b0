"""What must be shown nowhere: the keys this process was given, and what an address may hold.

Whatever a server says passes `without_keys` before anything else reads it; all that we say
ourselves (errors, the command line in a report) passes `redacted`. Imports nothing of the project.
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
"""Variables that the libraries we use take a key from, whatever the profile names."""

_SHORT, _WORD = 6, 12
"""A key below so many characters, or a plain word below so many, is taken for a placeholder: `none`
or `password` must not be blacked out in every answer that has the word."""

_USER = re.compile(r"(?:(?<=://)|(?<=:/)(?!/))\S*@")
"""Where an address was taken for a path, one of its slashes is gone."""
_ALL_USER = re.compile(r"(?s)(?<=://).*@")
"""The same in a text that is one address at most: a password may hold spaces."""
_QUERY = re.compile(r"(:/[^\s?]*\?)[^\s'\"]+")
_OPTION = re.compile(
    r"(?is)(--?(?:[\w.]+[-_])*(?:api)?(?:key|token|secret|pass|passwd|password|credentials?|auth))"
    r"(=.*)?"
)

_keys: set[str] = set()


def remember(key: str | None) -> None:
    """Never show this key from now on, in any of its spellings."""
    if key and (key := key.strip()) and _is_secret(key):
        _keys.add(key)


def without_keys(text: str) -> str:
    """A text without any key that is known, however it is spelled."""
    for name in _TOKENS:
        remember(os.environ.get(name))
    pattern = _pattern(frozenset(_keys))
    return text if pattern is None else pattern.sub(HIDDEN, text)


def redacted(text: str) -> str:
    """A text without keys, and without users, passwords and queries of the addresses in it."""
    return _QUERY.sub(rf"\1{HIDDEN}", _USER.sub(f"{HIDDEN}@", without_keys(text)))


def command(arguments: Sequence[str]) -> list[str]:
    """A command line that can be shown: values of options that are named after a key are hidden."""
    found: list[str] = []
    hide = False
    for argument in arguments:
        option = _OPTION.fullmatch(argument)
        if hide and not argument.startswith("-"):
            found.append(HIDDEN)
        elif option is not None and option[2]:
            found.append(f"{option[1]}={HIDDEN}")
        else:
            found.append(redacted(_ALL_USER.sub(f"{HIDDEN}@", argument)))
        hide = option is not None and not option[2]
    return found


def guard_logs(*libraries: str) -> None:
    """Keep keys out of what these libraries log, at whatever level. Call it once they are imported.

    A filter holds for the logger that it hangs on, and not for those beneath it.
    """
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.partition(".")[0] in libraries:
            logger.addFilter(_FILTER)


class _Filter(logging.Filter):
    """Takes keys out of a record's message and of its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = record.getMessage()
        kept = without_keys(told)
        if kept != told:
            record.msg, record.args = kept, ()
        if record.exc_info:
            record.exc_text = without_keys(logging.Formatter().formatException(record.exc_info))
        return True


_FILTER = _Filter()


def _is_secret(key: str) -> bool:
    return len(key) >= (_WORD if key.isalpha() else _SHORT)


@cache
def _pattern(keys: frozenset[str]) -> re.Pattern[str] | None:
    spellings = {each for key in keys for each in _spellings(key)}
    longest = sorted(spellings, key=len, reverse=True)
    return re.compile("|".join(longest)) if longest else None


def _spellings(key: str) -> Iterator[str]:
    """Patterns of a key as it may stand in a text: plain or escaped, in hex, in base64."""
    raw = key.encode("utf-8", "surrogatepass")
    yield _escaped(key)
    yield f"(?i:{raw.hex()})"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):  # `user:KEY` begins a key at any of three places of a group
            code = encode(b"\0" * before + raw).decode()
            known = code.rstrip("=")[:-1] if code.endswith("=") else code
            yield _escaped(known[(0, 2, 3)[before] :])


def _escaped(text: str) -> str:
    r"""A pattern of a text in which any character may be escaped, as often as it was quoted.

    By JSON, Python and shells (`\"`, `\u0022`, `\x22`), in an address (`%22`), in HTML.
    """
    return "".join(map(_character, text))


def _character(character: str) -> str:
    # Every repetition has an end: a text of nothing but backslashes would else take for ever.
    code = f"(?i:{ord(character):02x})"
    return (
        rf"(?:\\{{0,8}}{re.escape(character)}|\\{{1,8}}(?:u00|x){code}|%(?:25){{0,4}}{code}"
        rf"|&\#(?:0{{0,6}}{ord(character)}|x0{{0,6}}{code});|{re.escape(html.escape(character))})"
    )
