"""Sessions for adapter tests."""

from collections.abc import Sequence
from datetime import datetime

from membench.domain.case import CaseInfo, Item, Session, Turn

CASE = CaseInfo("case-1", "test", ("Ann", "Bo"))


def turn(name: str, text: str, role: str = "user", time: datetime | None = None) -> Turn:
    return Turn(name, "Ann" if role == "user" else "Bo", role, text, text, time)  # type: ignore[arg-type]


def session(index: int, texts: Sequence[str], *, alternate: bool = True) -> Session:
    """Turns `s<index>:<n>`; every second one is the assistant's unless `alternate` is False."""
    turns = tuple(
        turn(f"s{index}:{n}", text, "assistant" if alternate and n % 2 else "user")
        for n, text in enumerate(texts)
    )
    return Session(f"s{index}", index, turns, datetime(2024, 5, 8 + index % 20, 13, 56))


def item(name: str, text: str) -> Item:
    return Item(name, text)
