"""Embeddings over HTTP: the OpenAI protocol, lists of texts in, unit vectors out."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import orjson

from membench.adapters.parts.budget import head
from membench.adapters.parts.endpoint import Endpoint
from membench.domain.errors import ProviderFault, Reason
from membench.domain.labels import JsonObject, Role
from membench.domain.system import SystemContext

Vectors = npt.NDArray[np.float32]


class Embedder:
    """The run's embedder.

    Args:
        context: Its `embedder` endpoint is called.
        batch_size: Texts per request.
        max_tokens: Longer texts are cut to their head, since endpoints refuse them.

    Raises:
        UsageError: The run has no embedder.
    """

    def __init__(self, context: SystemContext, batch_size: int, max_tokens: int) -> None:
        """Nothing is called yet."""
        self.endpoint = Endpoint(context, Role.EMBEDDER)
        self.batch_size = batch_size
        self.max_tokens = max_tokens
        self.count_tokens = context.count_tokens

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of texts, shape (len(texts), width); a blank text is all zeros.

        Raises:
            ProviderFault: The endpoint failed or replied nonsense.
        """
        spoken = [row for row, text in enumerate(texts) if text.strip()]
        fitting = [head(texts[row], self.max_tokens, self.count_tokens) for row in spoken]
        starts = range(0, len(fitting), self.batch_size)
        batches = [self._request(fitting[start : start + self.batch_size]) for start in starts]
        if not batches:
            return np.zeros((len(texts), 0), np.float32)
        found = np.concatenate(batches)
        vectors = np.zeros((len(texts), found.shape[1]), np.float32)
        vectors[spoken] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return vectors

    def close(self) -> None:
        """Close the connection."""
        self.endpoint.close()

    def _request(self, texts: list[str]) -> Vectors:
        body: JsonObject = {"input": texts, "encoding_format": "base64"}
        if self.endpoint.model.dimensions is not None:
            body["dimensions"] = self.endpoint.model.dimensions
        return _vectors(self.endpoint.post("/embeddings", body), len(texts))


def _vectors(reply: bytes, expected: int) -> Vectors:
    """The vectors of a reply in the order of the request."""
    try:
        rows = sorted(orjson.loads(reply)["data"], key=lambda row: int(row["index"]))
        vectors = np.array([_vector(row["embedding"]) for row in rows], np.float32)
    except (ValueError, KeyError, TypeError) as error:
        raise ProviderFault(Reason.PROVIDER_BAD_REPLY, f"embeddings: {error}") from error
    sound = vectors.ndim == 2 and len(vectors) == expected and vectors.shape[1] > 0
    if not sound or not np.isfinite(vectors).all():
        shape = f"embeddings: {expected} texts gave an array of shape {vectors.shape}"
        raise ProviderFault(Reason.PROVIDER_BAD_REPLY, shape)
    return vectors


def _vector(encoded: str | list[float]) -> npt.ArrayLike:
    """Endpoints that do not know base64 ignore the wish and send numbers."""
    if isinstance(encoded, str):
        return np.frombuffer(base64.b64decode(encoded, validate=True), "<f4")
    return encoded
