"""LongMemEval-V2's three files: questions, trajectories, and which of these a question has.

Trajectories are over a gigabyte and are not held in memory: each is read again where it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import orjson

from membench.domain.errors import DataError
from membench.tasks.files.documents import whole_json
from membench.tasks.files.jsonl import LINE_LIMIT, json_lines
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source, reading

QUESTIONS, TRAJECTORIES = "questions.jsonl", "trajectories.jsonl"


class Trajectories(Protocol):
    """Trajectories by id."""

    def find(self, wanted: Node) -> Node:
        """The trajectory that a node names.

        Raises:
            DataError: There is none.
        """


@dataclass(frozen=True)
class Benchmark:
    """What the files hold.

    Attributes:
        questions: Every question.
        haystacks: Question id -> the ids of its trajectories.
        trajectories: Where they are found.
    """

    questions: tuple[Node, ...]
    haystacks: Node
    trajectories: Trajectories


def haystack_file(folder: Path, tier: str) -> Path:
    """The file that says which trajectories a question has."""
    return folder / "haystacks" / f"lme_v2_{tier}.json"


def find_files(folder: Path, tier: str) -> tuple[Path, ...]:
    """The three files, if they are in a folder."""
    found = (folder / QUESTIONS, folder / TRAJECTORIES, haystack_file(folder, tier))
    return found if all(path.is_file() for path in found) else ()


def read_files(source: Source) -> Benchmark:
    """The files of a tier, or one document with all three (the sample).

    Raises:
        DataError: A file cannot be read, or holds an id twice.
    """
    if source.more:
        trajectories, haystacks = source.more
        questions = tuple(json_lines(source.path))
        return Benchmark(questions, whole_json(haystacks), StoredTrajectories.of(trajectories))
    node = whole_json(source.path)
    listed = {item["id"].text(): item for item in node["trajectories"].items()}
    return Benchmark(tuple(node["questions"].items()), node["haystack"], ListedTrajectories(listed))


@dataclass(frozen=True)
class ListedTrajectories:
    """Trajectories that are held in memory."""

    by_id: Mapping[str, Node]

    def find(self, wanted: Node) -> Node:
        """See `Trajectories.find`."""
        if (name := wanted.text()) not in self.by_id:
            raise wanted.error(f"there is no trajectory '{name[:60]}'")
        return self.by_id[name]


@dataclass(frozen=True)
class StoredTrajectories:
    """Trajectories that are read from their file.

    Attributes:
        path: The file.
        places: Id -> number of its line, where that begins, and its length in bytes.
    """

    path: Path
    places: Mapping[str, tuple[int, int, int]]

    @classmethod
    def of(cls, path: Path) -> StoredTrajectories:
        """Look through a file once."""
        places: dict[str, tuple[int, int, int]] = {}
        for number, start, line in lines(path):
            name = read_line(path, number, line)["id"].text()
            if name in places:
                raise DataError(path, f"line {number}", f"'{name}' is already there")
            places[name] = (number, start, len(line))
        return cls(path, places)

    def find(self, wanted: Node) -> Node:
        """See `Trajectories.find`."""
        if (name := wanted.text()) not in self.places:
            raise wanted.error(f"there is no trajectory '{name[:60]}'")
        number, start, length = self.places[name]
        with reading(self.path), self.path.open("rb") as file:
            file.seek(start)
            return read_line(self.path, number, file.read(length))


def lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Number, start and bytes of every line that is not blank."""
    start = 0
    with reading(path), path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_LIMIT + 1):
            number += 1
            if len(line) > LINE_LIMIT:
                raise DataError(path, f"line {number}", f"longer than {LINE_LIMIT // 2**20} MB")
            if line.strip():
                yield number, start, line
            start += len(line)


def read_line(path: Path, number: int, line: bytes) -> Node:
    """The object in a line."""
    try:
        return Node(orjson.loads(line), path, f"line {number}")
    except orjson.JSONDecodeError as error:
        problem = f"not valid JSON ({error})"
        raise DataError(path, f"line {number}", problem, "Fetch the file again.") from None
