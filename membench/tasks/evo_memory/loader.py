"""From rows of a table to streams: a row is a task, rows in order are a stream.

The paper publishes no file. What is documented are the schemas of the tables that it makes streams
of, and what an experience holds: input, output and feedback (x, y, f). So a row is one of those
tables' own, and may have what a stream adds: `stream`, `attempt`, `feedback`, `success`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from membench.domain.case import Case
from membench.tasks.episodes import Episode, StreamTimeline
from membench.tasks.evo_memory.gold import EvoGold, EvoQuestion
from membench.tasks.files.node import Node
from membench.tasks.generation.draws import Draws

NAME = "evo_memory"
INPUTS = ("input_text", "question", "problem", "input")
TARGETS = ("target", "answer")
OPTIONS = ("options", "choices")
DIFFICULTIES = ("easy", "medium", "hard")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
LETTER = re.compile(r"[A-Z]")
REST = 10
"""Tasks after which there is time for sleep-time work; ours."""


@dataclass(frozen=True)
class Row:
    """One task as read.

    Attributes:
        stream: Which stream it belongs to.
        number: Its place in its stream as filed, from 0.
        episode: What is asked and told.
        gold: How it is scored.
        difficulty: Rank in `DIFFICULTIES`; None where the row does not say.
        node: Where it stands.
    """

    stream: str
    number: int
    episode: Episode
    gold: EvoQuestion
    difficulty: int | None
    node: Node


def read_rows(nodes: Iterable[Node], stream: str) -> Iterator[Row]:
    """The tasks of a table in order; those without a stream of their own are in the one named."""
    counts: dict[str, int] = {}
    for node in nodes:
        named = first(node, ("stream",))
        name = named.text() if named is not None else stream
        number = counts.get(name, 0)
        counts[name] = number + 1
        yield read_row(node, name, number)


def read_row(node: Node, stream: str, number: int) -> Row:
    """One task.

    Raises:
        DataError: It has no input or no target, or is a goal in an environment.
    """
    asked, target = first(node, INPUTS), first(node, TARGETS)
    if asked is None:
        if node.get("goal") is not None:
            raise node["goal"].error("a goal needs its environment, which is not part of a table")
        raise node.error(f"expected one of {', '.join(INPUTS)}")
    if target is None:
        raise node.error(f"expected one of {', '.join(TARGETS)}")
    options = options_of(node)
    answer = target.answer()
    category = category_of(answer, options, node)
    difficulty = node.get("difficulty")
    rank = DIFFICULTIES.index(difficulty.one_of(DIFFICULTIES)) if difficulty is not None else None
    request = "\n".join([asked.text(), *options, *functions_of(node)])
    gold = EvoQuestion(f"{stream}/{number}", category, answer=answer, options=options)
    return Row(stream, number, episode_of(node, request, answer), gold, rank, node)


def episode_of(node: Node, request: str, answer: str) -> Episode:
    """What is told after the task: what the row records, else the right answer."""
    attempt, said, success = (node.get(key) for key in ("attempt", "feedback", "success"))
    return Episode(
        question=request,
        request=request,
        attempt=attempt.string().strip() if attempt is not None else "",
        feedback=said.text() if said is not None else f"The right answer is {answer}.",
        success=success.boolean() if success is not None else None,
    )


def first(node: Node, names: Sequence[str]) -> Node | None:
    """The first of some fields that a row has."""
    return next((found for name in names if (found := node.get(name)) is not None), None)


def options_of(node: Node) -> tuple[str, ...]:
    """Options with their letters; none where the row has none."""
    found = first(node, OPTIONS)
    texts = [option.answer() for option in found.items()] if found is not None else []
    if found is not None and len(texts) > 26:
        raise found.error(f"{len(texts)} options have no letters")
    return tuple(f"{chr(ord('A') + n)}. {text}" for n, text in enumerate(texts))


def functions_of(node: Node) -> tuple[str, ...]:
    """The functions that may be called, as JSON."""
    found = node.get("functions")
    return () if found is None else (f"Functions: {json.dumps(found.list())}",)


def category_of(answer: str, options: Sequence[str], node: Node) -> str:
    """How a task is scored.

    Raises:
        DataError: The answer to a choice is none of its letters.
    """
    if options:
        letters = {option[0] for option in options}
        if not LETTER.fullmatch(answer) or answer not in letters:
            raise node.error(f"'{answer[:40]}' is no letter of {len(options)} options")
        return "choice"
    if node.get("functions") is not None:
        return "call"
    return "number" if NUMBER.fullmatch(answer) else "text"


# --- order ---------------------------------------------------------------------------------------


def ordered(rows: Sequence[Row], order: str, seed: int) -> list[Row]:
    """The rows of a stream in one of the orders.

    Raises:
        DataError: An order by difficulty, and a row does not say its own.
    """
    if order == "file":
        return list(rows)
    if order == "shuffled":
        return Draws(f"{NAME}/{seed}/{rows[0].stream}").shuffled(rows)
    ranks = {}
    for row in rows:
        if row.difficulty is None:
            raise row.node.error(f"order={order} needs the field 'difficulty'")
        ranks[row.number] = row.difficulty if order == "easy_to_hard" else -row.difficulty
    return sorted(rows, key=lambda row: ranks[row.number])


def make_case(rows: Sequence[Row], opaque: Callable[[str], str]) -> tuple[Case, EvoGold]:
    """The stream of some rows in this order."""
    timeline = StreamTimeline(rest=REST)
    questions = {}
    for place, row in enumerate(rows):
        late = 2 * place >= len(rows)
        gold = row.gold
        questions[timeline.add(row.episode)] = EvoQuestion(
            gold.question_id, gold.category, (), gold.answer, gold.options, late
        )
    name = rows[0].stream
    case = timeline.case(name, NAME, opaque)
    return case, EvoGold(name, questions, {turn: turn for turn in case.turns()})
