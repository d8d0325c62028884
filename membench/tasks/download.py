"""Getting a benchmark's published files, and saying which are there.

A file is fetched from the pinned revision of its source over HTTPS, or copied from an installed
package that ships it. It counts as fetched when size and hash are those of the card; until then
it is a `.part` beside its place, from which a later attempt goes on. Before the first file of a
benchmark is fetched its licence has to be accepted, once; that is kept in the user cache.

Nothing here prints or asks: the command line shows licence and progress through what it passes.
"""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from membench import __version__
from membench.domain.errors import DataError, UnknownName, UsageError, UserError
from membench.domain.whole_file import written_whole
from membench.tasks.base import AnyTask
from membench.tasks.card import DataFile, TaskCard
from membench.tasks.files.source import Source, file_sha256
from membench.tasks.find import SAMPLE, cache_folder, find_source

HUB = "https://huggingface.co"
GITHUB = "https://github.com"
RAW = "https://raw.githubusercontent.com"
CHUNK = 1 << 20
ATTEMPTS = 3
TIMEOUT_S = 60.0

Progress = Callable[[str, int, int], None]
"""Told a file's name, the bytes there are, and the bytes there will be."""

Consent = Callable[[TaskCard], bool]
"""Shows a licence and says whether it is accepted."""


def silent(name: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


# --- getting -------------------------------------------------------------------------------------


def get(
    task: type[AnyTask],
    split: str | None,
    accept: Consent,
    progress: Progress = silent,
    folder: Path | None = None,
    hosts: Mapping[str, str] | None = None,
) -> list[Path]:
    """Fetch the files of a task that are not there yet.

    Args:
        task: The task's class.
        split: One of its splits; None for the default split, `all` for every one.
        accept: Asked once per benchmark and licence, before anything is fetched.
        progress: Told as bytes arrive.
        folder: Where to; the task's folder in the user cache if None.
        hosts: Mirrors: the beginning of an address -> what to put there.

    Returns:
        The files, fetched now or before.

    Raises:
        UnknownName: No such split.
        UsageError: The licence was not accepted.
        DataError: A file could not be had, or is not the published one.
    """
    card = task.card
    files = wanted_files(card, split)
    if not files:
        names = card.splits if split == "all" else (split or card.default_split,)
        return [shipped_file(task, name) for name in names]
    target = folder or cache_folder(card.name)
    missing = [file for file in files if not is_there(file, target / file.name)]
    if missing:
        require_consent(card, accept)
        target.mkdir(parents=True, exist_ok=True)
    for file in missing:
        fetch(card, file, target, progress, mirrors() if hosts is None else hosts)
    return [target / file.name for file in files]


def wanted_files(card: TaskCard, split: str | None) -> tuple[DataFile, ...]:
    """The published files of a split, of the default split, or of all."""
    if split == "all":
        return card.files
    chosen = split or card.default_split
    if chosen not in card.splits:
        raise UnknownName(f"split of task '{card.name}'", chosen, (*card.splits, "all"))
    return tuple(file for file in card.files if file.split == chosen)


def shipped_file(task: type[AnyTask], split: str) -> Path:
    """The file of a split of which nothing is published, if it comes with membench.

    Raises:
        UsageError: It does not.
    """
    path = task.shipped(split)
    if path is None:
        name = task.card.name
        problem = f"membench knows no file of task '{name}', split '{split}', to fetch"
        raise UsageError(problem, f"See docs/tasks/{name}.md, and name the file with --data.")
    return path


def is_there(file: DataFile, path: Path) -> bool:
    """Whether a path holds the published file."""
    return path.is_file() and path.stat().st_size == file.bytes and is_published(file, path)


def is_published(file: DataFile, path: Path) -> bool:
    """Whether a file has the published hash."""
    return file_sha256(path) == file.sha256


def fetch(
    card: TaskCard, file: DataFile, target: Path, progress: Progress, hosts: Mapping[str, str]
) -> None:
    """Get one file, from an installed package if one ships it, else from its source."""
    part = target / f"{file.name}.part"
    shipped = shipped_parts(card, file)
    if shipped:
        join(shipped, part)
        progress(file.name, file.bytes, file.bytes)
    else:
        transfer(file, mirrored(pinned_url(file), hosts), part, progress)
    finish(file, part, target / file.name)


def finish(file: DataFile, part: Path, path: Path) -> None:
    """Check a fetched file and put it in its place.

    Raises:
        DataError: It is not the published file; the part is removed, so that the next attempt
            starts anew.
    """
    if not is_published(file, part):
        found = f"{part.stat().st_size:,} bytes, sha256 {file_sha256(part)[:12]}…"
        part.unlink()
        raise DataError(
            path,
            "",
            f"what was fetched is not the published file ({found}, expected {file.bytes:,} bytes, "
            f"sha256 {file.sha256[:12]}…)",
            f"Try again, or get it by hand: {file.url}",
        )
    part.replace(path)


# --- from an installed package -------------------------------------------------------------------


def shipped_parts(card: TaskCard, file: DataFile) -> list[Path]:
    """The files of an installed package that make up a published file; empty if one is missing."""
    by_name = {other.name: other for other in card.files}
    parts = [by_name[name] for name in file.joins] if file.joins else [file]
    found = [path for part in parts if (path := shipped(part)) is not None]
    return found if len(found) == len(parts) else []


def shipped(file: DataFile) -> Path | None:
    """The copy of a file in an installed package; nothing is imported."""
    package, _, inside = file.package.partition(":")
    spec = find_spec(package) if package else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / inside
        if is_there(file, path):
            return path
    return None


def join(parts: Sequence[Path], target: Path) -> None:
    """Write files one after the other."""
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, out)


# --- from the source -----------------------------------------------------------------------------


def pinned_url(file: DataFile) -> str:
    """The address of a file at its pinned revision."""
    if file.revision in file.url:
        return file.url
    parts = urlsplit(file.url).path.strip("/").split("/")
    inside = file.path or file.name
    if file.url.startswith(f"{HUB}/datasets/"):
        return f"{HUB}/{'/'.join(parts[:3])}/resolve/{file.revision}/{inside}"
    if file.url.startswith(f"{GITHUB}/"):
        if not file.path and parts[2:3] == ["blob"]:
            inside = "/".join(parts[4:])
        return f"{RAW}/{'/'.join(parts[:2])}/{file.revision}/{inside}"
    return file.url


def mirrors() -> dict[str, str]:
    """Mirrors from the environment: `HF_ENDPOINT`, as the hub's own tools read it."""
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/")
    return {HUB: endpoint} if endpoint else {}


def mirrored(url: str, hosts: Mapping[str, str]) -> str:
    """An address with its beginning replaced by that of a mirror."""
    for start, mirror in hosts.items():
        if url.startswith(f"{start}/"):
            return mirror.rstrip("/") + url[len(start) :]
    return url


def transfer(file: DataFile, url: str, part: Path, progress: Progress) -> None:
    """Fetch an address into a `.part`, going on from what is there.

    Raises:
        DataError: It could not be fetched; what arrived is kept.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise DataError(file.name, "", f"cannot be fetched from '{url}'", "Get it by hand.")
    for attempt in range(1, ATTEMPTS + 1):
        if part.exists() and part.stat().st_size == file.bytes:
            return
        try:
            receive(file, url, part, progress)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 or attempt == ATTEMPTS:
                raise unreachable(file, url, f"HTTP {error.code} {error.reason}") from None
        except (OSError, HTTPException) as error:
            if attempt == ATTEMPTS:
                raise unreachable(file, url, str(error) or type(error).__name__) from None
    if part.stat().st_size < file.bytes:
        raise unreachable(file, url, f"it ended after {part.stat().st_size:,} bytes")


def receive(file: DataFile, url: str, part: Path, progress: Progress) -> None:
    """One request for the bytes that are missing."""
    have = part.stat().st_size if part.exists() else 0
    if have > file.bytes:
        part.unlink()
        have = 0
    headers = {"User-Agent": f"membench/{__version__}"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
        resumed = reply.status == 206
        with part.open("ab" if resumed else "wb") as out:
            copy(reply, out, file, have if resumed else 0, progress)


def copy(reply: IO[bytes], out: IO[bytes], file: DataFile, done: int, progress: Progress) -> None:
    """Copy a reply in chunks; more bytes than were published are not taken."""
    progress(file.name, done, file.bytes)
    while done < file.bytes and (chunk := reply.read(min(CHUNK, file.bytes - done))):
        out.write(chunk)
        done += len(chunk)
        progress(file.name, done, file.bytes)
    if reply.read(1):
        raise DataError(
            file.name, "", f"the source sends more than the published {file.bytes:,} bytes"
        )


def unreachable(file: DataFile, url: str, reason: str) -> DataError:
    """The message for a source that does not give the file."""
    return DataError(
        file.name,
        "",
        f"cannot be fetched from {url} ({reason})",
        "What arrived is kept; try again, or get the file by hand and name it with --data.",
    )


# --- licences ------------------------------------------------------------------------------------


def require_consent(card: TaskCard, accept: Consent) -> None:
    """Have the licence accepted, unless it was before.

    Raises:
        UsageError: It was not.
    """
    if is_accepted(card):
        return
    if not accept(card):
        raise UsageError(
            f"the data of {card.title} is under {card.licence}, which was not accepted",
            "Nothing was fetched; --yes accepts it.",
        )
    remember_consent(card)


def consents_file() -> Path:
    """Where accepted licences are kept."""
    return cache_folder("").parent / "licences.json"


def consents() -> dict[str, dict[str, str]]:
    """What was accepted: by task, the licence and when."""
    path = consents_file()
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def is_accepted(card: TaskCard) -> bool:
    """Whether the task's licence, as the card names it today, was accepted."""
    entry = consents().get(card.name)
    return isinstance(entry, dict) and entry.get("licence") == card.licence


def remember_consent(card: TaskCard) -> None:
    """Keep that a licence was accepted."""
    path = consents_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    entries = consents() | {card.name: {"licence": card.licence, "accepted": when}}
    with written_whole(path) as file:
        file.write(json.dumps(entries, indent=2, sort_keys=True).encode() + b"\n")


# --- status --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SplitStatus:
    """What there is of one split.

    Attributes:
        task: The task's name.
        split: The split; `sample` comes with the package.
        path: The file found, None if there is none.
        version: What `Task.identify` calls it; `unchecked` where hashing was not asked for.
        warning: What should be told about it, if anything.
        bytes: Size of the file found, else of the published one.
        licence: Licence of the data.
        accepted: Whether it was accepted through `data get`.
        source: Where a person finds it.
    """

    task: str
    split: str
    path: Path | None
    version: str
    warning: str
    bytes: int
    licence: str
    accepted: bool
    source: str


def status(
    tasks: Iterable[type[AnyTask]], data: Path | None = None, verify: bool = True
) -> Iterator[SplitStatus]:
    """What there is of every split of some tasks.

    Args:
        tasks: The tasks' classes.
        data: As `--data`; None for the usual places.
        verify: Whether to hash the files, which takes seconds for gigabytes.
    """
    for task in tasks:
        for split in (*task.card.splits, SAMPLE):
            yield split_status(task, split, data, verify)


def split_status(task: type[AnyTask], split: str, data: Path | None, verify: bool) -> SplitStatus:
    """What there is of one split."""
    card = task.card
    files = [file for file in card.files if file.split == split]
    try:
        source = find_source(task, split, data)
    except UserError:
        source = None
    version, warning = described(task, source, verify)
    return SplitStatus(
        task=card.name,
        split=split,
        path=source.path if source else None,
        version=version,
        warning=warning,
        bytes=size(source) if source else sum(file.bytes for file in files),
        licence="Apache-2.0" if split == SAMPLE else card.licence,
        accepted=task.shipped(split) is not None or is_accepted(card),
        source=files[0].url if files else "",
    )


def described(task: type[AnyTask], source: Source | None, verify: bool) -> tuple[str, str]:
    """The version of what was found, and what to tell about it."""
    if source is None:
        return "missing", ""
    if not verify:
        return "unchecked", ""
    try:
        version = task.identify(source)
    except UserError as error:
        return "unreadable", error.problem
    return version.name, version.warning


def size(source: Source) -> int:
    """Stored bytes of a source."""
    return sum(path.stat().st_size for path in (source.path, *source.more))
