"""`membench show RUN QUESTION`: everything about one question."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from membench.cli.output.console import out
from membench.cli.output.listing import print_json
from membench.domain.case import Ask, Case
from membench.domain.errors import Reason, UnknownName
from membench.domain.labels import JsonObject
from membench.domain.score import Gold, Score
from membench.harness.places import open_run
from membench.harness.run import rebuilt
from membench.leaderboard.views.model_calls import (
    AskedQuestion,
    call_entries,
    owner_note,
    question_calls,
)
from membench.metrics.numbers import counted
from membench.records.attempts import CaseAttempt, RunRecords, played_case
from membench.records.run_directory import RunDir
from membench.records.scores import read_scores
from membench.records.spec import ExecOptions
from membench.tasks.card import TaskCard

LONGEST_TEXT = 2000
"""Characters of a prompt or a reply that a terminal shows; `--json` gives all."""


FEW_SOURCES = 5
"""Source turns of a memory that are all named."""
LONGEST_ERROR = 600
"""Characters of an error that a terminal shows: more than any that is recorded."""


@dataclass(frozen=True)
class QuestionWish:
    """What is to be shown.

    Attributes:
        question_id: The question.
        data: Where the benchmark's data is, if not where the run looked.
        calls: Whether model calls are wanted.
        cassette: Recorded calls outside the run directory.
    """

    question_id: str
    data: Path | None = None
    calls: bool = False
    cassette: Path | None = None


def print_question(path: Path, wish: QuestionWish, *, as_json: bool) -> None:
    """Print question, gold, recalled memories, answers and scores; model calls if wished.

    Raises:
        UnknownName: The run has no such question.
        DataError: The cassette that was given is none.
    """
    run = open_run(path)
    prepared = rebuilt(run, ExecOptions(data=wish.data))
    known: list[str] = []
    for case, gold in prepared.cases():
        for event, question in gold.questions.items():
            known.append(question.question_id)
            if question.question_id == wish.question_id:
                entry = question_entry(run, case, gold, event)
                if wish.calls:
                    asked = AskedQuestion(
                        question.question_id, case, event, frozenset(question.evidence)
                    )
                    entry |= calls_entry(run, asked, prepared.card, wish.cassette)
                print_json(entry) if as_json else print_entry(entry)
                return
    raise UnknownName("question", wish.question_id, known)


def calls_entry(
    run: RunDir, asked: AskedQuestion, card: TaskCard, cassette: Path | None
) -> JsonObject:
    """Model calls, and why some are missing."""
    found = question_calls(run, asked, cassette)
    notes = (owner_note(card), found.note)
    return {"calls": call_entries(found), "calls_note": " ".join(note for note in notes if note)}


def question_entry(run: RunDir, case: Case, gold: Gold, event: int) -> JsonObject:
    """All there is about one ask."""
    asked = case.timeline[event]
    assert isinstance(asked, Ask)
    attempt = RunRecords(run.play, run.texts, run.answers).load(case)
    played = played_case(case, attempt)
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
        "errors": errors_before(attempt, event),
        "answers": [
            answer.text if answer.outcome.ok else f"failed: {answer.outcome.reason}"
            for answer in played.answered.get(event, ())
        ],
        "scores": [asdict(row) for row in scores_of(run, question.question_id)],
    }


def errors_before(attempt: CaseAttempt, event: int) -> list[str]:
    """What failed a question, in the words of what failed: its own events, or one before them."""
    own = [record for record in attempt.records if record.event == event]
    if own and own[0].content.get("reason") == Reason.EARLIER_EVENT_FAILED:
        own = [record for record in attempt.records if record.event < event]
    answered = (attempt.answers or {}).get(event)
    found = [*own, *([answered] if answered else [])]
    return list(dict.fromkeys(r.telemetry.error for r in found if r.telemetry.error))


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
    say(
        f"  recalled  {counted(len(entry['recalled']), 'memory', 'memories')}"
        + failure(entry["recall_failed"])
    )
    for error in entry["errors"]:
        say(f"  error     {shortened(error, LONGEST_ERROR)}")
    for memory in entry["recalled"]:
        mark = "*" if memory["evidence"] else " "
        sources = named_sources(memory["sources"], entry["evidence"])
        say(f"   {mark}{memory['rank']:>3}  [{sources}]  {shortened(memory['text'])}")
    for row in entry["scores"]:
        say(f"  {row['status']}" + failure(row["reason"]))
        for name, value in row["values"].items():
            say(f"    {name:<36} {'-' if value is None else format(value, '.3f')}")
    if "calls" in entry:
        print_calls(entry["calls"], entry["calls_note"])


def named_sources(sources: Sequence[str], evidence: Collection[str]) -> str:
    """Source turns in a line: all of a few; of many the first, the last and what is evidence."""
    if len(sources) <= FEW_SOURCES:
        return ", ".join(sources) or "no source"
    of_them = [source for source in sources if source in evidence]
    held = f", with {', '.join(of_them)}" if of_them else ""
    return f"{sources[0]} ... {sources[-1]}, {len(sources)} turns{held}"


def print_calls(calls: list[JsonObject], note: str) -> None:
    """A line per model call, and its texts where there are any."""
    say(f"  model calls  {len(calls)}, of the question and of the ingestion of its evidence")
    for call in calls:
        say(f"    {call_line(call)}")
        for name in ("prompt", "reply"):
            if call[name] is not None:
                say(f"      {name}")
                say(indented(call[name]))
    if note:
        say(f"  {note}")


def call_line(call: JsonObject) -> str:
    """Where a call belongs, its tokens and its time."""
    place = f"{call['phase']} {'' if call['event'] is None else call['event']}".strip()
    sent = call["prompt_tokens"] + call["embedding_tokens"]
    took = "-" if call["ms"] is None else f"{call['ms']:,.1f} ms"
    tokens = f"{sent:,} tokens in, {call['completion_tokens']:,} out"
    line = f"{place:<14} {call['role']:<9} {tokens:<30} {took:>12}"
    return "  ".join(part for part in (line, call["model"], call["note"]) if part)


def indented(text: str) -> str:
    """A text below its title, cut where it is very long."""
    rest = len(text) - LONGEST_TEXT
    if rest > 0:
        text = f"{text[:LONGEST_TEXT]}\n... ({rest:,} more characters; --json has all)"
    return "\n".join(f"        {line}" for line in text.splitlines())


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
