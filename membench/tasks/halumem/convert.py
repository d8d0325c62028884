"""A run recorded by the benchmark's own scripts, as predictions and verdicts.

The official adapters write one JSON line per user with everything they did (`..._results.jsonl`),
the official scorer one JSON object with every judge record (`..._scores.json`, the key
`overall_score` being its result). This turns the two into the files of `docs/predictions.md`::

    python -m membench.tasks.halumem.convert RESULTS SCORES FOLDER
    membench score --task halumem --data RESULTS
        --predictions FOLDER/predictions.jsonl --verdicts FOLDER/verdicts.jsonl

The first file also serves as data, because it holds dialogue and gold. It stays where it is:
what is written here holds ids, what the system stored and said, and what the judge said.
"""

from __future__ import annotations

import sys
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import orjson

from membench.domain.errors import Reason, UserError
from membench.domain.labels import JsonObject
from membench.domain.whole_file import written_whole
from membench.tasks.base import request_id
from membench.tasks.files.jsonl import json_lines
from membench.tasks.files.node import Node
from membench.tasks.files.source import open_bytes, reading
from membench.tasks.halumem.scoring import INCLUDED

Line = JsonObject
Key = tuple[str, str]
"""A session id and what tells its things apart: a point's index, a memory's or question's text."""


def convert(results: Path, scores: Path, folder: Path) -> tuple[Path, Path]:
    """Write `predictions.jsonl` and `verdicts.jsonl` into a folder.

    Raises:
        DataError: A file is not what the official scripts write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    users = list(json_lines(results))
    predictions = folder / "predictions.jsonl"
    verdicts = folder / "verdicts.jsonl"
    write_lines(predictions, (line for user in users for line in predictions_of(user)))
    write_lines(verdicts, verdicts_of(users, read_scores(scores)))
    return predictions, verdicts


def predictions_of(user: Node) -> Iterator[Line]:
    """What a system stored, found and answered for one user."""
    for session_id, session in sessions_of(user):
        yield {
            "session_id": session_id,
            "extracted": [item.string() for item in session["extracted_memories"].items()],
            **duration(session, "add_dialogue_duration_ms"),
        }
        for number, point in enumerate(session["memory_points"].items()):
            found = point.get("memories_from_system")
            if point["is_update"].string() == "True":
                texts = found.strings() if found else ()
                yield {
                    "probe_id": f"{session_id}/p{number}",
                    "retrieved": [{"text": text} for text in texts],
                }
        for number, question in enumerate(questions_of(session)):
            yield {
                "question_id": f"{session_id}/q{number}",
                "prediction": question["system_response"].string(),
                "retrieved": [{"text": question["context"].string()}],
                **duration(question, "search_duration_ms"),
            }


def verdicts_of(users: Sequence[Node], scores: Node) -> Iterator[Line]:
    """What the judge said about each of those."""
    ids = {kind: ids_by_key(users, listed) for kind, listed in LISTED.items()}
    for kind, (records, key, values) in RECORDS.items():
        for record in scores[records].items():
            session = f"{record['uuid'].text()}/s{record['ssession_id'].integer()}"
            waiting = ids[kind][session, str(record[key].value)]
            if not waiting:
                raise record.error("the recorded run has nothing that this judge record is about")
            yield verdict(request_id(waiting.popleft(), kind), record, values)


def verdict(request: str, record: Node, values: Sequence[Key]) -> Line:
    """One verdict line."""
    if not record["is_valid"].boolean():
        return {"request_id": request, "failed": Reason.JUDGE_UNPARSABLE}
    return {
        "request_id": request,
        "values": {ours: record[official].value for official, ours in values},
    }


RECORDS: dict[str, tuple[str, str, Sequence[Key]]] = {
    "integrity": ("memory_integrity_records", "index", [("memory_integrity_score", "score")]),
    "accuracy": (
        "memory_accuracy_records",
        "memory_content",
        [("memory_accuracy_score", "accuracy_score"), (INCLUDED, INCLUDED)],
    ),
    "update": ("memory_update_records", "index", [("memory_update_type", "evaluation_result")]),
    "question": ("question_answering_records", "question", [("result_type", "evaluation_result")]),
}
"""Request kind -> official list, what tells its records apart, official field -> ours."""


def points_of(session: Node) -> Iterator[tuple[str, str]]:
    """Id and index of each point."""
    for number, point in enumerate(session["memory_points"].items()):
        yield f"p{number}", str(point["index"].integer())


def memories_of(session: Node) -> Iterator[tuple[str, str]]:
    """Id and text of each extracted memory."""
    for number, memory in enumerate(session["extracted_memories"].items()):
        yield f"m{number}", memory.string()


def asked(session: Node) -> Iterator[tuple[str, str]]:
    """Id and text of each question."""
    for number, question in enumerate(questions_of(session)):
        yield f"q{number}", question["question"].string()


LISTED: dict[str, Callable[[Node], Iterable[tuple[str, str]]]] = {
    "integrity": points_of,
    "accuracy": memories_of,
    "update": points_of,
    "question": asked,
}


def ids_by_key(
    users: Sequence[Node], listed: Callable[[Node], Iterable[tuple[str, str]]]
) -> dict[Key, deque[str]]:
    """Our ids by session and key, in order: equal texts in one session are taken in turn."""
    found: dict[Key, deque[str]] = defaultdict(deque)
    for user in users:
        for session_id, session in sessions_of(user):
            for name, key in listed(session):
                found[session_id, key].append(f"{session_id}/{name}")
    return found


def sessions_of(user: Node) -> Iterator[tuple[str, Node]]:
    """Published id and content of each session."""
    uuid = user["uuid"].text()
    for index, session in enumerate(user["sessions"].items()):
        yield f"{uuid}/s{index}", session


def questions_of(session: Node) -> Iterator[Node]:
    """The questions of a session, if any."""
    questions = session.get("questions")
    return questions.items() if questions else iter(())


def duration(node: Node, key: str) -> Line:
    """A duration, where one was taken."""
    taken = node.get(key)
    return {"duration_ms": taken.number()} if taken else {}


def read_scores(path: Path) -> Node:
    """The judge records: one JSON object."""
    with reading(path), open_bytes(path) as file:
        content = file.read()
    try:
        return Node(orjson.loads(content), path, "")
    except orjson.JSONDecodeError as error:
        raise Node(None, path, "").error(f"not valid JSON ({error})") from None


def write_lines(path: Path, lines: Iterable[Line]) -> None:
    """Write JSON Lines."""
    with written_whole(path) as file:
        for line in lines:
            file.write(orjson.dumps(line) + b"\n")


def main(arguments: Sequence[str]) -> int:
    """The command above; exit code 2 for bad usage or input."""
    if len(arguments) != 3:
        sys.stderr.write("usage: python -m membench.tasks.halumem.convert RESULTS SCORES FOLDER\n")
        return 2
    try:
        written = convert(*map(Path, arguments))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write("".join(f"{path}\n" for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
