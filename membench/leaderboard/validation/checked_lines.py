"""Lines of a bundle that were read strictly and fit their schema, kept on disk between the stages.

Every stage reads them again from there, one at a time: what a check holds in memory does not grow
with the questions. They are written anew from what was parsed, so that no reader can see them
differently from then on.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

from membench.domain.labels import JsonObject, JsonView
from membench.domain.score import Score
from membench.leaderboard.bundles.score_table import ScoreLines, unpacked_rows


class WorkFolder:
    """A temporary folder that is removed with the last thing that needs it."""

    def __init__(self) -> None:
        """Make it."""
        self.path = Path(tempfile.mkdtemp(prefix="membench-verify-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class LinesFile:
    """Lines in a work folder."""

    def __init__(self, folder: WorkFolder, name: str, lines: Iterable[JsonView]) -> None:
        """Write the lines, one after the other."""
        self._folder = folder
        self.path = folder.path / name
        with self.path.open("wb") as file:
            file.writelines(orjson.dumps(x, option=orjson.OPT_APPEND_NEWLINE) for x in lines)

    def __iter__(self) -> Iterator[JsonObject]:
        """Read them."""
        with self.path.open("rb") as file:
            yield from map(orjson.loads, file)


RowKey = tuple[str, str, str, int | None]
"""What identifies a score row: case, kind, item, event."""


def row_key(row: Score) -> RowKey:
    """The key of a row."""
    return row.case_id, row.kind, row.item_id, row.event


class ScoreFile:
    """The score rows that a bundle claims: all of them in turn, or one by its key."""

    def __init__(self, lines: LinesFile) -> None:
        """Read rows from checked lines."""
        self._lines = lines

    def __iter__(self) -> Iterator[Score]:
        """Read them."""
        return unpacked_rows(self._lines)

    def by_key(self) -> ClaimedRows:
        """An index of the rows."""
        return ClaimedRows(self._lines.path)


class ClaimedRows:
    """Score rows by key: the place of each is kept, the row is read when it is asked for."""

    def __init__(self, path: Path) -> None:
        """Scan the file once; of two rows with one key the last counts."""
        self._file = path.open("rb")
        weakref.finalize(self, self._file.close)
        self._table = ScoreLines()
        self._places: dict[int, int] = {}
        at = 0
        for raw in self._file:
            row = self._table.row(orjson.loads(raw))
            if row is not None:
                self._places[hash(row_key(row))] = at
            at += len(raw)

    def get(self, key: RowKey) -> Score | None:
        """The row of a key; None if there is none."""
        at = self._places.get(hash(key))
        row = None if at is None else self._at(at)
        return row if row is not None and row_key(row) == key else None

    def others(self, known: set[int]) -> Iterator[Score]:
        """The rows whose key has none of these hashes."""
        yield from (self._at(at) for key, at in self._places.items() if key not in known)

    def _at(self, at: int) -> Score:
        self._file.seek(at)
        row = self._table.row(orjson.loads(self._file.readline()))
        assert row is not None
        return row
