"""How Mem-T answers: one search after another, until the agent has enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from membench.adapters.parts.budget import head
from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.tools import Tool, ToolModel
from membench.adapters.parts.units import spoken_date
from membench.adapters.systems.native.mem_t import tools
from membench.adapters.systems.native.mem_t.store import (
    EXPERIENCE,
    FACT,
    PERSONA,
    SUMMARY,
    TURNS,
    TypedStore,
)
from membench.domain.answer import Message
from membench.domain.system import Query

MOST_TURNS = 50
"""Turns of one search, whatever the agent wants."""


@dataclass
class Searched:
    """What came of the searches.

    Attributes:
        found: Items by id, in the order in which they were found.
        answer: What the agent said at the end; empty where it never did.
    """

    found: dict[str, StoredItem] = field(default_factory=dict)
    answer: str = ""


def search(model: ToolModel, typed: TypedStore, query: Query, steps: int, k: int) -> Searched:
    """At most so many calls of the agent, `k` results each.

    What a search shows is cut so that all of them fit into a prompt together.
    """
    searched = Searched()
    today = f"Today is {spoken_date(query.now)}.\n" if query.now else ""
    talk = [Message("system", tools.SEARCH), Message("user", f"{today}Question: {query.text}")]
    for _ in range(steps):
        said = model.say(talk, tools.SEARCHING, field=False)
        call = said.calls[0] if said.calls else None
        if isinstance(call, tools.Finish):
            searched.answer = call.answer
            break
        shown = tools.AGAIN
        if call is not None:
            hits = list(_hits(typed, call, k))
            searched.found |= {item.id: item for item in hits}
            shown = "\n".join(item.text for item in hits) or "(nothing found)"
        fitting = head(shown, model.prompt_tokens // (2 * steps), model.count_tokens)
        talk += [Message("assistant", said.text or "(nothing)"), Message("user", fitting)]
    return searched


def _hits(typed: TypedStore, call: Tool, k: int) -> Iterator[StoredItem]:
    """What one search finds, best first."""
    store = typed.items
    match call:
        case tools.SearchTurns(query=text, top_k=most):
            found = store.search(text, min(max(most, 1), MOST_TURNS), kinds=[TURNS])
        case tools.SearchFacts(query=text):
            found = store.search(text, k, kinds=[FACT, ""])
        case tools.SearchExperiences(query=text):
            found = store.search(text, k, kinds=[EXPERIENCE])
        case tools.SearchSummary(query=""):
            yield from store.of_kind(SUMMARY)[-1:]
            return
        case tools.SearchSummary(query=text):
            found = store.search(text, 1, kinds=[SUMMARY])
        case tools.SearchPersonas(name=name) if name.strip():
            item = typed.named(PERSONA, name)
            yield from [] if item is None else [item]
            return
        case tools.SearchPersonas(query=text):
            found = store.search(text, 1, kinds=[PERSONA])
        case _:
            return
    yield from (hit.item for hit in found)
