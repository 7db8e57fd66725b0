"""Requests to OpenAI-compatible servers: the only room that imports the package `openai`."""

from alignment.serving.client import Message, RefusedError, Server, check_client, key_of
from alignment.serving.identities import ServedIdentities, describe_served, served_identities
from alignment.serving.replies import Reply

__all__ = [
    "Message",
    "RefusedError",
    "Reply",
    "ServedIdentities",
    "Server",
    "check_client",
    "describe_served",
    "key_of",
    "served_identities",
]
