"""What adapters ask of the models they are given."""

from __future__ import annotations

import json
import urllib.request

from membench.domain.system import ModelEndpoint


def width_of(embedder: ModelEndpoint) -> int:
    """Width of an embedder's vectors; one call where the run does not say."""
    if embedder.dimensions is not None:
        return embedder.dimensions
    request = urllib.request.Request(
        f"{embedder.base_url}/embeddings",
        data=json.dumps({"model": embedder.model, "input": ["width"]}).encode(),
        headers={
            "Authorization": f"Bearer {embedder.api_key}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return len(json.load(response)["data"][0]["embedding"])
