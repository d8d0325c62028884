"""Session summaries: a model sums up each session, and the summaries are what is searched."""

from __future__ import annotations

from membench.adapters.parts import extractors
from membench.adapters.parts.item_memory import ItemMemory
from membench.adapters.parts.segments import whole
from membench.domain.case import Session


class SessionSummaries(ItemMemory):
    """Keeps one summary per session; the session itself where no usable one came."""

    def keep(self, session: Session) -> None:
        """One call per session that holds anything."""
        for segment in whole(session):
            summary = extractors.summary(self.model, segment.dated)
            self.add(segment, summary or "")
            if self.given["turns"] and summary:
                self.add(segment)
