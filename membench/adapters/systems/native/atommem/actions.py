"""What AtomMem writes: the tags are the release's, the words of the prompts ours."""

from __future__ import annotations

import re

READ = (
    "You read a long history piece by piece and keep what helps to answer a question. Your note is "
    "carried from piece to piece; entries lie in a store, of which you see what your last query "
    "finds. Write any of these, several if needed:\n"
    "<update_memory>the whole note, anew</update_memory>\n"
    "<update_query>words that should find entries next time</update_query>\n"
    "<add_memory>a new entry</add_memory>\n"
    "<modify_memory>Memory 1: what the entry of this number says from now on</modify_memory>\n"
    "<delete_memory>Memory 1</delete_memory>"
)
ANSWER = (
    "Answer the question from your note and the entries. Write "
    "<final_answer>\\boxed{the answer in a few words}</final_answer>, or first "
    "<update_query>words that should find other entries</update_query>."
)
NOTHING = "(none)"
NUMBERED = re.compile(r"\s*Memory\s+(\d+)\s*:?\s*(.*)", re.DOTALL | re.IGNORECASE)
BOXED = re.compile(r"\\boxed\{(.*)\}", re.DOTALL)


def entry_of(text: str, shown: int) -> tuple[int, str] | None:
    """Which of the shown entries an action means, from 0, and what it says of it; None for none."""
    found = NUMBERED.match(text)
    number = int(found[1]) - 1 if found else -1
    return (number, found[2].strip()) if found and 0 <= number < shown else None


def boxed(text: str) -> str:
    """An answer out of its box."""
    found = BOXED.search(text)
    return (found[1] if found else text).strip()
