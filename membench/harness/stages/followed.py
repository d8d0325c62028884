"""Progress of the play stage by its records: lanes write them, this process counts them."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

import orjson

from membench.harness.progress import Progress

INTERVAL_S = 0.5
"""How often the journal is looked at."""


class FollowedJournal:
    """Tells a progress of every record that is appended to a journal while it is open.

    A case with a long history is played for minutes; its events are records one by one.

    Args:
        file: `play.jsonl`, which need not exist yet.
        progress: Told of each event, and which phase of which case it belonged to; what a lane
            does next is known when it is done.
    """

    def __init__(self, file: Path, progress: Progress) -> None:
        """What is there already does not count."""
        self._file, self._progress = file, progress
        self._offset = file.stat().st_size if file.exists() else 0
        self._rest = b""
        self._place = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> FollowedJournal:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Look a last time."""
        self._over.set()
        self._thread.join()
        self.look()

    def look(self) -> None:
        """Count what was appended since the last look."""
        if self._file.exists():
            with self._file.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
            self._offset += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            if count := sum(map(self._is_event, lines)):
                self._progress.advance(count)
        if self._place:
            self._progress.at(self._place)

    def _follow(self) -> None:
        while not self._over.wait(INTERVAL_S):
            self.look()

    def _is_event(self, line: bytes) -> bool:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:  # torn by a lane that died
            return False
        if not isinstance(record, dict) or "event" not in record:
            return False
        self._place = f"last {record.get('phase')} of case {record.get('case')}"
        return True
