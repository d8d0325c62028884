"""The cassette: recorded model calls in one SQLite file.

An entry is found by what the call was: the opaque case, the role, which sample the caller wanted,
the hash of the canonical request, and how many times exactly this had been delivered before. So
two draws of one prompt stay two entries, a client's own retry of a failed call is the same
entry, and errors never get in. Entries are written before the caller sees the reply; several
processes may write one file, and the first to store an entry wins.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson

from membench.domain.errors import DataError
from membench.domain.labels import JsonObject
from membench.records.usage import Usage

SCHEMA = 1
_CREATE = """
CREATE TABLE IF NOT EXISTS entries (
    case_id TEXT NOT NULL,
    role TEXT NOT NULL,
    sample TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    n INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    content_type TEXT NOT NULL,
    request BLOB NOT NULL,
    reply BLOB NOT NULL,
    usage TEXT NOT NULL,
    PRIMARY KEY (case_id, role, sample, request_sha256, n)
) WITHOUT ROWID
"""
_FIELDS = (
    "case_id, role, sample, request_sha256, n, endpoint, model, content_type, request, reply, usage"
)


@dataclass(frozen=True, slots=True)
class Key:
    """What a call was.

    Attributes:
        case: Opaque case id.
        role: Which model.
        sample: What the caller distinguishes samples by; empty for calls of systems.
        sha256: Hash of the canonical request.
        n: How many times this had been delivered before.
    """

    case: str
    role: str
    sample: str
    sha256: str
    n: int = 0

    def __str__(self) -> str:
        """Name the request for a message, without its text."""
        sample = f" sample={self.sample}" if self.sample else ""
        return f"case={self.case} role={self.role}{sample} n={self.n} sha256={self.sha256}"


@dataclass(frozen=True, slots=True)
class StoredCall:
    """One delivered call.

    Attributes:
        key: How it is found.
        endpoint: Of the protocol.
        model: The upstream's name of the model.
        content_type: Of the reply.
        request: Canonical request.
        reply: The reply's bytes.
        usage: What it cost when it was made.
    """

    key: Key
    endpoint: str
    model: str
    content_type: str
    request: bytes
    reply: bytes
    usage: Usage


class Cassette:
    """A cassette file, opened for reading and writing or, if `readonly`, for reading.

    Raises:
        DataError: The file is not a cassette, or must be there and is not.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        """Open or create the file."""
        self.path = path
        if readonly and not path.is_file():
            raise DataError(path, "", "no such cassette", "Record one with --cassette-mode record.")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise DataError(path, "", f"not a cassette: {error}") from error

    def _prepare(self) -> None:
        """Write-ahead log, so that writers do not block readers and a kill loses nothing."""
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA):
            self._db.close()
            raise DataError(self.path, "", f"cassette of schema {version}, this is {SCHEMA}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(_CREATE)
        self._db.execute(f"PRAGMA user_version = {SCHEMA}")

    def get(self, key: Key) -> StoredCall | None:
        """The entry of a call, if it was recorded."""
        row = self._db.execute(
            f"SELECT {_FIELDS} FROM entries WHERE case_id = ? AND role = ? AND sample = ?"
            " AND request_sha256 = ? AND n = ?",
            (key.case, key.role, key.sample, key.sha256, key.n),
        ).fetchone()
        return None if row is None else _entry(row)

    def put(self, entry: StoredCall) -> StoredCall:
        """Store an entry unless there is one already.

        Returns:
            What the cassette holds now: the given entry, or the one that came first.
        """
        stored = self._db.execute(
            f"INSERT OR IGNORE INTO entries ({_FIELDS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", _row(entry)
        )
        return entry if stored.rowcount else self.get(entry.key) or entry

    def entries(self) -> Iterator[StoredCall]:
        """Every entry, in order of their keys."""
        for row in self._db.execute(f"SELECT {_FIELDS} FROM entries"):
            yield _entry(row)

    def __len__(self) -> int:
        """Number of entries."""
        return int(self._db.execute("SELECT count(*) FROM entries").fetchone()[0])

    def close(self) -> None:
        """Close the file and fold the log into it."""
        self._db.close()

    def __enter__(self) -> Self:
        """For `with`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


def _row(entry: StoredCall) -> tuple[Any, ...]:
    """An entry as a table row; request and reply are compressed."""
    key = entry.key
    return (
        key.case,
        key.role,
        key.sample,
        key.sha256,
        key.n,
        entry.endpoint,
        entry.model,
        entry.content_type,
        zlib.compress(entry.request, 1),
        zlib.compress(entry.reply, 1),
        orjson.dumps(entry.usage.to_json()).decode(),
    )


def _entry(row: tuple[Any, ...]) -> StoredCall:
    """A table row as an entry."""
    case, role, sample, sha256, n, endpoint, model, kind, request, reply, usage = row
    return StoredCall(
        Key(case, role, sample, sha256, n),
        endpoint,
        model,
        kind,
        zlib.decompress(request),
        zlib.decompress(reply),
        Usage.from_json(orjson.loads(usage)),
    )


# --- the cassette commands ---------------------------------------------------------------------


@dataclass(frozen=True)
class CassetteStats:
    """What a cassette holds.

    Attributes:
        entries: Recorded calls.
        cases: Distinct cases among them.
        bytes: Size of the file.
        roles: Role -> summed usage of its entries.
    """

    entries: int
    cases: int
    bytes: int
    roles: dict[str, Usage]


def stats(path: Path) -> CassetteStats:
    """Count what a cassette holds."""
    with Cassette(path, readonly=True) as cassette:
        roles: dict[str, Usage] = {}
        cases: set[str] = set()
        for entry in cassette.entries():
            roles[entry.key.role] = roles.get(entry.key.role, Usage()) + entry.usage
            cases.add(entry.key.case)
        return CassetteStats(len(cassette), len(cases), path.stat().st_size, roles)


def export(path: Path, out: IO[bytes]) -> int:
    """Write every entry as a JSON line, with its texts.

    Returns:
        How many lines were written.
    """
    with Cassette(path, readonly=True) as cassette:
        for entry in cassette.entries():
            out.write(orjson.dumps(_exported(entry)) + b"\n")
        return len(cassette)


def _exported(entry: StoredCall) -> JsonObject:
    """An entry as plain values."""
    key = entry.key
    return {
        "case": key.case,
        "role": key.role,
        "sample": key.sample,
        "request_sha256": key.sha256,
        "n": key.n,
        "endpoint": entry.endpoint,
        "model": entry.model,
        "content_type": entry.content_type,
        "request": entry.request.decode(),
        "reply": entry.reply.decode(),
        "usage": entry.usage.to_json(),
    }


def read_export(path: Path) -> Iterator[StoredCall]:
    """The entries of an exported file.

    Raises:
        DataError: A line that is not an entry.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                raw = orjson.loads(line)
                key = Key(raw["case"], raw["role"], raw["sample"], raw["request_sha256"], raw["n"])
                yield StoredCall(
                    key,
                    raw["endpoint"],
                    raw["model"],
                    raw["content_type"],
                    raw["request"].encode(),
                    raw["reply"].encode(),
                    Usage.from_json(raw["usage"]),
                )
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(path, f"line {number}", f"not a cassette entry: {error}") from error


@dataclass(frozen=True)
class MergeResult:
    """What a merge did: entries added, already there, and there with another reply (kept)."""

    added: int
    present: int
    conflicts: int


def merge(target: Path, sources: Iterable[Path]) -> MergeResult:
    """Copy entries of cassettes into `target`; what it holds already stays."""
    added = present = conflicts = 0
    with Cassette(target) as cassette:
        for source in sources:
            with Cassette(source, readonly=True) as other:
                for entry in other.entries():
                    held = cassette.get(entry.key)
                    if held is None:
                        cassette.put(entry)
                        added += 1
                    elif held.reply == entry.reply:
                        present += 1
                    else:
                        conflicts += 1
    return MergeResult(added, present, conflicts)


def recordings(entries: Iterable[StoredCall]) -> dict[str, list[bytes]]:
    """Entries as recordings of a scripted model: request hash -> replies in order of n."""
    found: dict[str, list[tuple[int, bytes]]] = {}
    for entry in entries:
        found.setdefault(entry.key.sha256, []).append((entry.key.n, entry.reply))
    return {
        sha: [reply for _, reply in sorted(replies, key=lambda pair: pair[0])]
        for sha, replies in found.items()
    }
