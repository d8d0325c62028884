"""The read stage with an LLM: many answers in flight, a record per ask as its last one arrives."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from membench.domain.clock import Clock
from membench.domain.errors import Reason
from membench.domain.labels import Phase, Role
from membench.harness.prepare import ResolvedRun
from membench.harness.progress import Progress
from membench.harness.run_models import reader_of
from membench.harness.stages.read import (
    AskJob,
    ReadJob,
    answers_content,
    failed_answers,
    unanswered,
)
from membench.readers.llm.reader import LlmAnswer, ModelReader, ReadRequest
from membench.records.attempts import RunRecords
from membench.records.journal import Appender, terminate_torn_line
from membench.records.record import Content, Record, failed, free_text
from membench.records.run_directory import RunDir
from membench.records.telemetry import Telemetry
from membench.records.usage import PhaseUsage, Usage

if TYPE_CHECKING:
    from membench.llm.gateway import Gateway


def read_with_model(
    prepared: ResolvedRun, run: RunDir, clock: Clock, progress: Progress, gateway: Gateway
) -> None:
    """Answer what is not answered with the run's reader model.

    Raises:
        Stopped: The budget is spent.
    """
    terminate_torn_line(run.answers)
    jobs = unanswered(prepared, RunRecords(run.play, run.texts, run.answers))
    reader, concurrency = reader_of(prepared, clock, gateway)
    desk = AnswerCollector(Appender(run.answers), clock, progress)
    first = next(jobs, None)
    if first is not None and prepared.options.cassette_mode != "replay":
        gateway.run(gateway.ready(Role.READER))
    jobs = jobs if first is None else chain([first], jobs)
    try:
        gateway.run(_read(reader, desk, jobs, concurrency))
    finally:
        desk.close()


async def _read(
    reader: ModelReader, desk: AnswerCollector, jobs: Iterator[ReadJob], concurrency: int
) -> None:
    async for answer in reader.answer_all(desk.asked(jobs), concurrency):
        desk.take(answer)


class AnswerCollector:
    """Hands out asks and collects the generations of each until its record can be written."""

    def __init__(self, answers: Appender, clock: Clock, progress: Progress) -> None:
        """Nothing is in flight."""
        self._answers = answers
        self._clock = clock
        self._progress = progress
        self._open: dict[tuple[str, int], tuple[ReadJob, AskJob, list[LlmAnswer]]] = {}

    def asked(self, jobs: Iterator[ReadJob]) -> Iterator[ReadRequest]:
        """Every generation of every ask; asks without a recall are failed at once."""
        for job in jobs:
            for ask in job.asks:
                if ask.memories is None:
                    content = failed_answers(Reason.RECALL_FAILED, ask.generations)
                    self._write(job, ask, content, Telemetry())
                    continue
                self._open[job.case, ask.event] = (job, ask, [])
                for generation in range(ask.generations):
                    yield ReadRequest(job.case, ask.event, generation, job.given(ask))

    def take(self, answer: LlmAnswer) -> None:
        """Keep an answer; write the ask's record once it has all of them."""
        key = (answer.asked.case, answer.asked.event)
        job, ask, answers = self._open[key]
        answers.append(answer)
        if len(answers) < ask.generations:
            return
        del self._open[key]
        answers.sort(key=lambda each: each.asked.generation)
        content = answers_content([answer_content(each) for each in answers])
        self._write(job, ask, content, answers_telemetry(answers))

    def close(self) -> None:
        """Release the journal; what is still in flight was not recorded."""
        self._answers.close()

    def _write(self, job: ReadJob, ask: AskJob, content: Content, telemetry: Telemetry) -> None:
        record = Record(job.case, ask.event, Phase.ANSWER.value, job.attempt, content, telemetry)
        self._answers.append(record.to_json())
        self._progress.advance()


def answer_content(answer: LlmAnswer) -> Content:
    """One answer as recorded."""
    if answer.text is None:
        return failed(Reason(answer.outcome.reason or Reason.PROVIDER_ERROR))
    return {"status": "ok", **free_text(answer.text)}


def answers_telemetry(answers: list[LlmAnswer]) -> Telemetry:
    """When an ask was answered, what it cost, and what went wrong."""
    usage = sum((answer.usage for answer in answers), Usage())
    return Telemetry(
        start=min(answer.start for answer in answers),
        end=max(answer.end for answer in answers),
        cpu_s=0.0,
        usage=PhaseUsage.of({Role.READER: usage}),
        error=next((answer.detail for answer in answers if answer.detail), None),
        finish_reasons=[answer.finish_reason for answer in answers],
        cut=max(answer.cut for answer in answers) or None,
    )
