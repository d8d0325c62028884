"""How recalled memories are laid out in our answer prompts."""

from __future__ import annotations

from collections.abc import Sequence

from membench.harness.model import Memory


def dated_memories(memories: Sequence[Memory]) -> str:
    """One numbered line per memory in rank order: time, sources, text; `(none)` without any."""
    return "\n".join(line(i, memory) for i, memory in enumerate(memories, 1)) or "(none)"


def line(number: int, memory: Memory) -> str:
    """`3. [2024-03-03 16:05; D3:7] text`, with what the memory knows of time and source."""
    time = memory.time.strftime("%Y-%m-%d %H:%M") if memory.time else ""
    label = "; ".join(part for part in (time, ", ".join(memory.sources)) if part)
    return f"{number}. [{label}] {memory.text}" if label else f"{number}. {memory.text}"
