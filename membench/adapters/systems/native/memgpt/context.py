"""What MemGPT's agent has before it: core memory, a queue of messages, a summary of older ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.items import StoredItem
from membench.adapters.parts.structured import Form

TOLD = (
    "You keep the memory of a long conversation. New messages came. Next step: append (text to a "
    "block), replace (old text in a block by text), insert (text into the archive), search_archive "
    "or search_history (for text or a date YYYY-MM-DD), or done."
)
ASKED = (
    "You keep the memory of a long conversation. A question came. Next step: search_archive or "
    "search_history (for text or a date YYYY-MM-DD; the same again gives the next page), append or "
    "replace in a block, or done."
)
SUMMARY = "Summarise the conversation so far, from the summary before and these older messages."
FULL = "Memory is nearly full: save what matters to a block or the archive now."
ACTIONS = ("append", "replace", "insert", "search_archive", "search_history", "done")
BLOCKS = ("persona", "human")


class Step(Form):
    """One call of a tool."""

    action: Annotated[str, Field(json_schema_extra={"enum": list(ACTIONS)})]
    block: Annotated[str, Field(json_schema_extra={"enum": list(BLOCKS)})]
    old: Annotated[str, Field(max_length=200)]
    text: Annotated[str, Field(max_length=400)]


@dataclass
class Context:
    """The window of the agent.

    Attributes:
        blocks: Core memory by name.
        queue: Messages, oldest first.
        summary: Of the messages that left the queue.
    """

    blocks: dict[str, str] = field(default_factory=lambda: dict.fromkeys(BLOCKS, ""))
    queue: list[str] = field(default_factory=list)
    summary: str = ""

    def prompt(self, log: list[str], warning: str = "") -> str:
        """Everything that the agent sees, the newest last."""
        core = "\n".join(f"<{name}> {text or '(empty)'}" for name, text in self.blocks.items())
        before = f"Summary: {self.summary}\n" if self.summary else ""
        queue, steps = "\n".join(self.queue), "\n".join(log)
        return f"{core}\n{before}{queue}\n{steps}\n{warning}".strip()

    def evict(self) -> list[str]:
        """Take the older half of the queue out, at least one message."""
        half = (len(self.queue) + 1) // 2
        gone, self.queue = self.queue[:half], self.queue[half:]
        return gone

    def edit(self, step: Step, limit: int) -> str:
        """Append to a block or replace a part of it, within so many characters.

        Returns:
            What was wrong; empty where it was done.
        """
        if step.block not in self.blocks:
            return f"there is no block {step.block}"
        held = self.blocks[step.block]
        if step.action == "replace" and (not step.old or step.old not in held):
            return f"the block does not hold {step.old!r}"
        appended = f"{held}\n{step.text}".strip()
        new = held.replace(step.old, step.text, 1) if step.action == "replace" else appended
        if len(new) > limit:
            return f"the block may hold {limit} characters"
        self.blocks[step.block] = new
        return ""


@dataclass
class Turned:
    """What a loop of steps did: its log, the pages it has turned, what it found."""

    log: list[str] = field(default_factory=list)
    pages: Counter[tuple[str, str]] = field(default_factory=Counter)
    found: dict[str, StoredItem] = field(default_factory=dict)
