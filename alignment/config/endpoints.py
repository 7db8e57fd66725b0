"""Served models: their addresses and names, and the settings of requests to them."""

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
    """A model that is served with an OpenAI-compatible API."""

    url: str
    """The base URL, up to and including the version: `http://127.0.0.1:8000/v1`."""
    model: Annotated[str, Field(min_length=1)]
    """The name of the model on the server."""
    api: Literal["completions", "chat"] = "completions"
    """`completions` sends the same text that a local model would get; `chat` sends the turns as
    messages."""
    key_env: str = "OPENAI_API_KEY"
    """The name of the environment variable that holds the API key, in capitals; keys are never
    stored."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 8
    """The number of requests at the same time."""
    timeout: Annotated[float, Field(gt=0.0, le=86_400.0)] = 60.0
    """The time limit, in seconds, for one complete request, including the connection."""
    retries: Annotated[int, Field(ge=0, le=100)] = 6
    """How often a failed request is repeated, with growing pauses, before the run stops."""

    # The messages of these two validators do not quote the value, because it may be a key.
    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            whole = bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise ValueError(
                "a url must be http://HOST:PORT/v1, and this one has no valid host or port"
            ) from None
        if parts.username is not None or parts.password is not None or "@" in value:
            raise ValueError(
                "a url must not contain a key, because it is shown in reports; use `key_env`"
            )
        if parts.scheme not in {"http", "https"} or not whole or not _PLAIN.fullmatch(value):
            raise ValueError("a url must be http://HOST:PORT/v1, with nothing after it")
        return value

    @field_validator("key_env")
    @classmethod
    def _variable(cls, value: str) -> str:
        if not _VARIABLE.fullmatch(value):
            raise ValueError(
                "the name of an environment variable is required, in capitals, not the key itself"
            )
        redaction.remember(os.environ.get(value))
        return value

    @property
    def local(self) -> bool:
        """Whether it is served on this machine, so that `network = true` is not needed."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class JudgeEndpoint(Endpoint):
    """An LLM judge that is served with an OpenAI-compatible API."""

    api: Literal["completions", "chat"] = "chat"
    """`chat` sends messages, `completions` one text."""
    rubric: Annotated[dict[Name, str], Field(min_length=1, max_length=100)]
    """Dimension -> the instruction for judging it, in words."""
    scale: Pair[Annotated[int, Field(ge=-1_000_000, le=1_000_000)]] = (1, 10)
    """The lowest and the highest score."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """How often each response is judged; the score is the mean, and the report shows how far the
    judgements differ."""
    max_tokens: Tokens = 256
    """The maximum number of tokens of a judgement; a reasoning model needs more."""
    thinking: Literal["unscored", "apart", "always"] = "unscored"
    """How thinking in a judgement is treated, as in `generation`; the score is never read from
    the thinking."""

    @model_validator(mode="after")
    def _check_scale(self) -> Self:
        if self.scale[0] >= self.scale[1]:
            raise ValueError("`scale` must be the lowest score, then the highest score")
        return self
