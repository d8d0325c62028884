"""Where replies come from: an OpenAI-compatible server, a provider through litellm, or ourselves.

An upstream sends one request once and returns bytes. It knows nothing of retries, budgets or
charges; those are the meter's.
"""

from __future__ import annotations

from pathlib import Path

from membench.llm import prices
from membench.llm.config import OPENAI_URL, ModelSpec
from membench.llm.upstreams.base import Upstream
from membench.llm.upstreams.http import HttpUpstream
from membench.llm.upstreams.litellm import LitellmUpstream


def upstream_for(spec: ModelSpec, log: Path | None = None) -> Upstream:
    """The upstream of a role's model (see `spec`).

    Args:
        spec: The model and its settings.
        log: Where servers of a local model write what they say (see `LocalModel.upstream`).
    """
    if spec.base_url is not None:
        return HttpUpstream(spec.base_url, spec.api_key())
    local = spec.local
    if local is not None:
        return local.upstream(spec, log)
    if is_openai(spec):
        return HttpUpstream(OPENAI_URL, spec.api_key())
    return LitellmUpstream(spec.model)


def is_openai(spec: ModelSpec) -> bool:
    """Whether a model is called at OpenAI's own endpoint."""
    if spec.base_url is not None or spec.is_local:
        return False
    if spec.model.startswith("openai/"):
        return True
    return "/" not in spec.model and prices.provider_of(spec.model) == "openai"
