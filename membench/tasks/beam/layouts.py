"""Where the chats of a BEAM tier stand: the repository's folders, single files, the hub's tables.

- the repository: `chats/<tier>/<i>/chat.json` and `.../probing_questions/probing_questions.json`;
- flat: `<tier>/<i>.chat.json` and `<tier>/<i>.probing_questions.json` beside it;
- the hub: a table with a row per chat, whose `probing_questions` is a Python literal in a string.

Each may be compressed (`.gz`); a table may be Parquet, Arrow, JSON or JSON Lines.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from membench.domain.errors import DataError
from membench.domain.labels import JsonObject
from membench.tasks.files.documents import whole_json
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source
from membench.tasks.files.tables import stream_rows

CHAT = re.compile(r"(?:(?P<flat>[^.]+)\.)?chat\.json(?:\.gz)?")
QUESTIONS = "probing_questions"
LONGEST_LITERAL = 8 * 2**20
"""Characters a Python literal may have; that of a chat has about 25,000."""


@dataclass(frozen=True)
class Chat:
    """One chat as it stands in a file or a row.

    Attributes:
        case_id: `<tier>/<conversation id>`.
        messages: Its batches.
        questions: Its questions by ability.
    """

    case_id: str
    messages: Node
    questions: Node


def chats(source: Source) -> Iterator[Chat]:
    """The chats of a source, whichever layout it has.

    Raises:
        DataError: A file cannot be read or is not what its name says.
    """
    if CHAT.fullmatch(source.path.name) is None:
        yield from table_chats(source)
        return
    for path in (source.path, *source.more):
        if CHAT.fullmatch(path.name) is not None:
            yield chat_of_files(path, source.split)


# --- files -------------------------------------------------------------------------------------


def find_chats(folder: Path) -> list[Path]:
    """The chat files of a tier's folder in the order of their numbers, each with its questions."""
    nested = [path for path in folder.glob("*/chat.json*") if CHAT.fullmatch(path.name)]
    flat = [path for path in folder.glob("*.chat.json*") if CHAT.fullmatch(path.name)]
    found = sorted(nested or flat, key=lambda path: natural(name_of(path)))
    return [part for path in found for part in (path, questions_file(path))]


def name_of(path: Path) -> str:
    """The conversation id of a chat file: from its name, or that of its folder."""
    match = CHAT.fullmatch(path.name)
    return (match["flat"] if match else None) or path.parent.name


def natural(name: str) -> tuple[int, str]:
    """Numbers by their value, before other names."""
    return (int(name), name) if name.isdecimal() else (2**63, name)


def questions_file(chat: Path) -> Path:
    """The file with the questions of a chat.

    Raises:
        DataError: There is none.
    """
    match = CHAT.fullmatch(chat.name)
    flat = match["flat"] if match else None
    inner = chat.parent / QUESTIONS
    stems = (
        [chat.parent / f"{flat}.{QUESTIONS}.json"]
        if flat
        else [inner / f"{QUESTIONS}.json", chat.parent / f"{QUESTIONS}.json"]
    )
    for stem in stems:
        for path in (stem, stem.with_name(f"{stem.name}.gz")):
            if path.is_file():
                return path
    raise DataError(chat, "", f"its questions are missing: no {stems[0]}", "Fetch both files.")


def chat_of_files(path: Path, tier: str) -> Chat:
    """A chat from its two files."""
    questions = questions_file(path)
    return Chat(
        f"{tier}/{name_of(path)}",
        whole_json(path),
        whole_json(questions),
    )


# --- tables ------------------------------------------------------------------------------------


def table_chats(source: Source) -> Iterator[Chat]:
    """The rows of the hub's table."""
    for number, row in enumerate(stream_rows(source), start=1):
        given = row.get("conversation_id")
        name = given.answer() if given is not None else str(number)
        yield Chat(f"{source.split}/{name}", row_messages(row), row_questions(row))


def row_messages(row: Node) -> Node:
    """The batches of a row: its `chat`, or those of its plans one after the other."""
    if row.get("chat") is not None or row.get("plans") is None:
        return row["chat"]
    plans = [plan["chat"] for plan in row["plans"].items()]
    return Node([batch for plan in plans for batch in plan.list()], row.file, f"{row.place}.plans")


def row_questions(row: Node) -> Node:
    """The questions of a row: an object, or one written into a string."""
    node = row[QUESTIONS]
    if not isinstance(node.value, str):
        return node
    return Node(parsed_literal(node), node.file, node.place)


def parsed_literal(node: Node) -> JsonObject:
    """An object in a string, as JSON or as a Python literal; nothing in it is run."""
    text = node.text()
    if len(text) > LONGEST_LITERAL:
        raise node.error(f"longer than {LONGEST_LITERAL:,} characters")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
            raise node.error(f"no JSON and no Python literal ({type(error).__name__})") from None
    if not isinstance(value, dict):
        raise node.error("expected an object of lists by ability")
    return value
