"""What adapters ask of the models they are given."""

from __future__ import annotations

import base64
import json
import struct
import urllib.request
from collections.abc import Sequence

from membench.domain.system import ModelEndpoint

TIMEOUT_S = 600.0
"""The gateway has time limits of its own; this one only ends a connection that died unnoticed."""
TEXTS_PER_CALL = 64
CHARACTERS = 24_000
"""Longer texts are cut to their head before they are embedded, since endpoints refuse them."""

Vector = list[float]


def width_of(embedder: ModelEndpoint) -> int:
    """Width of an embedder's vectors; one call where the run does not say."""
    if embedder.dimensions is not None:
        return embedder.dimensions
    return len(embedded(embedder, ["width"])[0])


def embedded(embedder: ModelEndpoint, texts: Sequence[str]) -> list[Vector]:
    """Vectors of texts that are not blank, in their order, as the embedder gives them.

    Raises:
        OSError: The gateway refused a call; it knows why and has recorded it.
    """
    vectors: list[Vector] = []
    for start in range(0, len(texts), TEXTS_PER_CALL):
        part = [text[:CHARACTERS] for text in texts[start : start + TEXTS_PER_CALL]]
        vectors += _call(embedder, part)
    return vectors


def _call(embedder: ModelEndpoint, texts: list[str]) -> list[Vector]:
    asked: dict[str, object] = {
        "model": embedder.model,
        "input": texts,
        "encoding_format": "base64",
    }
    if embedder.dimensions is not None:
        asked["dimensions"] = embedder.dimensions
    request = urllib.request.Request(
        f"{embedder.base_url}/embeddings",
        data=json.dumps(asked).encode(),
        headers={
            "Authorization": f"Bearer {embedder.api_key}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        rows = sorted(json.load(response)["data"], key=lambda row: int(row["index"]))
    return [_numbers(row["embedding"]) for row in rows]


def _numbers(embedding: str | Vector) -> Vector:
    """Endpoints that do not know base64 ignore the wish and send numbers."""
    if isinstance(embedding, str):
        content = base64.b64decode(embedding, validate=True)
        return list(struct.unpack(f"<{len(content) // 4}f", content))
    return embedding
