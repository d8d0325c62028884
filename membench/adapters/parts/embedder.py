"""Embeddings over HTTP: the OpenAI protocol, one kept connection, lists of texts.

The endpoint is the run's gateway, which meters, retries and replays; so nothing is retried here
but a kept connection that turns out to be closed.
"""

from __future__ import annotations

import base64
import http.client
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import orjson

from membench.adapters.parts.budget import head
from membench.harness.errors import ProviderFault, Reason, UsageError
from membench.harness.model import Role, SystemContext

Vectors = npt.NDArray[np.float32]

TIMEOUT_S = 600.0
"""The gateway has time limits of its own; this one only ends a connection that died unnoticed."""


_CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
_REASONS = {
    408: Reason.PROVIDER_TIMEOUT,
    429: Reason.PROVIDER_RATE_LIMIT,
    504: Reason.PROVIDER_TIMEOUT,
}


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
        if Role.EMBEDDER not in context.models:
            raise UsageError(
                "this system needs an embedder", "Give one, for instance --embedder minilm."
            )
        self.endpoint = context.models[Role.EMBEDDER]
        self.batch_size = batch_size
        self.max_tokens = max_tokens
        self.count_tokens = context.count_tokens
        self._connection: http.client.HTTPConnection | None = None

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
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _request(self, texts: list[str]) -> Vectors:
        body: dict[str, Any] = {
            "model": self.endpoint.model,
            "input": texts,
            "encoding_format": "base64",
        }
        if self.endpoint.dimensions is not None:
            body["dimensions"] = self.endpoint.dimensions
        return _vectors(self._post(orjson.dumps(body)), len(texts))

    def _post(self, body: bytes) -> bytes:
        try:
            status, reply = self._exchange(body)
        except TimeoutError as error:
            self.close()
            raise ProviderFault(Reason.PROVIDER_TIMEOUT, f"embeddings: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ProviderFault(
                Reason.PROVIDER_ERROR, f"{type(error).__name__}: {error}"
            ) from error
        if status != http.client.OK:
            raise _refusal(status, reply)
        return reply

    def _exchange(self, body: bytes) -> tuple[int, bytes]:
        """Send on the kept connection; on a new one if that was closed meanwhile."""
        kept = self._connection is not None
        try:
            return self._send(body)
        except (ConnectionError, http.client.BadStatusLine):
            self.close()
            if not kept:
                raise
            return self._send(body)

    def _send(self, body: bytes) -> tuple[int, bytes]:
        url = urlsplit(self.endpoint.base_url)
        if self._connection is None:
            kind = (
                http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
            )
            self._connection = kind(url.netloc, timeout=TIMEOUT_S)
        headers = {
            "Authorization": f"Bearer {self.endpoint.api_key}",
            "Content-Type": "application/json",
        }
        self._connection.request("POST", f"{url.path.rstrip('/')}/embeddings", body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()


def _refusal(status: int, reply: bytes) -> ProviderFault:
    detail = f"embeddings: status {status}: {reply[:300].decode(errors='replace')}"
    return ProviderFault(_REASONS.get(status, Reason.PROVIDER_ERROR), detail)


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
