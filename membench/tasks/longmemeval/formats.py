"""Files with answers to LongMemEval as its own scripts read and write them.

Source: `src/evaluation/evaluate_qa.py` of xiaowu0162/LongMemEval: JSON Lines of `question_id` and
`hypothesis`; a graded file has `autoeval_label` (`{"model", "label"}`) beside them. And
`src/retrieval/run_retrieval.py`: the instance with `retrieval_results`, whose `ranked_items` are
all rows of a corpus of sessions or of user turns, best first, by `corpus_id`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from membench.tasks.external_format import ConvertedLine, PredictionFormat, QuestionIndex

RESULTS = "retrieval_results"


def is_hypotheses(document: object) -> bool:
    """Objects with a question's id and a hypothesis."""
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(i, dict) and {"question_id", "hypothesis"} <= i.keys() for i in document)
    )


def from_hypotheses(document: Any, index: QuestionIndex) -> Iterator[ConvertedLine]:
    """Every hypothesis, with the official judge's label where it was graded."""
    for number, item in enumerate(document, start=1):
        graded = item.get("autoeval_label")
        label = graded.get("label") if isinstance(graded, dict) else graded
        yield ConvertedLine(
            f"line {number}",
            {"question_id": item["question_id"], "prediction": item["hypothesis"]},
            [] if label is None else [{"autoeval_label": label}],
        )


def is_retrieval_log(document: Any) -> bool:
    """Instances with a ranking."""
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(i, dict) and isinstance(i.get(RESULTS), dict) for i in document)
    )


def from_retrieval_log(document: Any, index: QuestionIndex) -> Iterator[ConvertedLine]:
    """Every ranking; there are no answers in such a file."""
    for number, item in enumerate(document, start=1):
        name = str(item["question_id"])
        turns = turns_by_session(index.turns_in(name))
        seen: Counter[str] = Counter()
        ranked = [
            {"sources": row_sources(str(row["corpus_id"]), turns, seen)}
            for row in item[RESULTS]["ranked_items"]
        ]
        # One more than came: the ranking is of the whole corpus, and nothing was cut off.
        line = {"question_id": name, "retrieved": ranked, "k": len(ranked) + 1}
        yield ConvertedLine(f"line {number}", line)


def turns_by_session(turns: Collection[str]) -> dict[str, list[str]]:
    """Turn ids by the session's part of them."""
    found: dict[str, list[str]] = {}
    for turn in turns:
        found.setdefault(turn.rpartition("_")[0], []).append(turn)
    return found


def row_sources(name: str, turns: dict[str, list[str]], seen: Counter[str]) -> list[str]:
    """Turns of a corpus row: those of a session, or the one that it is.

    A session that comes twice in an instance has two rows of one id; the second is `<id>-2` here.

    Raises:
        ValueError: The instance has neither such a session nor such a turn.
    """
    seen[name] += 1
    again = f"-{seen[name]}" if seen[name] > 1 else ""
    if name + again in turns:
        return turns[name + again]
    session, _, number = name.rpartition("_")
    turn = f"{session}{again}_{number}"
    if turn not in turns.get(session + again, ()):
        raise ValueError(f"the instance has no session or turn '{name}'")
    return [turn]


FORMATS = (
    PredictionFormat("longmemeval", "the official hypothesis file", is_hypotheses, from_hypotheses),
    PredictionFormat(
        "longmemeval-retrieval",
        "the official retrieval log",
        is_retrieval_log,
        from_retrieval_log,
    ),
)
