"""The canonical form of a request: what makes two model calls the same call.

Left out are fields that cannot change what a model says (end-user names, cache hints, metadata);
credentials never are in a body. UUIDs that a system draws for its own items change in every run, so
they are numbered by first appearance in the request, and a recorded reply that quotes one
quotes the number: replayed, it gets the UUID of the request at hand.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from membench.domain.labels import JsonView

VOLATILE = frozenset(
    {"user", "metadata", "store", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"}
)
_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MARK = re.compile(rb"uuid:membench:(\d+)")


@dataclass(frozen=True, slots=True)
class Canonical:
    """A request reduced to what identifies it.

    Attributes:
        sha256: Hash of endpoint and content.
        content: Canonical JSON, UUIDs numbered.
        uuids: The UUIDs in order of first appearance.
    """

    sha256: str
    content: bytes
    uuids: tuple[bytes, ...]

    def conceal(self, reply: bytes) -> bytes:
        """Replace this request's UUIDs in a reply by their numbers."""
        if not self.uuids:
            return reply
        numbers = {uuid: number for number, uuid in enumerate(self.uuids)}
        return _UUID.sub(lambda match: _mark(match.group(), numbers), reply)

    def restore(self, reply: bytes) -> bytes:
        """Put this request's UUIDs where a recorded reply has their numbers."""

        def uuid(match: re.Match[bytes]) -> bytes:
            number = int(match.group(1))
            return self.uuids[number] if number < len(self.uuids) else match.group()

        return _MARK.sub(uuid, reply) if self.uuids else reply


def canonical(endpoint: str, body: JsonView) -> Canonical:
    """Reduce a request to what identifies it; field order does not matter.

    Args:
        endpoint: `chat/completions`, `responses`, `embeddings` or `rerank`.
        body: The request, with the name of the upstream model.
    """
    kept = {key: value for key, value in body.items() if key not in VOLATILE}
    raw = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
    numbers: dict[bytes, int] = {}
    for match in _UUID.finditer(raw):
        numbers.setdefault(match.group(), len(numbers))
    content = _UUID.sub(lambda match: _mark(match.group(), numbers), raw) if numbers else raw
    digest = hashlib.sha256(endpoint.encode() + b"\n" + content).hexdigest()
    return Canonical(digest, content, tuple(numbers))


def _mark(uuid: bytes, numbers: Mapping[bytes, int]) -> bytes:
    """The number that stands for a UUID, or the UUID if the request does not hold it."""
    return b"uuid:membench:%d" % numbers[uuid] if uuid in numbers else uuid
