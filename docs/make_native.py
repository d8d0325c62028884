"""Write the tables of native systems into docs/native-systems.md, from their cards and files.

Usage: python docs/make_native.py
"""

import re
from collections.abc import Iterator
from pathlib import Path

from membench.adapters.card import SystemCard
from membench.adapters.registry import list_systems

PAGE = Path(__file__).with_name("native-systems.md")
KINDS = ("native", "controllers", "baselines")
BEGIN = "<!-- systems: made by `python docs/make_native.py` -->"
END = "<!-- end of systems -->"
BLOCK = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def page() -> str:
    """The page with its tables as the systems are now."""
    written = f"{BEGIN}\n\n{chr(10).join(tables())}\n{END}"
    return BLOCK.sub(lambda _: written, PAGE.read_text())


def cards() -> list[SystemCard]:
    """Systems that call a model for a method of their own, by kind and name."""
    found = [card for card in list_systems().values() if "reply_counts" in card.capabilities]
    return sorted(found, key=lambda card: (KINDS.index(card.folder.parent.name), card.name))


def tables() -> Iterator[str]:
    """What each is, and where it differs from its paper."""
    yield "| system | paper | what it does | a memory is | lines |\n|---|---|---|---|--:|"
    for card in cards():
        paper = card.paper or "-"
        yield (f"| `{card.name}` | {paper} | {card.summary} | {card.granularity} | {lines(card)} |")
    yield "\nWhere each differs from its paper or release, as its card says:\n"
    for card in cards():
        if card.deviations:
            yield f"**{card.title}** (`{card.name}`)\n"
            yield from (f"- {deviation}" for deviation in card.deviations)
            yield ""


def lines(card: SystemCard) -> int:
    """Lines of the file that its card names."""
    module = card.entry.partition(":")[0]
    return len((card.folder / f"{module}.py").read_text().splitlines())


if __name__ == "__main__":
    PAGE.write_text(page())
