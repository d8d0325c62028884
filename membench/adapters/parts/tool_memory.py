"""What systems share whose model writes memory with tools: an item memory that speaks with it."""

from __future__ import annotations

from membench.adapters.parts.budget import head
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.structured import ReplyCounts
from membench.adapters.parts.tools import ToolModel
from membench.domain.system import SystemContext


class ToolMemory(ItemMemory):
    """An item memory with a `ToolModel`; its card has `prompt_tokens` and `reply_tokens`."""

    def __init__(self, context: SystemContext) -> None:
        """Connect to the models."""
        super().__init__(context)
        prompt, reply = int(self.given["prompt_tokens"]), int(self.given["reply_tokens"])
        self.speaker = ToolModel(context, prompt, reply)

    def reply_counts(self) -> ReplyCounts:
        """What became of the model's replies since the start."""
        return self.speaker.counts

    def close(self) -> None:
        """Let everything go."""
        super().close()
        self.speaker.close()

    def bounded(self, text: str, tokens: int) -> str:
        """A text that may hold so many tokens; what is cut off is counted."""
        kept = head(text, tokens, self.count_tokens)
        self.speaker.counts.clipped += kept != text
        return kept
