"""Finding benchmark files, and naming the version that was found.

Where a file is looked for: `--data` (a file, a folder, a folder with `<task>/` in it, or a dataset
of the hub, `membench.tasks.hub`), then `$MEMBENCH_DATA`, then the user cache. `--split sample` is a
file of our own inside the task's folder, and so is every split of a task that generates its data.
What is found is a `Source`; which published version it is, `identify` says by its hash.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from membench.domain.errors import DataError, UnknownName, UsageError
from membench.tasks.hub import folders_in, is_on_hub, snapshot

if TYPE_CHECKING:
    from membench.tasks.base import AnyTask
    from membench.tasks.card import TaskCard
from membench.tasks.files.source import Source

SAMPLE = "sample"
SHARD = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<total>\d{5})(?P<ending>\.[a-z.]+)")

VARIABLE = "MEMBENCH_DATA"


@dataclass(frozen=True)
class Version:
    """Which published version a file is.

    Attributes:
        name: `official`, `sample`, `unknown`, or a word of the task (`reformatted`, `modified`).
        sha256: What names the data: the hash of the published file whose content it has, however
            it is compressed or laid out; else that of the stored bytes.
        warning: What a person should be told about it, if anything.
    """

    name: str
    sha256: str
    warning: str = ""


# --- finding -----------------------------------------------------------------------------------


def find_source(task: type[AnyTask], split: str | None, data: Path | None) -> Source:
    """Find the file of a task's split.

    Args:
        task: The task's class.
        split: A split of its card or `sample`; None for what the file's name says, else the
            default split.
        data: `--data`: a file, a folder, a folder with `<task>/` in it, or a dataset of the hub
            (`membench.tasks.hub`). When given, nowhere else is looked.

    Raises:
        UnknownName: No such split.
        DataError: Nothing there; names what was looked for, where, and what to do.
    """
    card = task.card
    if split is not None and split != SAMPLE and split not in card.splits:
        raise UnknownName(f"split of task '{card.name}'", split, (*card.splits, SAMPLE))
    if split == SAMPLE:
        return Source(task.sample(), SAMPLE)
    on_hub = is_on_hub(data)
    if data is not None and data.is_file():
        return given_file(card, split, data)
    if data is not None and not on_hub and not data.exists():
        problem = "there is no such file or folder"
        raise DataError(data, "", problem, remedy(card, split or card.default_split))
    wanted = split or card.default_split
    shipped = task.shipped(wanted)
    if shipped is not None:
        return Source(shipped, wanted)
    folders = hub_folders(card, wanted, data) if on_hub else search_folders(card.name, data)
    for folder in folders:
        found = task.locate(folder, wanted) if folder.is_dir() else None
        if found is not None:
            return found
    raise nothing_found(card, wanted, folders)


def given_file(card: TaskCard, split: str | None, path: Path) -> Source:
    """A file named by `--data`, under the split that was asked for or that its name says."""
    named = [s for s in card.splits if path.name in file_names(card, s) or matches(card, path, s)]
    if split is not None and named and split not in named:
        raise DataError(
            path,
            "",
            f"by its name this file holds split '{named[0]}', not '{split}'",
            f"Use --split {named[0]}, or rename the file.",
        )
    chosen = split or (named[0] if named else card.default_split)
    return as_source(card, path, chosen)


def search_folders(name: str, data: Path | None) -> list[Path]:
    """Folders to look in for a task's files, best first."""
    if data is not None:
        return [data / name, data]
    variable = os.environ.get(VARIABLE)
    here = [Path(variable) / name, Path(variable)] if variable else []
    return [*here, cache_folder(name)]


def hub_folders(card: TaskCard, split: str, data: Path | None) -> list[Path]:
    """The folders of a snapshot of the hub that holds a split's files."""
    assert data is not None
    root = snapshot(data, [*file_names(card, split), *card.patterns.get(split, ())])
    return folders_in(root)


def cache_folder(name: str) -> Path:
    """The task's folder in the user cache, where `membench data get` puts files."""
    import platformdirs

    return platformdirs.user_cache_path("membench") / "data" / name


def locate(card: TaskCard, folder: Path, split: str) -> Source | None:
    """The file of a split in a folder: the published name first, then the card's patterns.

    What else would do is named in the source's `others`.
    """
    named = [folder / name for name in file_names(card, split)]
    alike = [
        path for pattern in card.patterns.get(split, ()) for path in sorted(folder.glob(pattern))
    ]
    found = list(dict.fromkeys([*(path for path in named if path.is_file()), *alike]))
    if not found:
        return None
    source = as_source(card, found[0], split)
    taken = {source.path, *source.more}
    return replace(source, others=tuple(path for path in found if path not in taken))


def choice_note(source: Source) -> str:
    """Which of several files that would do was taken; empty where there was one."""
    if not source.others:
        return ""
    names = ", ".join(path.name for path in source.others)
    return f"{source.path} was taken, not {names} beside it: name another with --data FILE"


def as_source(card: TaskCard, path: Path, split: str) -> Source:
    """A source that is marked partial if a pattern but not the published name knows it.

    A table in several files, as the hub has them, is one source.
    """
    partial = path.name not in file_names(card, split) and matches(card, path, split)
    first, *more = shards(path)
    return Source(first, split, partial=partial, more=tuple(more))


def shards(path: Path) -> list[Path]:
    """All files of a table of which one is given: `<stem>-00001-of-00003.parquet` and so on.

    Raises:
        DataError: Some are missing.
    """
    named = SHARD.fullmatch(path.name)
    if named is None:
        return [path]
    stem, total, ending = named["stem"], named["total"], named["ending"]
    found = sorted(path.parent.glob(f"{glob.escape(stem)}-*-of-{total}{ending}"))
    if len(found) != int(total):
        problem = f"one of {int(total)} files, of which {len(found)} are here"
        raise DataError(path, "", problem, "Put all of them into one folder.")
    return found


def file_names(card: TaskCard, split: str) -> list[str]:
    """Published file names of a split, plain and compressed."""
    names = [file.name for file in card.files if file.split == split]
    return [spelling for name in names for spelling in (name, f"{name}.gz")]


def matches(card: TaskCard, path: Path, split: str) -> bool:
    """Whether one of the split's patterns fits the file's name."""
    return any(path.match(pattern) for pattern in card.patterns.get(split, ()))


def nothing_found(card: TaskCard, split: str, folders: Sequence[Path]) -> DataError:
    """The one message for missing data."""
    names = " or ".join(file_names(card, split)[::2] or card.patterns.get(split, (split,)))
    places = ", ".join(str(folder) for folder in folders)
    return DataError(
        f"data of task '{card.name}', split '{split}'",
        "",
        f"not found: looked for {names} in {places}",
        remedy(card, split),
    )


def get_command(card: TaskCard, split: str) -> str | None:
    """The command that fetches a split; None where no published file of it is known."""
    if not any(file.split == split for file in card.files):
        return None
    return f"membench data get {card.name}" + (
        "" if split == card.default_split else f" --split {split}"
    )


def remedy(card: TaskCard, split: str) -> str:
    """What to do when the data of a split is missing."""
    if card.own_files:
        return (
            "Name your own file: `membench run --task ./FILE`, or --data FILE where a run is "
            "looked at (docs/own-questions.md has the format)."
        )
    command = get_command(card, split)
    get = f"Get it with `{command}`, or name" if command else "Name"
    return (
        f"{get} it with --data PATH or ${VARIABLE}; or try `--split {SAMPLE}`, which needs no data."
    )


def find_errata(task: type[AnyTask], data: Path | None) -> Path:
    """Find the list of errata that `--errata` overlays, beside the task's data.

    Raises:
        UsageError: The task has no such list.
        DataError: Nothing there.
    """
    card = task.card
    if not card.errata:
        raise UsageError(f"--errata: task '{card.name}' has no list of errata", "Leave it out.")
    beside = data.parent if data is not None and data.is_file() else data
    folders = search_folders(card.name, beside)
    for folder in folders:
        for name in card.errata:
            if (folder / name).is_file():
                return folder / name
    names = " or ".join(card.errata)
    places = ", ".join(str(folder) for folder in folders)
    raise DataError(
        f"errata of task '{card.name}'",
        "",
        f"not found: looked for {names} in {places}",
        "Put it into one of them, or name the folder of data and errata with --data PATH.",
    )


# --- naming ------------------------------------------------------------------------------------


def identify(card: TaskCard, source: Source) -> Version:
    """Which published version a file is, by hash; a compressed copy counts as its content."""
    if source.split == SAMPLE:
        return Version(SAMPLE, source.sha256)
    known = {file.sha256: file for file in card.files}
    file = known.get(source.sha256) or known.get(source.content_sha256)
    if file is None:
        return Version("unknown", source.sha256, unknown_warning(source))
    if file.split != source.split:
        warning = f"{source.path} is the published file of split '{file.split}'"
        return Version(file.version, file.sha256, warning)
    return Version(file.version, file.sha256)


def unknown_warning(source: Source) -> str:
    """What to tell about a file whose hash nobody published."""
    what = "a partial file" if source.partial else "no published file"
    return (
        f"{source.path} is {what} (sha256 {source.sha256[:12]}…): "
        "its scores compare only with runs on the same file"
    )
