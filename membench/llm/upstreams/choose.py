"""Where replies come from: an OpenAI-compatible server, a provider through litellm, or ourselves.

An upstream sends one request once and returns bytes. It knows nothing of retries, budgets or
charges; those are the meter's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from membench.llm import openai_protocol, prices
from membench.llm.config import MINILM, OPENAI_URL, ModelSpec
from membench.llm.upstreams.scripted.rule_model import ScriptedModel

if TYPE_CHECKING:
    pass
from membench.llm.upstreams.base import EVENTS, Reply, Upstream
from membench.llm.upstreams.http import HttpUpstream
from membench.llm.upstreams.litellm import LitellmUpstream


@dataclass
class ScriptedUpstream:
    """The scripted model, in process."""

    model: ScriptedModel

    async def send(self, endpoint: str, body: openai_protocol.Body) -> Reply:
        """Follow the script."""
        reply = self.model.reply(endpoint, body)
        if not body.get("stream"):
            return Reply(orjson.dumps(reply))
        if endpoint == openai_protocol.RESPONSES:
            return Reply(
                openai_protocol.response_sse(openai_protocol.response_events(reply)), EVENTS
            )
        return Reply(
            openai_protocol.chat_sse(openai_protocol.chat_chunks(reply, include_usage=True)), EVENTS
        )

    async def close(self) -> None:
        """Nothing to release."""


def upstream_for(spec: ModelSpec) -> Upstream:
    """The upstream of a role's model (see `spec`)."""
    if spec.base_url is not None:
        return HttpUpstream(spec.base_url, spec.api_key())
    if spec.model == MINILM:
        from membench.llm.upstreams.minilm import MiniLmUpstream

        return MiniLmUpstream()
    if spec.is_local:
        return ScriptedUpstream(ScriptedModel(width=spec.dimensions or 256))
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
