"""`membench show RUN --question ID`: everything about one question."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from membench.cli.output.console import out
from membench.cli.output.listing import print_json
from membench.domain.case import Ask, Case
from membench.domain.errors import UnknownName
from membench.domain.labels import JsonObject
from membench.domain.score import Gold, Score
from membench.harness.places import open_run
from membench.harness.run import rebuilt
from membench.records.attempts import RunRecords, played_case
from membench.records.run_directory import RunDir
from membench.records.scores import read_scores
from membench.records.spec import ExecOptions


def print_question(path: Path, question_id: str, data: Path | None, *, as_json: bool) -> None:
    """Print question, gold, recalled memories, answers and scores.

    Raises:
        UnknownName: The run has no such question.
    """
    run = open_run(path)
    prepared = rebuilt(run, ExecOptions(data=data))
    known: list[str] = []
    for case, gold in prepared.cases():
        for event, question in gold.questions.items():
            known.append(question.question_id)
            if question.question_id == question_id:
                entry = question_entry(run, case, gold, event)
                print_json(entry) if as_json else print_entry(entry)
                return
    raise UnknownName("question", question_id, known)


def question_entry(run: RunDir, case: Case, gold: Gold, event: int) -> JsonObject:
    """All there is about one ask."""
    asked = case.timeline[event]
    assert isinstance(asked, Ask)
    played = played_case(case, RunRecords(run.play, run.texts, run.answers).load(case))
    recalled = played.recalled.get(event)
    question = gold.questions[event]
    return {
        "question_id": question.question_id,
        "case": gold.case_id,
        "category": question.category,
        "question": asked.question.text,
        "now": asked.question.now.isoformat() if asked.question.now else None,
        "gold": question.answer,
        "evidence": list(question.evidence),
        "recalled": [
            {
                "rank": rank,
                "sources": list(memory.sources),
                "evidence": bool(set(memory.sources) & set(question.evidence)),
                "time": memory.time.isoformat() if memory.time else None,
                "text": memory.text,
            }
            for rank, memory in enumerate(recalled.memories if recalled else (), start=1)
        ],
        "recall_failed": recalled.outcome.reason if recalled else "missing",
        "answers": [
            answer.text if answer.outcome.ok else f"failed: {answer.outcome.reason}"
            for answer in played.answered.get(event, ())
        ],
        "scores": [asdict(row) for row in scores_of(run, question.question_id)],
    }


def scores_of(run: RunDir, question_id: str) -> list[Score]:
    """The score rows of one question; none before the run is scored."""
    if not run.scores.is_file():
        return []
    return [row for row in read_scores(run.scores) if row.item_id == question_id]


def print_entry(entry: JsonObject) -> None:
    """The same for a person."""
    say(f"{entry['question_id']}  ({entry['category']})")
    say(f"  question  {entry['question']}")
    if entry["now"]:
        say(f"  asked at  {entry['now']}")
    say(f"  gold      {entry['gold'] or '-'}")
    say(f"  evidence  {', '.join(entry['evidence']) or '-'}")
    for answer in entry["answers"] or ["-"]:
        say(f"  answer    {answer}")
    say(f"  recalled  {len(entry['recalled'])} memories" + failure(entry["recall_failed"]))
    for memory in entry["recalled"]:
        mark = "*" if memory["evidence"] else " "
        sources = ", ".join(memory["sources"]) or "no source"
        say(f"   {mark}{memory['rank']:>3}  [{sources}]  {shortened(memory['text'])}")
    for row in entry["scores"]:
        say(f"  {row['status']}" + failure(row["reason"]))
        for name, value in row["values"].items():
            say(f"    {name:<36} {'-' if value is None else format(value, '.3f')}")


def failure(reason: str | None) -> str:
    """A reason in brackets, or nothing."""
    return f" ({reason})" if reason else ""


def shortened(text: str, length: int = 200) -> str:
    """One line of a memory."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 3] + "..."


def say(text: str) -> None:
    """A line on stdout, as it is."""
    out().print(text, markup=False)
