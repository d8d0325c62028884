"""Own questions: cases from a file of the user's, scored by a rule with a name.

A case is a history with its questions: its sessions in file order, `Finalize`, every question.
Such a run compares with others on the same file and is never ranked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from membench.domain.answer import AnswerInput, Message
from membench.domain.case import Case
from membench.domain.errors import Reason
from membench.domain.outcome import Answered, PlayedCase, Recalled
from membench.domain.score import Aggregate, Gold, JudgeRequest, QuestionGold, Score, Verdict
from membench.metrics.aggregate import aggregate
from membench.metrics.retrieval import recall_at
from membench.tasks.base import Task, fill, request_id
from membench.tasks.card import JudgeCard, TaskCard
from membench.tasks.custom.loader import CATEGORY, OwnQuestion, read_cases
from membench.tasks.custom.rules import JUDGE, best
from membench.tasks.files.source import Source
from membench.tasks.prompts import dated_memories

CUTS = (1, 5, 10)
KIND = "answer"

CARD = TaskCard(
    name="custom",
    title="Own questions",
    paper="",
    licence="the user's own",
    may_redistribute_text=False,
    files=(),
    splits=("own",),
    default_split="own",
    categories={CATEGORY: CATEGORY},
    counts={},
    headline=("correct", "evidence.turn.recall@5", "evidence.turn.recall@10"),
    main_metric="correct",
    offline_metric="evidence.turn.recall@10",
    metric_labels={
        "correct": "Correct",
        "evidence.turn.recall@5": "Evidence recall@5",
        "evidence.turn.recall@10": "Evidence recall@10",
    },
    metric_titles={
        "correct": "how right the answers are by the rules of the file",
        "evidence.turn.recall@5": "share of the evidence turns that the first 5 memories hold",
        "evidence.turn.recall@10": "share of the evidence turns that the first 10 memories hold",
    },
    patterns={"own": ("*.yaml", "*.yml", "*.json", "*.jsonl", "*.json.gz", "*.jsonl.gz")},
    own_files=(".yaml", ".yml", ".json", ".jsonl", ".json.gz", ".jsonl.gz"),
    warning="A file of somebody's own: comparable on that very file, and never ranked.",
    judges={
        KIND: JudgeCard(
            prompt="judge.txt",
            labels=("CORRECT", "WRONG"),
            accepts=("CORRECT",),
            reference="gold",
        )
    },
)


class Custom(Task[Gold]):
    """Loads and scores own questions."""

    card = CARD

    def cases(self, source: Source, opaque: Callable[[str], str]) -> Iterator[tuple[Case, Gold]]:
        """The cases of the file."""
        return read_cases(source.path, self.card.name, opaque)

    @classmethod
    def locate(cls, folder: Path, split: str) -> Source | None:
        """No file is looked for: it must be named."""
        return None

    def answer_messages(self, given: AnswerInput) -> list[Message]:
        """Memories in rank order, then the question."""
        fields = {
            "memories": dated_memories(given.memories),
            "now": given.now or "unknown",
            "question": given.question,
        }
        return [Message("user", fill(self.prompt("answer.txt"), fields))]

    def judgements(self, played: PlayedCase, gold: Gold) -> Sequence[JudgeRequest]:
        """One request per answered question whose rule is `judge`."""
        requests = []
        for event, question in gold.questions.items():
            answer = first_answer(played, event)
            asked = own(question)
            if asked.rule == JUDGE and answer is not None and answer.text is not None:
                fields = {
                    "question": asked.text,
                    "gold": " | ".join(asked.golds),
                    "answer": answer.text,
                }
                requests.append(JudgeRequest(request_id(asked.question_id, KIND), KIND, fields))
        return requests

    def score(
        self, played: PlayedCase, gold: Gold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row per question."""
        return [
            row(gold.case_id, own(question), event, played, verdicts)
            for event, question in gold.questions.items()
        ]

    def aggregate(self, scores: Iterable[Score]) -> Aggregate:
        """Means over questions with intervals over cases, by the categories of the file."""
        rows = list(scores)
        names = dict.fromkeys(row.category for row in rows if row.category is not None)
        return aggregate(rows, {name: name for name in sorted(names)})


def own(question: QuestionGold) -> OwnQuestion:
    """A question as this task's loader makes it."""
    assert isinstance(question, OwnQuestion)
    return question


def first_answer(played: PlayedCase, event: int) -> Answered | None:
    """The answer to an ask, if one was recorded."""
    return next(iter(played.answered.get(event, ())), None)


def row(
    case_id: str,
    question: OwnQuestion,
    event: int,
    played: PlayedCase,
    verdicts: Mapping[str, Verdict],
) -> Score:
    """The row of one question: its rule's score, and its evidence."""
    answer = first_answer(played, event)
    verdict = verdicts.get(request_id(question.question_id, KIND))
    correct, reason = None, why_failed(answer)
    if reason is None and question.rule == JUDGE and verdict is not None:
        reason = None if verdict.outcome.ok else verdict.outcome.reason or Reason.JUDGE_ERROR
        if reason is None:
            correct = float(verdict.values["label"] in CARD.judges[KIND].accepts)
    elif reason is None and question.rule != JUDGE and answer is not None:
        correct = best(question.rule, answer.text or "", question.golds)
    unscored = reason is None and correct is None
    return Score(
        case_id=case_id,
        item_id=question.question_id,
        kind="question",
        category=question.category,
        status="failed" if reason else "unscored" if unscored else "scored",
        values={"correct": correct, **evidence(question, played.recalled.get(event))},
        reason=reason or ("no judge was run" if unscored else None),
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


TASK = Custom
