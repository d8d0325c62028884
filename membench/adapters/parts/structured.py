"""Structured replies of the memory model: JSON Schema, one retry, repair, and a count of all of it.

A reply that cannot be used is `None`: the caller keeps the raw text instead. Nothing is lost
silently: every outcome is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from membench.adapters.parts.budget import head
from membench.adapters.parts.endpoint import Endpoint
from membench.domain.errors import ProviderFault, Reason, UsageError
from membench.domain.labels import JsonObject, JsonView, Role
from membench.domain.system import SystemContext

ATTEMPTS = 2
"""A reply that cannot be used is asked for once more, with what was wrong with it."""


class Form(BaseModel):
    """What a reply is to hold. Lists should have a `max_length`: it bounds what is generated."""

    model_config = ConfigDict(extra="ignore", frozen=True)


F = TypeVar("F", bound=Form)


@dataclass
class ReplyCounts:
    """What became of the replies that a system asked for.

    Attributes:
        asked: Replies wanted; a retry is not another one.
        retried: Of these, asked a second time.
        repaired: Used after the JSON was mended.
        clipped: Used after lists or texts longer than allowed were cut.
        empty: Used, and all their lists were empty.
        unknown: Names in them (ids, operations, turns) that do not exist, and were skipped.
        unusable: Never usable: the raw text was kept.
        cut: Prompts whose text was cut to what the model may be given.
    """

    asked: int = 0
    retried: int = 0
    repaired: int = 0
    clipped: int = 0
    empty: int = 0
    unknown: int = 0
    unusable: int = 0
    cut: int = 0

    def __add__(self, other: ReplyCounts) -> ReplyCounts:
        """The counts of two models together."""
        theirs = other.to_json()
        return ReplyCounts(**{name: n + theirs[name] for name, n in self.to_json().items()})

    def to_json(self) -> dict[str, int]:
        """By name."""
        return asdict(self)


class Asks(Protocol):
    """Whatever fills in forms; a test may stand in for a model."""

    counts: ReplyCounts

    def ask(self, instruction: str, text: str, form: type[F]) -> F | None:
        """A filled-in form, or None where no usable reply came."""


class CountedModel:
    """The run's memory model at temperature 0, and a count of what came of its replies.

    Args:
        context: Its `memory` endpoint is called.
        prompt_tokens: Tokens of text that one prompt may hold; the rest is cut off.
        reply_tokens: Tokens of a reply.

    Raises:
        UsageError: The run has no memory model, or `json-repair` is not installed.
    """

    def __init__(self, context: SystemContext, prompt_tokens: int, reply_tokens: int) -> None:
        """Nothing is called yet."""
        self.endpoint = Endpoint(context, Role.MEMORY)
        self.count_tokens = context.count_tokens
        self.prompt_tokens = prompt_tokens
        self.reply_tokens = reply_tokens
        self.counts = ReplyCounts()
        needs_repair()

    def close(self) -> None:
        """Close the connection."""
        self.endpoint.close()

    def fitting(self, text: str, tokens: int) -> str:
        """As much of a text as so many tokens hold; what is cut off is counted."""
        kept = head(text, tokens, self.count_tokens)
        self.counts.cut += kept != text
        return kept

    def reply(self, messages: Sequence[Mapping[str, str]], fields: JsonView) -> JsonObject:
        """The message that follows a conversation.

        Args:
            messages: So far, as the protocol has them.
            fields: What else the request says.

        Raises:
            ProviderFault: The endpoint failed, or what came is no message.
        """
        body = {"messages": messages, "temperature": 0.0, "max_tokens": self.reply_tokens}
        reply = self.endpoint.post("/chat/completions", body | dict(fields))
        try:
            return dict(orjson.loads(reply)["choices"][0]["message"])
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ProviderFault(Reason.PROVIDER_BAD_REPLY, f"chat: {error!r}") from error


class StructuredModel(CountedModel):
    """Asks the run's memory model to fill in a form."""

    def ask(self, instruction: str, text: str, form: type[F]) -> F | None:
        """A filled-in form.

        Args:
            instruction: What to do, in a few sentences.
            text: What to do it with; cut to `prompt_tokens`.
            form: What the reply is to hold.

        Returns:
            None where the model refused, or wrote nothing usable twice.

        Raises:
            ProviderFault: The endpoint failed: nobody's bad reply.
        """
        self.counts.asked += 1
        messages = [
            {"role": "system", "content": instruction},
            {"role": "user", "content": self.fitting(text, self.prompt_tokens)},
        ]
        for attempt in range(ATTEMPTS):
            self.counts.retried += attempt > 0
            said = self._say(messages, form)
            filled, problem = self._read(said, form)
            if filled is not None:
                return filled
            messages += [
                {"role": "assistant", "content": said or "(nothing)"},
                {"role": "user", "content": f"Not usable: {problem} Reply with that JSON alone."},
            ]
        self.counts.unusable += 1
        return None

    def _say(self, messages: Sequence[Mapping[str, str]], form: type[Form]) -> str:
        """The words of a reply; empty for a refusal."""
        schema = {"name": form.__name__, "schema": schema_of(form), "strict": True}
        wanted = {"response_format": {"type": "json_schema", "json_schema": schema}}
        return str(self.reply(messages, wanted).get("content") or "")

    def _read(self, said: str, form: type[F]) -> tuple[F | None, str]:
        """The form and no problem, or no form and what is wrong."""
        value, mended = parsed(said)
        if not isinstance(value, dict):
            return None, "it is no JSON object."
        clipped, cut = clip(value, schema_of(form))
        try:
            filled = form.model_validate(clipped)
        except ValidationError as error:
            first = error.errors()[0]
            return None, f"{'.'.join(map(str, first['loc']))}: {first['msg']}."
        self.counts.repaired += mended
        self.counts.clipped += cut
        lists = [found for _, found in filled if isinstance(found, list | tuple)]
        self.counts.empty += bool(lists) and not any(lists)
        return filled, ""


def needs_repair() -> None:
    """Refuse to begin without what mends JSON.

    Raises:
        UsageError: `json-repair` is not installed.
    """
    try:
        import json_repair  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError(
            "this system reads JSON of a model, and json-repair is not installed",
            "Install the extra: pip install 'membench[native]'",
        ) from None


def parsed(said: str) -> tuple[object, bool]:
    """A reply as JSON, and whether it had to be mended."""
    try:
        return orjson.loads(said), False
    except ValueError:
        import json_repair

        return json_repair.loads(said[:200_000]), True


def schema_of(form: type[Form]) -> JsonObject:
    """The JSON Schema of a form, closed and with every property required, as endpoints want."""
    return _closed(form.model_json_schema())


def _closed(schema: JsonObject) -> JsonObject:
    """The schema with every object in it closed and its properties required."""
    for nested in (schema, *schema.get("$defs", {}).values()):
        if "properties" in nested:
            nested["additionalProperties"] = False
            nested["required"] = list(nested["properties"])
    return schema


def clip(value: JsonObject, schema: JsonView) -> tuple[JsonObject, bool]:
    """An object with lists and texts cut to the lengths that its schema allows at the top.

    Returns:
        The object, and whether anything was cut.
    """
    cut = False
    clipped = dict(value)
    for name, declared in schema.get("properties", {}).items():
        found = clipped.get(name)
        most = declared.get("maxItems" if isinstance(found, list) else "maxLength")
        if most is not None and isinstance(found, list | str) and len(found) > most:
            clipped[name], cut = found[:most], True
    return clipped, cut
