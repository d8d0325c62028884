"""My Task (paper): what it asks of a memory system, and how its authors score the answers.

A case is one history with its questions: its sessions in file order, `Finalize`, every question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from membench.harness.errors import DataError, Reason
from membench.harness.model import (
    Aggregate,
    Answered,
    Ask,
    Case,
    Event,
    Finalize,
    Gold,
    Ingest,
    PlayedCase,
    Question,
    QuestionGold,
    Recalled,
    Score,
    Session,
    Turn,
    Verdict,
)
from membench.metrics.aggregate import aggregate
from membench.metrics.retrieval import recall_at
from membench.metrics.text import normalise
from membench.tasks.base import AnswerInput, Message, Task, TaskCard, fill
from membench.tasks.data import Source
from membench.tasks.jsonl import json_lines
from membench.tasks.render import dated_memories
from membench.tasks.schema import Node

CUTS = (1, 5, 10)
LAYOUT, EXAMPLE = "%Y-%m-%d %H:%M", "2031-04-01 18:30"

CARD = TaskCard(
    name="my_task",
    title="My Task",
    paper="arXiv:0000.00000",
    licence="Apache-2.0",
    may_redistribute_text=True,
    files=(),  # DataFile(...) per published file: size, SHA-256, pinned revision
    splits=("main",),
    default_split="main",
    categories={"fact": "fact", "update": "update"},
    counts={"fact": 0, "update": 0},
    headline=("accuracy", "evidence.turn.recall@5"),
    main_metric="accuracy",
    offline_metric="evidence.turn.recall@5",
    patterns={"main": ("my_task*.jsonl*",)},
)


class MyTask(Task[Gold]):
    """Loads and scores My Task."""

    card = CARD

    def cases(self, source: Source, opaque: Callable[[str], str]) -> Iterator[tuple[Case, Gold]]:
        """One case per line."""
        seen: set[str] = set()
        for line in json_lines(source.path):
            official = line["id"].text()
            if official in seen:
                raise line["id"].error(f"'{official}' is already there")
            seen.add(official)
            yield read_case(line, official, opaque)
        if not seen:
            raise DataError(source.path, "", "the file holds no case")

    def answer_messages(self, given: AnswerInput) -> list[Message]:
        """Memories in rank order, then the question."""
        fields = {
            "memories": dated_memories(given.memories),
            "now": given.now or "unknown",
            "question": given.question,
        }
        return [Message("user", fill(self.prompt("answer.txt"), fields))]

    def score(
        self, played: PlayedCase, gold: Gold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row per question."""
        return [row(played, gold, event) for event in gold.questions]

    def aggregate(self, scores: Iterable[Score]) -> Aggregate:
        """Means over questions with intervals over cases."""
        return aggregate(scores, self.card.categories)


# --- loading -------------------------------------------------------------------------------------


def read_case(line: Node, official: str, opaque: Callable[[str], str]) -> tuple[Case, Gold]:
    """A history and its questions; whatever a system may see is named by opaque ids."""
    nodes = enumerate(line["sessions"].items())
    sessions = [read_session(node, f"{opaque(official)}:{n}", n) for n, node in nodes]
    turn_ids = {
        f"{official}/s{session.index}/t{number}": turn.id
        for session in sessions
        for number, turn in enumerate(session.turns)
    }
    now = sessions[-1].time if sessions else None
    events: list[Event] = [*map(Ingest, sessions), Finalize()]
    questions: dict[int, QuestionGold] = {}
    for index, node in enumerate(line["questions"].items()):
        questions[len(events)] = read_question(node, f"{official}/q{index}", official, turn_ids)
        events.append(Ask(Question(node["question"].text(), now)))
    case = Case(opaque(official), CARD.name, tuple(events))
    return case, Gold(case_id=official, questions=questions, turn_ids=turn_ids)


def read_session(node: Node, session_id: str, index: int) -> Session:
    """One dated session."""
    time = node["date"].date(LAYOUT, EXAMPLE)
    turns = []
    for number, item in enumerate(node["turns"].items()):
        speaker, words = item["speaker"].text(), item["text"].string()
        text = f"{speaker}: {words}"  # the official unit: what retrieval indexes
        turns.append(
            Turn(
                id=f"{session_id}:{number}",
                speaker=speaker,
                role="assistant" if speaker == "assistant" else "user",
                content=words,
                text=text,
                time=time,
            )
        )
    return Session(session_id, index, tuple(turns), time)


def read_question(
    node: Node, question_id: str, official: str, turn_ids: Mapping[str, str]
) -> QuestionGold:
    """The private side of a question."""
    evidence = []
    for item in node["evidence"].items():
        turn = f"{official}/{item.text()}"
        if turn not in turn_ids:
            raise item.error(f"there is no turn '{item.value}'")
        evidence.append(turn_ids[turn])
    category = node["type"].one_of(tuple(CARD.categories))
    return QuestionGold(question_id, category, tuple(evidence), node["answer"].answer())


# --- scoring -------------------------------------------------------------------------------------


def row(played: PlayedCase, gold: Gold, event: int) -> Score:
    """The row of one question: exact match of normalised words, and its evidence."""
    question = gold.questions[event]
    answer = next(iter(played.answered.get(event, ())), None)
    reason = why_failed(answer)
    correct = None
    if answer is not None and answer.text is not None:
        correct = float(normalise(answer.text) == normalise(question.answer or ""))
    return Score(
        case_id=gold.case_id,
        item_id=question.question_id,
        kind="question",
        category=question.category,
        status="failed" if reason else "scored",
        values={"accuracy": correct, **evidence(question, played.recalled.get(event))},
        reason=reason,
        event=event,
    )


def why_failed(answer: Answered | None) -> str | None:
    """The reason of a failure; None for an answer that was had."""
    if answer is None:
        return Reason.MISSING
    return None if answer.outcome.ok else answer.outcome.reason or Reason.HARNESS_ERROR


def evidence(question: QuestionGold, recalled: Recalled | None) -> dict[str, float | None]:
    """Evidence recall at every cut that the recall serves."""
    if not question.evidence or recalled is None:
        return {}
    units = [frozenset(memory.sources) for memory in recalled.memories]
    served = [n for n in CUTS if recalled.k is None or n <= recalled.k]
    ok = recalled.outcome.ok
    return {
        f"evidence.turn.recall@{n}": recall_at(units, question.evidence, n) if ok else None
        for n in served
    }


TASK = MyTask
