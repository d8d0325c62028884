"""Reading a file of own cases: YAML, JSON, or a case per line (docs/own-questions.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from membench.domain.case import Ask, Case, Event, Finalize, Ingest, Question, Session, Turn
from membench.domain.errors import DataError
from membench.domain.score import Gold, QuestionGold
from membench.tasks.custom.rules import NAMES
from membench.tasks.files.jsonl import json_lines
from membench.tasks.files.node import Node
from membench.tasks.files.source import open_json, reading

REMEDY = "docs/own-questions.md has the format and an example."
DEFAULT_RULE = "contains"
CATEGORY = "question"

FILE_KEYS = frozenset({"cases", "scoring"})
CASE_KEYS = frozenset({"id", "sessions", "questions", "scoring"})
SESSION_KEYS = frozenset({"date", "turns"})
TURN_KEYS = frozenset({"id", "speaker", "role", "text"})
QUESTION_KEYS = frozenset({"id", "question", "answer", "scoring", "evidence", "category", "date"})


@dataclass(frozen=True)
class OwnQuestion(QuestionGold):
    """The private side of a question.

    Attributes:
        text: The question.
        golds: Answers of which any one is right; patterns under the rule `regex`.
        rule: Name of the scoring rule.
    """

    text: str = ""
    golds: tuple[str, ...] = ()
    rule: str = DEFAULT_RULE


def read_cases(path: Path, name: str, opaque: Callable[[str], str]) -> Iterator[tuple[Case, Gold]]:
    """The cases of a file.

    Args:
        path: The file.
        name: The task's name.
        opaque: Official id -> opaque id.

    Raises:
        DataError: Names the place and what is wrong there.
    """
    seen: set[str] = set()
    try:
        for node, rule in case_nodes(path):
            case_id = optional_text(node, "id") or f"case{len(seen) + 1}"
            if case_id in seen:
                raise node.error(f"the id '{case_id}' is another case's")
            seen.add(case_id)
            yield read_case(node, case_id, rule, name, opaque)
    except DataError as error:
        error.remedy = REMEDY
        raise
    if not seen:
        raise DataError(path, "", "the file holds no case", REMEDY)


def case_nodes(path: Path) -> Iterator[tuple[Node, str]]:
    """Every case with the rule that the file sets."""
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        yield from ((line, DEFAULT_RULE) for line in json_lines(path))
        return
    root = Node(parsed(path), path, "")
    if isinstance(root.value, list):
        root = Node({"cases": root.value}, path, "")
    if not isinstance(root.value, dict):
        raise root.error("expected `cases:` with a list of cases")
    known(root, FILE_KEYS)
    rule = rule_of(root, DEFAULT_RULE)
    for node in root["cases"].items():
        yield node, rule


def parsed(path: Path) -> object:
    """What a YAML or JSON file says; every scalar is text, as it was written."""
    try:
        with reading(path), open_json(path) as file:
            text = file.read().decode("utf-8")
        return yaml.load(text, Loader=yaml.BaseLoader)
    except UnicodeDecodeError as error:
        raise DataError(path, f"byte {error.start}", "is not UTF-8", REMEDY) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "?"
        raise DataError(path, place, f"is not YAML or JSON ({problem})", REMEDY) from None
    except (RecursionError, ValueError, TypeError):
        raise DataError(path, "", "is not YAML or JSON that can be read", REMEDY) from None


def read_case(
    node: Node, case_id: str, rule: str, name: str, opaque: Callable[[str], str]
) -> tuple[Case, Gold]:
    """A history and its questions; whatever a system may see is named by opaque ids."""
    known(node, CASE_KEYS)
    rule = rule_of(node, rule)
    turn_ids: dict[str, str] = {}
    sessions = [
        read_session(item, number, opaque(case_id), turn_ids)
        for number, item in enumerate(node["sessions"].items())
    ]
    events: list[Event] = [*map(Ingest, sessions), Finalize()]
    questions: dict[int, QuestionGold] = {}
    ids: set[str] = set()
    last = next((s.time for s in reversed(sessions) if s.time is not None), None)
    for number, item in enumerate(node["questions"].items(), start=1):
        asked = read_question(item, f"{case_id}/q{number}", case_id, rule, turn_ids)
        if asked.question_id in ids:
            raise item.error(f"the id '{asked.question_id}' is another question's")
        ids.add(asked.question_id)
        questions[len(events)] = asked
        events.append(Ask(Question(asked.text, date_of(item) or last)))
    if not questions:
        raise node.error("has no question")
    case = Case(opaque(case_id), name, tuple(events))
    return case, Gold(case_id=case_id, questions=questions, turn_ids=turn_ids)


def read_session(node: Node, index: int, case: str, turn_ids: dict[str, str]) -> Session:
    """One session; `turn_ids` takes in the names of its turns."""
    known(node, SESSION_KEYS)
    time = date_of(node)
    turns = []
    for number, item in enumerate(node["turns"].items()):
        known(item, TURN_KEYS)
        speaker, words = item["speaker"].text(), item["text"].text()
        role = optional_text(item, "role")
        if role is not None and role not in ("user", "assistant"):
            raise item["role"].error(f"'{role[:40]}' is neither user nor assistant")
        official = optional_text(item, "id") or f"{index + 1}:{number + 1}"
        if official in turn_ids:
            raise item.error(f"the id '{official}' is another turn's")
        public = f"{case}:{index}:{number}"
        turn_ids[official] = public
        assistant = role == "assistant" if role else speaker.casefold() == "assistant"
        turns.append(
            Turn(
                id=public,
                speaker=speaker,
                role="assistant" if assistant else "user",
                content=words,
                text=f"{speaker}: {words}",
                time=time,
            )
        )
    return Session(f"{case}:{index}", index, tuple(turns), time)


def read_question(
    node: Node, default_id: str, case_id: str, rule: str, turn_ids: Mapping[str, str]
) -> OwnQuestion:
    """The private side of a question."""
    known(node, QUESTION_KEYS)
    own_id = optional_text(node, "id")
    rule = rule_of(node, rule)
    golds = gold_answers(node["answer"])
    if rule == "regex":
        check_patterns(node["answer"], golds)
    evidence = []
    for item in entries(node, "evidence"):
        if item.text() not in turn_ids:
            raise item.error(f"there is no turn '{item.value}' in this case")
        evidence.append(turn_ids[item.value])
    return OwnQuestion(
        question_id=f"{case_id}/{own_id}" if own_id else default_id,
        category=optional_text(node, "category") or CATEGORY,
        evidence=tuple(evidence),
        answer=" | ".join(golds),
        text=node["question"].text(),
        golds=golds,
        rule=rule,
    )


def gold_answers(node: Node) -> tuple[str, ...]:
    """One answer, or several of which any is right; numbers in JSON lines as their digits."""
    if not isinstance(node.value, list):
        return (gold_text(node),)
    golds = tuple(gold_text(item) for item in node.items())
    if not golds:
        raise node.error("expected an answer, found an empty list")
    return golds


def gold_text(node: Node) -> str:
    """A gold answer that is not blank."""
    text = node.answer()
    if not text.strip():
        raise node.error("expected an answer, found a blank one")
    return text


def check_patterns(node: Node, patterns: tuple[str, ...]) -> None:
    """Refuse a pattern that does not compile."""
    for pattern in patterns:
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise node.error(f"'{pattern[:40]}' is no pattern ({error})") from None


def rule_of(node: Node, default: str) -> str:
    """The scoring rule that is set here, else the one from above."""
    return node["scoring"].one_of(NAMES) if node.get("scoring") is not None else default


def entries(node: Node, key: str) -> Iterator[Node]:
    """The elements of a list that may be missing."""
    found = node.get(key)
    return iter(()) if found is None else found.items()


def optional_text(node: Node, key: str) -> str | None:
    """A text, or a number as its digits, that may be missing."""
    found = node.get(key)
    if found is None:
        return None
    text = found.answer()
    if not text.strip():
        raise found.error("expected text, found a blank string")
    return text


def date_of(node: Node) -> datetime | None:
    """The `date` of a session or question, which may be missing."""
    found = node.get("date")
    if found is None:
        return None
    text = found.string()
    try:
        date = datetime.fromisoformat(text.strip())
    except ValueError:
        raise found.error(f"expected a date like '2031-04-01 18:30', found '{text[:40]}'") from None
    if date.tzinfo is not None:
        raise found.error("dates have no time zone here")
    return date


def known(node: Node, keys: frozenset[str]) -> None:
    """Refuse a field that nothing reads: it is a misspelling."""
    for key in node.object():
        if key not in keys:
            raise node.error(f"unknown field '{str(key)[:40]}'; known: {', '.join(sorted(keys))}")
