"""Write the fields of what a system is given and returns into docs/new-system.md.

Usage: python docs/make_fields.py
"""

import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path

from membench.domain.case import Item, Session, Turn
from membench.domain.system import Memory, MemoryChange, Query

PAGE = Path(__file__).with_name("new-system.md")
CLASSES = (Session, Turn, Query, Memory, Item, MemoryChange)
BEGIN = "<!-- fields: made by `python docs/make_fields.py` -->"
END = "<!-- end of fields -->"
BLOCK = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
FIELD = re.compile(r"^ {4}(\w+): (.+?)(?=^ {4}\w+: |\Z)", re.DOTALL | re.MULTILINE)


def page() -> str:
    """The guide with its tables as the classes have them now."""
    written = f"{BEGIN}\n\n{chr(10).join(tables())}\n{END}"
    return BLOCK.sub(lambda _: written, PAGE.read_text())


def tables() -> Iterator[str]:
    """A table for each class."""
    for kind in CLASSES:
        yield f"**`{kind.__name__}`**: {summary(kind)}\n"
        yield "| field | type | what it is |\n|---|---|---|"
        yield from rows(kind)
        yield ""


def rows(kind: type) -> Iterator[str]:
    """A row for each field.

    Raises:
        KeyError: A field that the class does not describe.
    """
    said = descriptions(kind)
    for field in fields(kind):
        default = "" if field.default is MISSING else f" = {field.default!r}"
        shown = f"{field.type}{default}".replace("|", "\\|")
        yield f"| `{field.name}` | `{shown}` | {said[field.name]} |"


def summary(kind: type) -> str:
    """The first sentence of a class's docstring."""
    return (inspect.getdoc(kind) or "").splitlines()[0]


def descriptions(kind: type) -> dict[str, str]:
    """What a class says of its fields."""
    _, _, listed = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    return {name: " ".join(text.split()) for name, text in FIELD.findall(listed)}


if __name__ == "__main__":
    PAGE.write_text(page())
