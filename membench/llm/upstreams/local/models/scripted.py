"""The scripted model as a local one: rules instead of weights, in any role."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import orjson

from membench.domain.labels import Role
from membench.llm import openai_protocol
from membench.llm.upstreams.base import EVENTS, BaseUpstream, Reply
from membench.llm.upstreams.local.entry import LocalModel

if TYPE_CHECKING:
    from membench.llm.config import ModelSpec
    from membench.llm.upstreams.scripted.rule_model import ScriptedModel

WIDTH = 256


@dataclass
class ScriptedUpstream(BaseUpstream):
    """The scripted model, in process: rules take no time that is worth a meter."""

    metered: ClassVar[bool] = True
    model: ScriptedModel

    async def send(self, endpoint: str, body: openai_protocol.Body) -> Reply:
        """Follow the script."""
        reply = self.model.reply(endpoint, body)
        if not body.get("stream"):
            return Reply(orjson.dumps(reply), cpu_s=0.0)
        if endpoint == openai_protocol.RESPONSES:
            events = openai_protocol.response_events(reply)
            return Reply(openai_protocol.response_sse(events), EVENTS, cpu_s=0.0)
        chunks = openai_protocol.chat_chunks(reply, include_usage=True)
        return Reply(openai_protocol.chat_sse(chunks), EVENTS, cpu_s=0.0)


@dataclass(frozen=True)
class Scripted(LocalModel):
    """The entry of the registry."""

    def upstream(self, spec: ModelSpec, log: Path | None = None) -> ScriptedUpstream:
        """A fresh model that knows no rules of its own."""
        from membench.llm.upstreams.scripted.rule_model import ScriptedModel

        return ScriptedUpstream(ScriptedModel(width=spec.dimensions or WIDTH))


ENTRY = Scripted(
    name="scripted",
    title="rules instead of weights, to rehearse without a model",
    roles=frozenset(Role),
    dimensions=WIDTH,
    scripted=True,
)
