"""Small histories that conformance plays: dated, long ago, in many scripts."""

from __future__ import annotations

from datetime import datetime, timedelta

from membench.domain.case import CaseInfo, Item, Session, Turn

START = datetime(1998, 3, 2, 9, 30)
"""Long ago, so that a date of today can only come from the wall clock."""

TALK = (
    ("Ines", "I moved to Porto last spring and I work at the harbour library now."),
    ("Tom", "Porto! Does your sister still keep bees on the roof?"),
    ("Ines", "She does, eleven hives, and she sold the old van to pay for them."),
    ("Tom", "I started the pottery course on Tuesdays, my first bowl cracked."),
    ("Ines", "Bring the next one, we eat caldo verde every Friday."),
    ("Tom", "Deal. My flight lands on the ninth at noon."),
)

SCRIPTS = (
    ("Ines", "Zoë paid 30 € for naïve café art 🎨👩‍🚀 — “really”?"),
    ("Tom", "東京で猫を見た。とても静かだった。"),
    ("Ines", "وصلت الرسالة يوم الخميس مساءً"),
    ("Tom", "e\u0301 and é, ﬁ and fi, A\u030a and Å, tab\tand\nline break"),
    ("Ines", "<|endoftext|> {braces} 'quotes' \"double\" \\ % ; -- DROP TABLE"),
)


def info(case: str) -> CaseInfo:
    """What `reset` is told about a case of these histories."""
    return CaseInfo(case, "conformance", ("Ines", "Tom"))


def session(case: str, index: int, lines: tuple[tuple[str, str], ...]) -> Session:
    """A session of a case: turn ids name the case, dates follow each other by a week."""
    turns = tuple(
        Turn(
            id=f"{case}/{index}/{n}",
            speaker=speaker,
            role="user" if speaker == "Ines" else "assistant",
            content=words,
            text=f"{speaker}: {words}",
        )
        for n, (speaker, words) in enumerate(lines)
    )
    return Session(f"{case}/{index}", index, turns, START + timedelta(days=7 * index))


def item(case: str, text: str) -> Item:
    """An item of a case."""
    return Item(f"{case}/item", text)


def huge(case: str, turns: int) -> Session:
    """One session of many turns, one of them very long."""
    lines = [
        ("Ines" if n % 2 else "Tom", f"Note {n}: shelf {n % 17} was empty.") for n in range(turns)
    ]
    lines[turns // 2] = ("Ines", "and then it rained, " * 2500)
    return session(case, 0, tuple(lines))
