"""Asking OpenAI-compatible servers: the only room that knows the client, the package `openai`."""

from alignment.serving.client import Message, RefusedError, Server, check_client, key_of
from alignment.serving.register import Register, described, said
from alignment.serving.replies import Reply

__all__ = [
    "Message",
    "RefusedError",
    "Register",
    "Reply",
    "Server",
    "check_client",
    "described",
    "key_of",
    "said",
]
