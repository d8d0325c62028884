"""How recalled memories are laid out in our answer prompts."""

from __future__ import annotations

from collections.abc import Sequence

from membench.harness.model import Memory


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
