"""Templates of generated texts, and their notation.

- `(one/another)`: one of them is drawn; they do not nest.
- `[am|is]`: the first where the subject is the user ("I"), else the second.
- `{S}`, `{P}`, `{O}`, `{p}`: the subject as nominative ("I", "Nadia"), possessive ("my",
  "Nadia's"), object ("me", "Nadia"), and its pronoun ("my", "their"); other names are filled in
  as given.

The first letter of a rendered template is left as it is; `sentence` capitalises it and ends it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from membench.tasks.generation.draws import Draws

PIECE = re.compile(r"\((?P<choice>[^()]*)\)|\[(?P<person>[^\[\]]*)\]|\{(?P<name>\w+)\}")

Fields = Mapping[str, str]


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
