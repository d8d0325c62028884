"""Where ConvoMem's histories stand: a folder per kind and number of evidence messages.

- `evidence`: `core_benchmark/evidence_questions/<kind>/<N>_evidence/*.json`, each file an object
  with `evidence_items`; an item brings the conversations that hold its evidence.
- `mixed`: `core_benchmark/pre_mixed_testcases/<kind>/<N>_evidence/*.json`, each file a list of
  histories with `evidenceItems` and `conversations`, fillers among them.

A single file may be given, too; where no folder says its kind, each entry must (`evidence_type`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from membench.tasks.convomem.gold import FOLDERS
from membench.tasks.files.documents import whole_json
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source
from membench.tasks.files.tables import stream_rows

ROOTS = {"evidence": "evidence_questions", "mixed": "pre_mixed_testcases"}
ITEMS, MIXED_ITEMS = "evidence_items", "evidenceItems"


@dataclass(frozen=True)
class Entry:
    """One history as it stands in a file.

    Attributes:
        stem: What its file is called: from its folders and its own name.
        index: Its position in the file.
        kind: The folder name of its kind of evidence.
        conversations: Its conversations.
        items: Its questions.
    """

    stem: str
    index: int
    kind: str
    conversations: Node
    items: tuple[Node, ...]

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.stem}/{self.index}"


def find_files(folder: Path, split: str) -> list[Path]:
    """The files of a split under a folder, in the order of their names."""
    root = ROOTS[split]
    places = (folder / "core_benchmark" / root, folder / root, folder)
    for place in places:
        if place is folder and folder.name != root:
            continue
        found = [path for kind in FOLDERS for path in place.glob(f"{kind}/*_evidence/*.json*")]
        if found:
            return sorted(found)
    return []


def entries(source: Source) -> Iterator[Entry]:
    """The histories of all files."""
    for path in (source.path, *source.more):
        index = 0
        for owner in owners(Source(path, source.split)):
            kind = kind_of(path, owner)
            count = path.parent.name.removesuffix("_evidence") if in_folders(path) else "0"
            stem = f"{kind}/{count}/{path.name.partition('.')[0]}"
            for node, items in histories(owner):
                yield Entry(stem, index, kind, node["conversations"], items)
                index += 1


def owners(source: Source) -> Iterator[Node]:
    """The objects of a file: the one that it is, or those that it lists."""
    if in_folders(source.path) and not is_list(source.path):
        yield whole_json(source.path)
    else:
        yield from stream_rows(source)


def histories(owner: Node) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """What holds conversations in an object, with the questions that belong to it."""
    if owner.get(MIXED_ITEMS) is not None:
        yield owner, tuple(owner[MIXED_ITEMS].items())
    elif owner.get(ITEMS) is not None:
        yield from ((item, (item,)) for item in owner[ITEMS].items())
    else:
        yield owner, (owner,)


def is_list(path: Path) -> bool:
    """Whether a file is a list of histories rather than an object of items."""
    from membench.tasks.files.source import open_json, reading

    with reading(path), open_json(path) as file:
        return file.read(4096).lstrip().startswith(b"[")


def in_folders(path: Path) -> bool:
    """Whether a file stands in the published folders."""
    return path.parent.name.endswith("_evidence") and path.parent.parent.name in FOLDERS


def kind_of(path: Path, owner: Node) -> str:
    """The kind of evidence of an object: that of its folder, or its own."""
    if in_folders(path):
        return path.parent.parent.name
    return owner["evidence_type"].one_of(tuple(FOLDERS))
