"""Writes a file for each case and recalls how many of them it can see."""

from __future__ import annotations

from collections.abc import Sequence

from membench.domain.case import CaseInfo, Session
from membench.domain.system import Memory, Query, SystemContext


class System:
    """Its store is a file in its work folder."""

    def __init__(self, context: SystemContext) -> None:
        self._workdir = context.workdir

    def reset(self, case: CaseInfo) -> None:
        pass

    def ingest(self, session: Session) -> None:
        (self._workdir / "store").write_text("".join(turn.text for turn in session.turns))

    def recall(self, query: Query) -> Sequence[Memory]:
        lane = next(
            folder for folder in self._workdir.parents if "membench-tmp-lane" in folder.name
        )
        stores = [file for file in lane.rglob("store") if file.is_file()]
        return [Memory(f"stores: {len(stores)}")]

    def close(self) -> None:
        pass
