"""How recalled memories are laid out in our answer prompts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from membench.domain.errors import JudgeFault, Reason
from membench.domain.system import Memory


def dated_memories(memories: Sequence[Memory], *, sources: bool = True) -> str:
    """One numbered line per memory in rank order; `(none)` without any.

    Args:
        memories: What was recalled.
        sources: Whether to show the turns a memory came from, beside its time.
    """
    lines = (line(i, memory, sources) for i, memory in enumerate(memories, 1))
    return "\n".join(lines) or "(none)"


def line(number: int, memory: Memory, sources: bool) -> str:
    """`3. [2024-03-03 16:05; D3:7] text`, with what the memory knows of time and source."""
    time = memory.time.strftime("%Y-%m-%d %H:%M") if memory.time else ""
    names = ", ".join(memory.sources) if sources else ""
    label = "; ".join(part for part in (time, names) if part)
    return f"{number}. [{label}] {memory.text}" if label else f"{number}. {memory.text}"


THINKING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)


def unparsable(detail: str) -> JudgeFault:
    """The fault of a reply that is not what the prompt asked for."""
    return JudgeFault(Reason.JUDGE_UNPARSABLE, detail)


def without_reasoning(text: str) -> str:
    """A model's reply without its reasoning trace; one that was opened elsewhere ends it too."""
    cut = THINKING.sub("", text)
    _, closed, rest = cut.rpartition("</think>")
    return (rest if closed else cut).strip()


def json_object(reply: str) -> dict[str, Any]:
    """The object in a reply: the whole text, or the first object that starts at a brace.

    Raises:
        JudgeFault: There is none.
    """
    text = without_reasoning(reply)
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", text):
        try:
            value, _ = decoder.raw_decode(text, match.start())
        except (json.JSONDecodeError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    raise unparsable("the reply holds no JSON object")


def checked_label(value: object, known: Sequence[str]) -> str:
    """The label of a reply in its known spelling; a whole number counts as its digits.

    Raises:
        JudgeFault: Missing or not one of the known labels.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None or isinstance(value, bool) else str(value).strip().casefold()
    for label in known:
        if text == label.casefold():
            return label
    raise unparsable(f"the label is none of {', '.join(known)}")
