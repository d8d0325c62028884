"""The generator's texts, and the notation of their templates.

- `(one/another)`: one of them is drawn; they do not nest.
- `[am|is]`: the first where the subject is the user ("I"), else the second.
- `{S}`, `{P}`, `{O}`, `{p}`: the subject as nominative ("I", "Nadia"), possessive ("my",
  "Nadia's"), object ("me", "Nadia"), and its pronoun ("my", "their"); other names are filled in
  as given.

The first letter of a rendered template is left as it is; `sentence` capitalises it and ends it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from membench.domain.labels import JsonObject
from membench.tasks.synthetic.draws import Draws

FOLDER = Path(__file__).parent / "texts"
PIECE = re.compile(r"\((?P<choice>[^()]*)\)|\[(?P<person>[^\[\]]*)\]|\{(?P<name>\w+)\}")

Fields = Mapping[str, str]


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


@lru_cache(maxsize=4096)
def pieces(template: str) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    """A template cut into literal text, choices, forms by person, and names."""
    found: list[tuple[str, str | tuple[str, ...]]] = []
    end = 0
    for match in PIECE.finditer(template):
        found.append(("text", template[end : match.start()]))
        kind = str(match.lastgroup)
        inner = match[kind]
        cut = {"choice": "/", "person": "|"}.get(kind)
        found.append((kind, tuple(inner.split(cut)) if cut else inner))
        end = match.end()
    found.append(("text", template[end:]))
    return tuple(piece for piece in found if piece[1])


def render(template: str, draws: Draws, fields: Fields) -> str:
    """Fill a template in.

    Args:
        template: In the notation above.
        draws: Where choices come from.
        fields: Value by name. `S` decides the person.
    """
    out = []
    for kind, inner in pieces(template):
        if isinstance(inner, str):
            out.append(fields[inner] if kind == "name" else inner)
        elif kind == "choice":
            out.append(draws.pick(inner))
        else:
            out.append(inner[0] if fields.get("S") == "I" else inner[1])
    return "".join(out)


def sentence(text: str, mark: str = ".") -> str:
    """A text with a capital first letter and a mark at its end."""
    ended = text if text[-1] in ".?!" else text + mark
    return ended[0].upper() + ended[1:]
