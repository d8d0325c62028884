"""The play stage: every case that is not yet played, in lanes.

A case is finished when its last attempt has a record for every event and none failed; whatever is
unfinished is played again from its first event, as a new attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice, takewhile
from typing import Any

from membench.domain.case import Ask, Case, phase_of
from membench.domain.clock import Clock
from membench.domain.errors import Reason
from membench.domain.labels import Phase
from membench.domain.score import Gold
from membench.harness.lanes import engine_for
from membench.harness.lanes.case_player import CaseJob, PlaySettings
from membench.harness.lanes.engine import Engine, JobDone, JobLost
from membench.harness.lanes.play_lane import PlayWorker, WaveStep
from membench.harness.prepare import ResolvedRun
from membench.harness.progress import Progress
from membench.harness.stages.followed import FollowedJournal
from membench.llm.phase_meter import GatewayAccess
from membench.readers.registry import choose_reader
from membench.records.attempts import CaseAttempt, RunRecords
from membench.records.journal import Appender, read_lines, terminate_torn_line
from membench.records.record import Record, failed
from membench.records.run_directory import RunDir
from membench.records.shape import is_play
from membench.records.telemetry import Telemetry

PlayEngine = Engine[CaseJob | WaveStep, int, Any]

WAVE_PHASES = (Phase.INGEST, Phase.FINALIZE, Phase.RECALL)


def play(
    prepared: ResolvedRun,
    run: RunDir,
    clock: Clock,
    progress: Progress,
    access: Sequence[GatewayAccess] = (),
    halted: Callable[[], bool] = lambda: False,
) -> None:
    """Play what is not yet played, until `halted` says that nothing more may be called.

    Raises:
        DiskFull: A record could not be written.
    """
    for path in (run.play, run.texts):
        terminate_torn_line(path)
    jobs: Iterator[CaseJob] = takewhile(
        lambda _: not halted(),
        unfinished(prepared, RunRecords(run.play, run.texts, run.answers), progress),
    )
    first = next(jobs, None)
    if first is None:
        return  # nothing of the system need be here, as for a run that is read or judged again
    jobs = chain([first], jobs)
    worker = PlayWorker(
        prepared.system,
        prepared.parameters,
        prepared.spec.seed,
        settings(prepared),
        run.path,
        clock,
        access,
        prepared.isolation,
    )
    with FollowedJournal(run.play, progress), engine_for(prepared.options, worker) as engine:
        if prepared.options.schedule == "waves":
            play_waves(engine, worker, jobs, prepared.options.wave_cases, progress)
        else:
            play_free(engine, worker, jobs, progress)


def settings(prepared: ResolvedRun) -> PlaySettings:
    """What every recall of the run has in common."""
    return PlaySettings(
        prepared.k,
        prepared.spec.token_budget,
        record_changes=prepared.card.records_changes,
        own_answer=choose_reader(prepared.spec.reader).card.kind == "system",
        answer_only=prepared.system.protocol == "answer-only",
    )


def unfinished(
    prepared: ResolvedRun, recorded: RunRecords, progress: Progress
) -> Iterator[CaseJob]:
    """Jobs for the cases that are not finished; finished ones are found done."""
    grant = "evidence_grant" in prepared.system.capabilities
    for case, gold in prepared.cases():
        attempts = recorded.attempts(case.id)
        if attempts and is_finished(recorded.load(case)):
            progress.found(len(case.timeline))
            continue
        granted = grants(case, gold) if grant else {}
        yield CaseJob(case, max(attempts, default=0) + 1, granted)


def is_finished(loaded: CaseAttempt) -> bool:
    """Whether a case has a complete attempt without a failure, and all its memories."""
    return loaded.attempt is not None and not loaded.failed and loaded.whole


def grants(case: Case, gold: Gold) -> Mapping[int, tuple[str, ...]]:
    """Evidence turn ids by ask, for the one system that is allowed to see them."""
    return {
        index: gold.questions[index].evidence
        for index, event in enumerate(case.timeline)
        if isinstance(event, Ask) and index in gold.questions
    }


def play_free(
    engine: PlayEngine, worker: PlayWorker, jobs: Iterator[CaseJob], progress: Progress
) -> None:
    """Whole cases, each in whichever lane is idle."""
    for result in engine.run(jobs):
        assert isinstance(result.job, CaseJob)
        if isinstance(result, JobLost):
            record_crash(worker, result.job, result)
            progress.note(f"{result.detail}; its case is failed")


def play_waves(
    engine: PlayEngine,
    worker: PlayWorker,
    jobs: Iterator[CaseJob],
    wave_cases: int,
    progress: Progress,
) -> None:
    """A few cases at a time, all of them through one phase before any enters the next."""
    while wave := list(islice(jobs, wave_cases)):
        lost: set[int] = set()
        for phase in WAVE_PHASES:
            _wave_phase(engine, worker, wave, phase, lost, progress)


def _wave_phase(
    engine: PlayEngine,
    worker: PlayWorker,
    wave: Sequence[CaseJob],
    phase: Phase,
    lost: set[int],
    progress: Progress,
) -> None:
    first = phase is WAVE_PHASES[0]
    steps = [
        (number, WaveStep(job.case.id, phase, job if first else None))
        for number, job in enumerate(wave)
        if number % len(engine) not in lost
    ]
    for result in engine.run_on(steps):
        assert isinstance(result.job, WaveStep)
        if isinstance(result, JobDone):
            continue
        number = next(n for n, job in enumerate(wave) if job.case.id == result.job.case)
        lane = number % len(engine)
        lost.add(lane)
        engine.drop(lane)
        for other in range(lane, len(wave), len(engine)):
            record_crash(worker, wave[other], result)
        progress.note(f"{result.detail}; the cases it held are failed")


def record_crash(worker: PlayWorker, job: CaseJob, lost: JobLost[CaseJob | WaveStep]) -> None:
    """Record what a dead lane left unrecorded: the event it died in, and those after it."""
    path = worker.run / "play.jsonl"
    terminate_torn_line(path)
    key = (job.case.id, job.attempt)
    done = {
        line["event"]
        for line in read_lines(path)
        if is_play(line) and (line["case"], line["attempt"]) == key
    }
    appender = Appender(path)
    reason = lost.reason
    for index, event in enumerate(job.case.timeline):
        if index in done:
            continue
        telemetry = Telemetry(error=lost.detail)
        record = Record(
            job.case.id, index, phase_of(event).value, job.attempt, failed(reason), telemetry
        )
        appender.append(record.to_json())
        reason = Reason.EARLIER_EVENT_FAILED
    appender.close()
