"""Finding the memories in what a search tool returned. Servers agree on no format."""

from __future__ import annotations

import json
from collections.abc import Iterator

from membench.domain.labels import JsonObject

LISTS = ("memories", "results", "result", "items", "entries", "data")
TEXTS = ("memory", "text", "content", "value")


def texts_in(reply: object) -> Iterator[str]:
    """The memories of a reply, in order.

    A list is a list of memories. An object is one memory if it has a text, or holds a list of
    them. A string is one memory, or JSON of any of these.
    """
    if isinstance(reply, str):
        yield from _in_string(reply)
    elif isinstance(reply, list):
        for part in reply:
            yield from texts_in(part)
    elif isinstance(reply, dict):
        yield from _in_object(reply)


def _in_string(reply: str) -> Iterator[str]:
    if reply.lstrip()[:1] in ("[", "{"):
        try:
            decoded = json.loads(reply)
        except ValueError:
            decoded = None
        if isinstance(decoded, list | dict):
            yield from texts_in(decoded)
            return
    yield reply


def _in_object(reply: JsonObject) -> Iterator[str]:
    for key in LISTS:
        if isinstance(reply.get(key), list | dict | str):
            yield from texts_in(reply[key])
            return
    for key in TEXTS:
        if isinstance(reply.get(key), str):
            yield reply[key]
            return
