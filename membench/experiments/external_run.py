"""A run directory of predictions made elsewhere: `show`, `compare` and `submit` read it as any.

Its records are those of a run, with one difference: their telemetry says `unseen`, so that no cost
of them is known. Verdicts that came with the answers are those of a judge called `elsewhere`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from membench.domain.case import Ask, Case, Event, Ingest, Probe, Remember, phase_of
from membench.domain.errors import Reason
from membench.domain.labels import JsonObject, Phase
from membench.domain.outcome import Answered, Ingested, Outcome, Recalled
from membench.domain.score import Verdict
from membench.experiments.predictions import PredictedCase
from membench.harness.lanes.case_player import size_of
from membench.harness.manifest import new_manifest
from membench.harness.prepare import ResolvedRun, survey
from membench.harness.run import RunResult, conclude
from membench.harness.stages.read import answers_content
from membench.harness.stages.verdicts import seats
from membench.records.journal import Appender
from membench.records.memories import MemoryTable, changes_to_content
from membench.records.record import Content, Record, failed, free_text
from membench.records.run_directory import RunDir, new_run_id
from membench.records.telemetry import Telemetry

JUDGE = "elsewhere"
"""Name of whoever gave the verdicts that came with them."""

ATTEMPT = 1


def write_external_run(prepared: ResolvedRun, cases: Iterable[PredictedCase]) -> RunResult:
    """Write what was predicted as the records of a run, and conclude it.

    Args:
        prepared: What was predicted for, and where the run goes.
        cases: Every case of the data.

    Raises:
        UserError: The folder cannot be written.
    """
    run_id = new_run_id(prepared.system.name, prepared.card.name)
    run = RunDir.create(prepared.options.out, run_id)
    with run.locked():
        run.write_places(prepared.places)
        # Our prompts had no part in it, whoever judged.
        manifest = new_manifest(prepared, survey(prepared), run_id)
        key = manifest.comparison_key
        key = replace(key, judge_prompt_sha256=None, answer_prompt_sha256=None)
        run.write_manifest(replace(manifest, prompts={}, comparison_key=key))
        play, texts, answers = (Appender(path) for path in (run.play, run.texts, run.answers))
        for found in cases:
            table = MemoryTable(found.case.id, ATTEMPT, texts)
            for record in play_records(found, table, changes=prepared.card.records_changes):
                play.append(record.to_json())
            for record in answer_records(found):
                answers.append(record.to_json())
            write_verdicts(prepared, run, found)
        for journal in (play, texts, answers):
            journal.close()
        return conclude(prepared, run)


def play_records(found: PredictedCase, table: MemoryTable, *, changes: bool) -> Iterator[Record]:
    """A record for every event of a case.

    Args:
        found: The case.
        table: Numbers the memories.
        changes: Whether what a session stored is recorded, not only how much.
    """
    case, played = found.case, found.played
    for index, event in enumerate(case.timeline):
        telemetry = Telemetry(unseen=True)
        if isinstance(event, Ask | Probe):
            content, tokens = recall_content(played.recalled.get(index), table)
            telemetry = Telemetry(unseen=True, context_tokens=tokens)
        else:
            content = stored_content(event, played.ingested.get(index), table, changes=changes)
            size = size_of(event)
            telemetry = Telemetry(unseen=True, turns=size.turns, tokens=size.tokens)
        yield record(case, index, phase_of(event), content, telemetry)


def record(case: Case, index: int, phase: Phase, content: Content, telemetry: Telemetry) -> Record:
    """A record of a case's only attempt."""
    return Record(case.id, index, phase.value, ATTEMPT, content, telemetry)


def recall_content(recalled: Recalled | None, table: MemoryTable) -> tuple[Content, int | None]:
    """What was recalled, and its tokens; without a list nothing is known of it."""
    if recalled is None:
        return {"status": "ok"}, None
    if not recalled.outcome.ok:
        return failed_content(recalled.outcome), None
    numbers = [table.index(memory) for memory in recalled.memories]
    shown = all(memory.text for memory in recalled.memories)
    tokens = sum(table.tokens[n] for n in numbers) if shown else None
    return {"status": "ok", "k": recalled.k, "memories": numbers}, tokens


def stored_content(
    event: Event, ingested: Ingested | None, table: MemoryTable, *, changes: bool
) -> Content:
    """What an event that asks nothing came to."""
    if isinstance(event, Ingest) and ingested is None:
        return failed(Reason.MISSING)
    if not isinstance(event, Ingest | Remember):
        return {"status": "ok"}
    if ingested is None or (ingested.outcome.ok and ingested.changes is None):
        return {"status": "ok", "changes": None}
    if not ingested.outcome.ok:
        return failed_content(ingested.outcome)
    made = ingested.changes or ()
    listed = changes_to_content(made, table) if changes else len(made)
    return {"status": "ok", "changes": listed}


def failed_content(outcome: Outcome) -> Content:
    """Content of a failed record."""
    return failed(Reason(outcome.reason or Reason.MISSING))


def answer_records(found: PredictedCase) -> Iterator[Record]:
    """A record for every question that has an answer, or that failed."""
    for index, given in sorted(found.played.answered.items()):
        content = answers_content([answer_content(answer) for answer in given])
        yield record(found.case, index, Phase.ANSWER, content, Telemetry(unseen=True))


def answer_content(answer: Answered) -> Content:
    """One generation."""
    if not answer.outcome.ok or answer.text is None:
        return failed_content(answer.outcome)
    return {"status": "ok", **free_text(answer.text)}


def write_verdicts(prepared: ResolvedRun, run: RunDir, found: PredictedCase) -> None:
    """The verdicts of a case, as a judge's."""
    if not found.verdicts:
        return
    (seat,) = seats(prepared, run)
    run.verdicts.mkdir(exist_ok=True)
    journal = Appender(seat.path)
    for verdict in found.verdicts.values():
        journal.append(verdict_line(found.case, verdict))
    journal.close()


def verdict_line(case: Case, verdict: Verdict) -> JsonObject:
    """A verdict as the judge stage writes it."""
    return {
        "case": case.id,
        "request": verdict.request_id,
        "status": "ok" if verdict.outcome.ok else "failed",
        "reason": verdict.outcome.reason,
        "values": dict(verdict.values),
        "votes": [verdict.values.get("label")],
        "telemetry": Telemetry(unseen=True).to_json(),
    }
