"""Keeps every case in its module."""

from __future__ import annotations

from collections.abc import Sequence

from membench.domain.case import CaseInfo, Session
from membench.domain.system import Memory, Query, SystemContext

KEPT: list[Memory] = []


class System:
    """Recalls the first memories it was ever told."""

    def __init__(self, context: SystemContext) -> None:
        pass

    def reset(self, case: CaseInfo) -> None:
        pass

    def ingest(self, session: Session) -> None:
        KEPT.extend(Memory(turn.text) for turn in session.turns)

    def recall(self, query: Query) -> Sequence[Memory]:
        return KEPT[: query.k]

    def close(self) -> None:
        pass
