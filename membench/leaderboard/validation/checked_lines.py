"""Lines of a bundle that were read strictly and fit their schema, kept on disk between the stages.

Every stage reads them again from there, one at a time: what a check holds in memory does not grow
with the questions. They are written anew from what was parsed, so that no reader can see them
differently from then on.
"""

from __future__ import annotations

import weakref
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import orjson

from membench.domain.labels import JsonObject, JsonView
from membench.domain.score import Score
from membench.domain.temporary_folder import TemporaryFolder
from membench.leaderboard.bundles.score_table import ScoreLines, unpacked_rows


class LinesFolder:
    """A temporary folder that is removed with the last thing that needs it."""

    def __init__(self) -> None:
        """Make it."""
        folder = TemporaryFolder("verify")
        self.path = folder.path
        weakref.finalize(self, folder.close)


class LinesFile:
    """Lines in the folder of a bundle's lines."""

    def __init__(self, folder: LinesFolder, name: str, lines: Iterable[JsonView]) -> None:
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
    """Score rows by key: the place of each is kept (16 bytes), the row is read when asked for."""

    def __init__(self, path: Path) -> None:
        """Scan the file once; of two rows with one key the last counts."""
        self._file = path.open("rb")
        weakref.finalize(self, self._file.close)
        self._table = ScoreLines()
        keys, places, at = array("q"), array("Q"), 0
        for raw in self._file:
            row = self._table.row(orjson.loads(raw))
            if row is not None:
                keys.append(hash(row_key(row)))
                places.append(at)
            at += len(raw)
        order = np.argsort(np.asarray(keys), kind="stable")
        self._keys = array("q", np.asarray(keys)[order].tobytes())
        self._places = array("Q", np.asarray(places)[order].tobytes())

    def get(self, key: RowKey) -> Score | None:
        """The row of a key; None if there is none."""
        number = bisect_right(self._keys, hash(key)) - 1
        if number < 0 or self._keys[number] != hash(key):
            return None
        row = self._at(self._places[number])
        return row if row_key(row) == key else None

    def others(self, known: array[int]) -> Iterator[Score]:
        """The rows whose key has none of these hashes, in the order of the file."""
        keys = np.asarray(self._keys)
        last = np.append(keys[1:] != keys[:-1], np.ones(min(len(keys), 1), np.bool_))
        others = np.asarray(self._places)[last & ~np.isin(keys, np.asarray(known))]
        yield from (self._at(int(at)) for at in np.sort(others))

    def _at(self, at: int) -> Score:
        self._file.seek(at)
        row = self._table.row(orjson.loads(self._file.readline()))
        assert row is not None
        return row
