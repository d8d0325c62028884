"""Scripted scenarios for native systems: a system with a scripted model, and what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from membench.adapters.configured import configured_card
from membench.adapters.registry import checked_parameters, create, get_card
from membench.domain.case import CaseInfo, Session, Turn
from membench.domain.system import ModelEndpoint, SystemContext
from membench.llm.upstreams.scripted import Json, ReplyRule, Request, Text
from membench.testing.scripted import ScriptedServer
from membench.tokens import count_tokens

CASE = CaseInfo("case-1", "test", ("Ann", "Bo"))
Saying = Callable[[Request], Any] | Any


def form(name: str) -> Callable[[Request], bool]:
    """A condition: the reply is to be this form."""
    return lambda request: (request.schema or {}).get("title") == name


def says(replies: Mapping[str, Saying]) -> list[ReplyRule]:
    """Rules by the name of the form that is asked for; a text stands for a broken reply."""
    return [ReplyRule(form(name), _reply(saying)) for name, saying in replies.items()]


def _reply(saying: Saying) -> Any:
    def reply(request: Request) -> Any:
        said = saying(request) if callable(saying) else saying
        return Text(said) if isinstance(said, str) else Json(said)

    return reply


@contextmanager
def playing(
    name: str,
    folder: Path,
    replies: Mapping[str, Saying] | None = None,
    *,
    rules: Sequence[ReplyRule] = (),
    **given: Any,
) -> Iterator[tuple[Any, ScriptedServer]]:
    """A system at the start of a case, its models scripted, and their server."""
    card = get_card(name)
    parameters = checked_parameters(card, given)
    card = configured_card(card, parameters)
    with ScriptedServer([*rules, *says(replies or {})]) as server:
        models = {role: ModelEndpoint(server.base_url, "key", "scripted") for role in card.roles}
        system = create(card, SystemContext(parameters, 0, folder, count_tokens, models))
        system.reset(CASE)
        try:
            yield system, server
        finally:
            system.close()


def in_turn(*replies: Any) -> list[ReplyRule]:
    """One rule: chat replies one after the other, the last one again and again."""
    left = list(replies)

    def reply(_: Request) -> Any:
        said = left.pop(0) if len(left) > 1 else left[0]
        return Text(said) if isinstance(said, str) else said

    return [ReplyRule(lambda request: request.endpoint == "chat/completions", reply)]


def asked(server: ScriptedServer, name: str = "") -> list[str]:
    """The last messages of the chat requests so far, of one form or all."""
    chats = [request for request in server.requests if request.endpoint == "chat/completions"]
    return [request.last for request in chats if not name or form(name)(request)]


def talk(index: int, *lines: str, day: str) -> Session:
    """A session on a day, `Ann` and `Bo` in turn; ids are `s<index>:<n>`."""
    turns = tuple(
        Turn(
            f"s{index}:{n}",
            ("Ann", "Bo")[n % 2],
            ("user", "assistant")[n % 2],  # type: ignore[arg-type]
            words,
            f"{('Ann', 'Bo')[n % 2]}: {words}",
        )
        for n, words in enumerate(lines)
    )
    return Session(f"s{index}", index, turns, datetime.fromisoformat(day))
