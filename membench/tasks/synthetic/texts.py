"""The texts of the generator, in the notation of `membench.tasks.generation.templates`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from membench.domain.labels import JsonObject

FOLDER = Path(__file__).parent / "texts"


@cache
def read_texts(name: str) -> JsonObject:
    """One file of the `texts` folder."""
    with (FOLDER / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


@dataclass(frozen=True)
class Slot:
    """One thing that can be known about somebody.

    Attributes:
        name: Its key in `facts.toml`.
        pool: Where its values come from.
        state: Templates that state it.
        update: Templates that say it has changed from `{w}` to `{v}`; empty if it does not change.
        ask: Templates that ask for it.
        before: Templates that ask for its value before the last change.
        request: What the user says before the assistant states it; empty where the user does.
        preference: Whether it is a taste.
    """

    name: str
    pool: str
    state: tuple[str, ...]
    update: tuple[str, ...]
    ask: tuple[str, ...]
    before: tuple[str, ...] = ()
    request: tuple[str, ...] = ()
    preference: bool = False


@cache
def slots() -> dict[str, Slot]:
    """Every slot by name."""
    return {
        name: Slot(
            name=name,
            pool=entry["pool"],
            state=tuple(entry["state"]),
            update=tuple(entry["update"]),
            ask=tuple(entry["ask"]),
            before=tuple(entry.get("before", ())),
            request=tuple(entry.get("request", ())),
            preference=entry.get("preference", False),
        )
        for name, entry in read_texts("facts").items()
    }


@dataclass(frozen=True)
class EventKind:
    """One thing that can happen to somebody on a day; see `events.toml`."""

    state: str
    noun: str
    verb: str
    keys: tuple[str, ...]


@cache
def event_kinds() -> tuple[EventKind, ...]:
    """Every kind of event."""
    return tuple(
        EventKind(entry["state"], entry["noun"], entry["verb"], tuple(entry["keys"]))
        for entry in read_texts("events")["event"]
    )
