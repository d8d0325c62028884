"""A benchmark file: its bytes, its hashes, and errors of reading it as `DataError`.

`tasks.find` says where a `Source` is looked for. Whatever is wrong with a file is a `DataError`.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from membench.domain.errors import DataError

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Source:
    """The data of one split; `.gz` is decompressed on the fly.

    Attributes:
        path: The file.
        split: Which split it holds.
        partial: True for a file known to hold only part of its split.
        more: Further files of the split, where it is published as several.
        others: Files in the same folder that would have done as well and are not read.
    """

    path: Path
    split: str
    partial: bool = False
    more: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()

    def open(self) -> IO[bytes]:
        """Open the content of `path` for reading, decompressed."""
        return open_bytes(self.path)

    @cached_property
    def sha256(self) -> str:
        """Hash of the stored bytes; of several files, the hash of their hashes in order."""
        hashes = [file_sha256(path) for path in (self.path, *self.more)]
        return hashes[0] if not self.more else hashlib.sha256("".join(hashes).encode()).hexdigest()

    @cached_property
    def content_sha256(self) -> str:
        """Hash of the content of `path`: for a `.gz` file, of what it decompresses to."""
        if self.path.suffix != ".gz":
            return file_sha256(self.path)
        with reading(self.path), self.open() as file:
            return hashlib.file_digest(cast(Any, file), "sha256").hexdigest()


def file_sha256(path: Path) -> str:
    """Hash of a file's stored bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


PACKING = 10
"""How many times larger a compressed file may be once unpacked."""


def unpacked_bytes(path: Path) -> int:
    """Size of a file's content; for a compressed one, an upper guess."""
    return path.stat().st_size * (PACKING if path.suffix == ".gz" else 1)


# --- reading -----------------------------------------------------------------------------------


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading, decompressed if its name ends in `.gz`."""
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


UTF8_MARK = b"\xef\xbb\xbf"
OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of UTF-16, and of UTF-32, which begin alike."""


def open_json(path: Path) -> IO[bytes]:
    """Open a file of JSON in UTF-8 behind its byte order mark, if it has one.

    Raises:
        DataError: It is UTF-16 or UTF-32.
    """
    file = open_bytes(path)
    start = file.read(len(UTF8_MARK))
    if start[:2] in OTHER_MARKS:
        file.close()
        remedy = "Save it as UTF-8: iconv -f utf-16 -t utf-8."
        raise DataError(path, "", "is UTF-16 or UTF-32, not UTF-8", remedy)
    file.seek(len(UTF8_MARK) if start == UTF8_MARK else 0)
    return file


class reading:  # noqa: N801  (reads as a verb: `with reading(path):`)
    """Turn errors of the operating system and of gzip about a file into a `DataError`."""

    def __init__(self, path: Path) -> None:
        """Keep the path for the message."""
        self.path = path

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate."""
        if isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile)):
            problem = f"not a complete gzip file ({error})"
            raise DataError(self.path, "", problem, "Fetch the file again.") from error
        if isinstance(error, OSError):
            problem = f"cannot be read ({error.strerror or error})"
            raise DataError(self.path, "", problem) from error


CHECK_FILE = "Is this the benchmark's own file? If so, fetch it again."
JSON_LINES = "holds JSON lines, where one JSON document is expected"


def not_json(path: Path, raw: bytes, complaint: str) -> DataError:
    """The error for a file that is no JSON document: cut off, or one document per line."""
    if is_json_lines(raw):
        return DataError(path, "", JSON_LINES, "It looks like another benchmark's file.")
    return DataError(path, "", f"not valid JSON ({complaint})", CHECK_FILE)


def is_json_lines(raw: bytes) -> bool:
    """Whether a content begins with a line that is a JSON object, and goes on after it."""
    import orjson

    line, _, rest = raw.lstrip().partition(b"\n")
    if not line.startswith(b"{") or not rest.strip():
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
