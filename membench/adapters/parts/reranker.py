"""Scores of texts for a query by a cross-encoder over HTTP: the rerank protocol.

The protocol is the one that Cohere and Jina have and that vLLM, llama.cpp and Infinity serve:
`POST /rerank` with `query` and `documents`, scores by index.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import orjson

from membench.adapters.parts.budget import head
from membench.adapters.parts.endpoint import Endpoint
from membench.domain.errors import ProviderFault, Reason
from membench.domain.labels import JsonObject, Role
from membench.domain.system import SystemContext


class Reranker:
    """The run's reranker.

    Args:
        context: Its `reranker` endpoint is called.
        max_tokens: Longer texts are cut to their head, since cross-encoders read no more.

    Raises:
        UsageError: The run has no reranker.
    """

    def __init__(self, context: SystemContext, max_tokens: int) -> None:
        """Nothing is called yet."""
        self.endpoint = Endpoint(context, Role.RERANKER)
        self.max_tokens = max_tokens
        self.count_tokens = context.count_tokens

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the query, in their order; one call for all of them.

        Blank texts, which endpoints refuse, get the lowest score there is.

        Raises:
            ProviderFault: The endpoint failed or replied nonsense.
        """
        found = [-math.inf] * len(texts)
        spoken = [row for row, text in enumerate(texts) if text.strip()]
        if not spoken or not query.strip():
            return found
        documents = [head(texts[row], self.max_tokens, self.count_tokens) for row in spoken]
        body: JsonObject = {"query": query, "documents": documents, "top_n": len(documents)}
        for row, score in zip(spoken, _scores(self.endpoint, body), strict=True):
            found[row] = score
        return found

    def close(self) -> None:
        """Close the connection."""
        self.endpoint.close()


def _scores(endpoint: Endpoint, body: JsonObject) -> list[float]:
    """The scores of a reply in the order of the documents: each of them once, and finite."""
    expected = len(body["documents"])
    try:
        results = orjson.loads(endpoint.post("/rerank", body))["results"]
        by_index = {int(each["index"]): float(each["relevance_score"]) for each in results}
    except (ValueError, KeyError, TypeError) as error:
        raise ProviderFault(Reason.PROVIDER_BAD_REPLY, f"rerank: {error}") from error
    if sorted(by_index) != list(range(expected)) or not all(map(math.isfinite, by_index.values())):
        said = f"rerank: {expected} texts gave scores for {sorted(by_index)[:10]}"
        raise ProviderFault(Reason.PROVIDER_BAD_REPLY, said)
    return [by_index[index] for index in range(expected)]
