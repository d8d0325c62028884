"""Reading an untrusted bundle: a folder or a zip, by names and sizes that are checked.

Nothing is ever extracted. Sizes are counted while reading, because the sizes in a zip's or a
gzip's header can lie.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from membench.leaderboard.bundles.layout import (
    CHECKSUMS,
    LIMITS,
    REQUIRED,
    Limits,
    allowed,
    sums_text,
)
from membench.leaderboard.validation.rules import RuleViolation

CHUNK = 1 << 16
LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\\\x00-\x1f]{1,128})")


@dataclass(frozen=True)
class UnpackedBundle:
    """The entries of a bundle: held as stored, decompressed while they are read.

    Attributes:
        stored: Bytes as stored, by name.
    """

    stored: dict[str, bytes]

    @property
    def sha256(self) -> str:
        """What identifies the bundle: the hash of its SHA256SUMS."""
        return hashlib.sha256(self.stored[CHECKSUMS]).hexdigest()

    def open(self, name: str) -> BinaryIO:
        """An entry as a stream, `.gz` ones decompressed; empty if it is not there."""
        data = io.BytesIO(self.stored.get(name, b""))
        return cast(BinaryIO, gzip.GzipFile(fileobj=data)) if name.endswith(".gz") else data

    def read(self, name: str) -> bytes:
        """All of an entry."""
        with self.open(name) as file:
            return file.read()


def open_bundle(path: Path, limits: Limits = LIMITS) -> UnpackedBundle:
    """Read a bundle.

    Raises:
        RuleViolation: A `wire.` or `checksums.` rule.
    """
    stored = read_folder(path, limits) if path.is_dir() else read_zip(path, limits)
    missing = [name for name in REQUIRED if name not in stored]
    if missing:
        raise RuleViolation(
            "wire.missing", missing[0], f"not in the bundle ({len(missing)} missing)"
        )
    check_sums(stored)
    opened = UnpackedBundle(stored)
    check_unpacked(opened, limits)
    return opened


def is_intact(path: Path, limits: Limits = LIMITS) -> bool:
    """Whether a folder holds the files of its SHA256SUMS, byte for byte; none is decompressed."""
    try:
        check_sums(read_folder(path, limits))
    except (RuleViolation, OSError, KeyError):
        return False
    return True


def read_folder(path: Path, limits: Limits) -> dict[str, bytes]:
    """The files of a folder."""
    entries = sorted(path.iterdir())
    check_names([entry.name for entry in entries], limits)
    for entry in entries:
        if not stat.S_ISREG(entry.lstat().st_mode):
            raise RuleViolation("wire.link", entry.name, "is not a plain file")
    budget = ZipLimits(limits.wire_bytes, "wire.size")
    found = {}
    for entry in entries:
        with entry.open("rb") as file:
            found[entry.name] = budget.read(file.read, entry.name)
    return found


def read_zip(path: Path, limits: Limits) -> dict[str, bytes]:
    """The members of a zip file."""
    if not path.is_file():
        raise RuleViolation("wire.kind", path.name, "is neither a folder nor a file")
    if path.stat().st_size > limits.wire_bytes:
        raise RuleViolation("wire.size", path.name, f"has {path.stat().st_size:,} bytes")
    try:
        with zipfile.ZipFile(path) as archive:
            return read_members(archive, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise RuleViolation("wire.kind", path.name, f"is no readable zip file ({error})") from None
    except RuntimeError:
        raise RuleViolation("wire.kind", path.name, "is an encrypted zip file") from None


def read_members(archive: zipfile.ZipFile, limits: Limits) -> dict[str, bytes]:
    """Read each member by its entry, counting."""
    members = archive.infolist()
    check_names([member.filename for member in members], limits)
    for member in members:
        mode = member.external_attr >> 16
        if member.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
            raise RuleViolation("wire.link", member.filename, "is not a plain file")
    budget = ZipLimits(limits.wire_bytes, "wire.size")
    found = {}
    for member in members:
        with archive.open(member) as file:
            found[member.filename] = budget.read(file.read, member.filename)
    return found


def check_names(names: Iterable[str], limits: Limits) -> None:
    """Only names of the allow-list, each once."""
    names = list(names)
    if len(names) > limits.entries:
        raise RuleViolation("wire.entries", "bundle", f"{len(names)} entries")
    for name in names:
        if not allowed(name):
            raise RuleViolation("wire.name", repr(name[:80]), "is no file of a bundle")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise RuleViolation("wire.duplicate", min(twice), "is there more than once")


@dataclass
class ZipLimits:
    """Bytes that may still be read."""

    left: int
    rule: str

    def read(self, read: Callable[[int], bytes], name: str) -> bytes:
        """Everything that `read` gives, as long as it fits.

        Raises:
            RuleViolation: It does not.
        """
        return b"".join(self.chunks(read, name))

    def count(self, read: Callable[[int], bytes], name: str) -> None:
        """Like `read`, without keeping anything.

        Raises:
            RuleViolation: It does not fit.
        """
        for _ in self.chunks(read, name):
            pass

    def chunks(self, read: Callable[[int], bytes], name: str) -> Iterator[bytes]:
        """What `read` gives, piece by piece.

        Raises:
            RuleViolation: It does not fit.
        """
        while chunk := read(CHUNK):
            self.left -= len(chunk)
            if self.left < 0:
                raise RuleViolation(self.rule, name, "the bundle is larger than allowed")
            yield chunk


def check_sums(stored: dict[str, bytes]) -> None:
    """Compare every file with SHA256SUMS.

    Raises:
        RuleViolation: A `checksums.` rule.
    """
    listed = read_sums(stored[CHECKSUMS])
    others = set(stored) - {CHECKSUMS}
    if set(listed) != others:
        odd = min(set(listed) ^ others)
        raise RuleViolation("checksums.listed", CHECKSUMS, f"{odd!r} is listed or there, not both")
    for name, claimed in sorted(listed.items()):
        if hashlib.sha256(stored[name]).hexdigest() != claimed:
            raise RuleViolation("checksums.match", name, "has another hash than SHA256SUMS says")


def read_sums(data: bytes) -> dict[str, str]:
    """SHA256SUMS: file name -> hash."""
    found: dict[str, str] = {}
    for number, raw in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        match = LINE.fullmatch(raw)
        if match is None:
            raise RuleViolation(
                "checksums.format", f"{CHECKSUMS}: line {number}", "is not `HASH  NAME`"
            )
        if match[2] in found:
            raise RuleViolation(
                "checksums.listed", f"{CHECKSUMS}: line {number}", "lists a name twice"
            )
        found[match[2]] = match[1]
    if data != sums_text(found):
        raise RuleViolation("checksums.format", CHECKSUMS, "is not sorted `HASH  NAME` lines")
    return found


def check_unpacked(opened: UnpackedBundle, limits: Limits) -> None:
    """Decompress the entries, counting all of them together and keeping none.

    Raises:
        RuleViolation: `wire.unpacked` or `wire.gzip`.
    """
    budget = ZipLimits(limits.unpacked_bytes, "wire.unpacked")
    for name in opened.stored:
        try:
            with opened.open(name) as file:
                budget.count(file.read, name)
        except (OSError, EOFError, zlib.error) as error:
            problem = f"is no complete gzip file ({error})"
            raise RuleViolation("wire.gzip", name, problem) from None
