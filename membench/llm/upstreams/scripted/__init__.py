"""A model that follows a script: rules and recordings instead of weights.

It answers every request of the OpenAI protocol deterministically, so that whatever talks to a
model can run offline. What it says means nothing: a run that used it is marked and no board
takes it. `membench.testing.scripted` serves it over HTTP, with faults on demand.
"""

from membench.llm.upstreams.scripted.rule_model import ScriptedModel
from membench.llm.upstreams.scripted.rules import (
    Call,
    Json,
    ReplyRule,
    Request,
    Script,
    Text,
    ToolCalls,
    contains,
    endpoint_is,
)
from membench.llm.upstreams.scripted.schema import instance
from membench.llm.upstreams.scripted.vectors import embed

__all__ = [
    "Call",
    "Json",
    "ReplyRule",
    "Request",
    "Script",
    "ScriptedModel",
    "Text",
    "ToolCalls",
    "contains",
    "embed",
    "endpoint_is",
    "instance",
]
