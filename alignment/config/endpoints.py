"""Models that are served: where, by which name, and how patiently they are asked."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from alignment import redaction
from alignment.config.tables import Name, Pair, Table, Tokens

_PLAIN = re.compile(r"[^\s?#\\\x00-\x20\x7f]+")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


class Endpoint(Table):
    """A model served anywhere with an OpenAI-compatible API."""

    url: str
    """Up to and including the version: `http://127.0.0.1:8000/v1`."""
    model: Annotated[str, Field(min_length=1)]
    """The name that the server knows it by."""
    api: Literal["completions", "chat"] = "completions"
    """`completions` gets the text that a local policy would get; `chat` the turns as messages."""
    key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key, in capitals; keys stand nowhere else."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 8
    """Questions under way at once."""
    timeout: Annotated[float, Field(gt=0.0, le=86_400.0)] = 60.0
    """Seconds for one whole answer, from the name of the host to the last byte."""
    retries: Annotated[int, Field(ge=0, le=100)] = 6
    """How often one question is asked again, with growing pauses, before the run gives up."""

    # No message of these two quotes what it found: it may be a key.
    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            whole = bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise ValueError(
                "a url is http://HOST:PORT/v1, and this one has no such host or port"
            ) from None
        if parts.username is not None or parts.password is not None or "@" in value:
            raise ValueError("a key does not stand in a url: reports have it; use `key_env`")
        if parts.scheme not in {"http", "https"} or not whole or not _PLAIN.fullmatch(value):
            raise ValueError("a url is http://HOST:PORT/v1, and nothing after that")
        return value

    @field_validator("key_env")
    @classmethod
    def _variable(cls, value: str) -> str:
        if not _VARIABLE.fullmatch(value):
            raise ValueError(
                "this is the name of an environment variable, in capitals, and not the key itself"
            )
        redaction.remember(os.environ.get(value))
        return value

    @property
    def local(self) -> bool:
        """Whether it is served on this machine: asking it needs no leave to use the network."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class JudgeEndpoint(Endpoint):
    """An LLM judge behind an endpoint."""

    api: Literal["completions", "chat"] = "chat"
    """`chat` asks with messages, `completions` with one text."""
    rubric: Annotated[dict[Name, str], Field(min_length=1, max_length=100)]
    """Dimension -> what is asked of a response, in words."""
    scale: Pair[Annotated[int, Field(ge=-1_000_000, le=1_000_000)]] = (1, 10)
    """The lowest and the highest score."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """How often each response is judged; the score is the mean, their disagreement is reported."""
    max_tokens: Tokens = 256
    """Of one answer; a model that thinks before it answers needs more."""
    thinking: Literal["unscored", "apart", "always"] = "unscored"
    """What becomes of thinking in the text of an answer, as in `generation`: a judgement is never
    read out of it."""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.scale[0] >= self.scale[1]:
            raise ValueError("`scale` is the lowest and the highest score")
        return self
