"""Every model call behind one question: of its own events and of the ingestion of its evidence.

A run directory names each call in `spent.jsonl`; prompts and replies are in the cassette of a run
that recorded one. Neither is ever in a bundle; both are for the owner of the run, on its machine.
`membench show --calls` and the Question page show the same calls. Of attempts that were abandoned
nothing is shown: of each event the last calls count, as many as its record says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from membench.domain.case import Case
from membench.domain.labels import JsonObject, Phase, Role
from membench.leaderboard.views.question_work import evidence_events
from membench.llm.call_texts import prompt_text, reply_text
from membench.llm.cassette.cassette import Cassette, Key, StoredCall
from membench.records.attempts import CaseAttempt, RunRecords
from membench.records.model_calls import FAILED, REPLAYED, ModelCall, calls_of_case
from membench.records.record import Record
from membench.records.run_directory import RunDir
from membench.records.usage import Usage
from membench.tasks.card import TaskCard

RECORD = "Record them by making the run with --cassette-mode record."
NOT_NAMED = (
    "This run did not note its calls one by one: an older version made it. Make it anew to see "
    "them."
)
NO_MODEL = "No model was called."


@dataclass(frozen=True)
class AskedQuestion:
    """Which question of which case.

    Attributes:
        question_id: Its official id.
        case: Its case.
        event: Where it is asked in the timeline.
        evidence: Ids of turns and items that support its answer.
    """

    question_id: str
    case: Case
    event: int
    evidence: frozenset[str]


@dataclass(frozen=True)
class CallView:
    """One call.

    Attributes:
        phase: What it is charged to.
        event: Index in the timeline; None for judges.
        role: Which model.
        model: Its name on the cassette; empty without one.
        usage: What it cost.
        note: `replayed`, `late` or why it failed; empty for a plain one.
        prompt: What was asked; None where it is not shown.
        reply: What came back; None likewise.
    """

    phase: str
    event: int | None
    role: str
    model: str
    usage: Usage
    note: str
    prompt: str | None
    reply: str | None


@dataclass(frozen=True)
class QuestionCalls:
    """The calls of a question.

    Attributes:
        calls: In the order they ended: ingestion, recall, answer, judges.
        note: Why calls or texts are missing, and how to have them; empty if nothing is.
    """

    calls: tuple[CallView, ...]
    note: str = ""


def question_calls(
    run: RunDir, asked: AskedQuestion, cassette: Path | None = None
) -> QuestionCalls:
    """The model calls behind one question.

    Args:
        run: The run directory; those of its parents are looked for beside it.
        asked: The question.
        cassette: Recorded calls; None for the file that a run records in its own folder.

    Raises:
        DataError: `cassette` is given and is none.
    """
    recorded = RunRecords(run.play, run.texts, run.answers).load(asked.case)
    ledgers = [list(calls_of_case(each.spent, asked.case.id)) for each in lineage(run)]
    calls = [
        *counted_calls(chain(*ledgers), wanted_records(recorded, asked)),
        *judge_calls(ledgers[-1], asked.question_id),
    ]
    if not calls:
        made = any(r.telemetry.usage for r in wanted_records(recorded, asked))
        return QuestionCalls((), NOT_NAMED if made else NO_MODEL)
    files = [cassette] if cassette else [r.cassette for r in lineage(run) if r.cassette.is_file()]
    if not files:
        note = f"Prompts and replies were not recorded. {RECORD}"
        return QuestionCalls(tuple(view(call, None) for call in calls), note)
    return QuestionCalls(tuple(with_texts(calls, files)))


def lineage(run: RunDir) -> list[RunDir]:
    """A run and those it took its records from as far as they lie beside it, oldest first."""
    found = [run]
    while (parent := found[0].manifest().parent) is not None:
        path = run.path.parent / parent.run_id
        if not path.is_dir() or any(each.path == path for each in found):
            break
        found.insert(0, RunDir.open(path))
    return found


def wanted_records(recorded: CaseAttempt, asked: AskedQuestion) -> list[Record]:
    """Records of the events that handed over the evidence, and of the question."""
    events = evidence_events(asked.case, asked.evidence) | {asked.event}
    answers = recorded.answers or {}
    played = [record for record in recorded.records if record.event in events]
    return [*played, *(answers[event] for event in (asked.event,) if event in answers)]


def counted_calls(calls: Iterable[ModelCall], records: Sequence[Record]) -> Iterator[ModelCall]:
    """Of each record the last calls by role, as many as it counted; late ones beside them."""
    by_place: dict[tuple[int, str, Role], list[ModelCall]] = defaultdict(list)
    for call in calls:
        if (place := place_of(call)) is not None:
            by_place[place].append(call)
    for record in records:
        roles = record.telemetry.usage.roles if record.telemetry.usage else {}
        for role in Role:
            here = by_place[record.event, record.phase, role]
            count = roles[role].asked if role in roles else 0
            in_time = [call for call in here if not call.origin.late]
            yield from in_time[len(in_time) - min(count, len(in_time)) :]
            yield from (call for call in here if call.origin.late)


def place_of(call: ModelCall) -> tuple[int, str, Role] | None:
    """Event, phase and role of a call; None for one of no event."""
    origin = call.origin
    if call.role == Role.READER:
        event = origin.sample.partition("/")[0]
        return (int(event), Phase.ANSWER.value, call.role) if event.isdigit() else None
    if origin.event is None or origin.phase is None:
        return None
    return origin.event, origin.phase, call.role


def judge_calls(calls: Iterable[ModelCall], question_id: str) -> Iterator[ModelCall]:
    """What judges were asked about a question; asked again, the last call counts."""
    last = {
        call.origin.sample: call
        for call in calls
        if call.role == Role.JUDGE and call.origin.sample.startswith(f"{question_id}:")
    }
    yield from last.values()


def with_texts(calls: Sequence[ModelCall], files: Sequence[Path]) -> Iterator[CallView]:
    """Calls with prompt and reply, where a cassette has them."""
    cassettes = [Cassette(path, readonly=True) for path in files]
    try:
        for call in calls:
            found = (cassette.get(key_of(call)) for cassette in cassettes if call.request_sha256)
            yield view(call, next((stored for stored in found if stored is not None), None))
    finally:
        for cassette in cassettes:
            cassette.close()


def key_of(call: ModelCall) -> Key:
    """How the cassette has a call."""
    origin = call.origin
    return Key(origin.case, str(call.role), origin.sample, call.request_sha256 or "", call.n)


def view(call: ModelCall, stored: StoredCall | None) -> CallView:
    """One call as it is shown."""
    place = place_of(call)
    event, phase = (None, Phase.JUDGE.value) if place is None else place[:2]
    notes = (
        call.reason or "failed" if call.outcome == FAILED else "",
        "replayed" if call.outcome == REPLAYED else "",
        "late" if call.origin.late else "",
    )
    return CallView(
        phase,
        event,
        str(call.role),
        stored.model if stored else "",
        call.usage,
        ", ".join(note for note in notes if note),
        prompt_text(stored) if stored else None,
        reply_text(stored) if stored else None,
    )


def owner_note(card: TaskCard) -> str:
    """Why texts of a task that must not be passed on are shown to the owner of a run."""
    if card.may_redistribute_text:
        return ""
    return (
        f"Texts are shown because this run and its data are yours, under their licence "
        f"({card.licence}); it does not allow passing them on, so no bundle and no export has them."
    )


def call_entries(found: QuestionCalls) -> list[JsonObject]:
    """Calls as plain values, texts included."""
    return [
        {
            "phase": call.phase,
            "event": call.event,
            "role": call.role,
            "model": call.model or None,
            "prompt_tokens": call.usage.prompt_tokens,
            "completion_tokens": call.usage.completion_tokens,
            "embedding_tokens": call.usage.embedding_tokens,
            "ms": None if call.usage.latency_s is None else round(1000 * call.usage.latency_s, 3),
            "note": call.note,
            "prompt": call.prompt,
            "reply": call.reply,
        }
        for call in found.calls
    ]
