"""From a row of the published table to a case: chunks of its context, then its questions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from membench.domain.case import Ask, Case, Event, Finalize, Ingest, Question, Session, Turn
from membench.tasks.files.node import Node
from membench.tasks.memoryagentbench.gold import (
    MemoryAgentBenchGold,
    MemoryAgentBenchQuestion,
    category_of,
)

SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
NAME = "memoryagentbench"


def read_case(
    row: Node, index: int, opaque: Callable[[str], str], chunk_tokens: int
) -> tuple[Case, MemoryAgentBenchGold]:
    """One row.

    Raises:
        DataError: A field is missing or of the wrong kind; names its place.
    """
    metadata = row["metadata"]
    source = metadata["source"].text()
    category = category_of(source)
    if category is None:
        raise metadata["source"].error(f"'{source[:60]}' is no known source")
    case_id = f"{source}/{index}"
    chunks = pack(row["context"].text(), chunk_tokens)
    timeline: list[Event] = [Ingest(session_of(text, n)) for n, text in enumerate(chunks)]
    timeline.append(Finalize())
    questions: dict[int, MemoryAgentBenchQuestion] = {}
    for question, gold in read_questions(row, case_id, category):
        questions[len(timeline)] = gold
        timeline.append(Ask(Question(question)))
    turns = {f"c{n}": f"c{n}" for n in range(len(chunks))}
    case = Case(opaque(case_id), NAME, tuple(timeline))
    return case, MemoryAgentBenchGold(case_id, questions, turns)


def session_of(text: str, number: int) -> Session:
    """One chunk: a session of one turn, without date; nobody speaks."""
    turn = Turn(f"c{number}", "document", "user", text, text)
    return Session(f"c{number}", number, (turn,))


def read_questions(
    row: Node, case_id: str, category: str
) -> Iterator[tuple[str, MemoryAgentBenchQuestion]]:
    """The questions of a row with their gold."""
    questions, answers = list(row["questions"].items()), list(row["answers"].items())
    if len(questions) != len(answers):
        raise row["answers"].error(
            f"{len(answers)} answers do not go with {len(questions)} questions"
        )
    ids = row["metadata"].get("qa_pair_ids")
    names = ids.strings() if ids is not None else ()
    for index, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        accepted = accepted_answers(answer)
        yield (
            question.text(),
            MemoryAgentBenchQuestion(
                question_id=names[index] if index < len(names) else f"{case_id}/q{index}",
                category=category,
                answer=accepted[0],
                answers=accepted,
            ),
        )


def accepted_answers(node: Node) -> tuple[str, ...]:
    """Accepted answers: a list of them, or a single one."""
    found = node.strings() if isinstance(node.value, list) else (node.answer(),)
    if not found:
        raise node.error("expected an answer, found an empty list")
    return found


# --- chunks --------------------------------------------------------------------------------------


def pack(text: str, limit: int) -> list[str]:
    """Chunks of whole lines, of at most so many tokens (o200k_base) each.

    A line that is longer by itself is cut after sentences, and a sentence that is longer between
    words. Joined without anything between them, the chunks are the text.
    """
    from membench.tokens import count_tokens

    chunks: list[str] = []
    current: list[str] = []
    size = 0
    for piece in pieces(text, limit, count_tokens):
        tokens = count_tokens(piece)
        if current and size + tokens > limit:
            chunks.append("".join(current))
            current, size = [], 0
        current.append(piece)
        size += tokens
    return [*chunks, "".join(current)]


def pieces(text: str, limit: int, count: Callable[[str], int]) -> Iterator[str]:
    """Lines with their ends; parts of those that are too long."""
    for line in text.splitlines(keepends=True):
        if count(line) <= limit:
            yield line
            continue
        for part in split_after(line, SENTENCE_END):
            yield from (part,) if count(part) <= limit else words_of(part, limit, count)


def split_after(text: str, end: re.Pattern[str]) -> Sequence[str]:
    """A text cut after every match; nothing is lost."""
    cuts = [0, *(match.end() for match in end.finditer(text)), len(text)]
    return [text[a:b] for a, b in pairwise(cuts) if a < b]


def words_of(text: str, limit: int, count: Callable[[str], int]) -> Iterator[str]:
    """A text cut between words, or within one that is too long by itself, into halves of halves."""
    if count(text) <= limit or len(text) < 2:
        yield text
        return
    middle = text.rfind(" ", 1, len(text) // 2) + 1 or len(text) // 2
    yield from words_of(text[:middle], limit, count)
    yield from words_of(text[middle:], limit, count)
