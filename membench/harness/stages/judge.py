"""The judge stage: the verdicts a task asks for, one file per judge, never thrown away.

A verdict file is named by what determines its verdicts: model, its settings and weights, prompts
and votes. Judging again with the same judge asks only for what is missing, or was about another
answer; with another it writes another file. Before a judge's verdicts count, it is calibrated on
candidates made from gold by rule, and its false-accept and false-reject rates travel with every
score it gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from membench.domain.clock import Clock
from membench.domain.labels import JsonObject, Role
from membench.domain.score import JudgeRequest
from membench.harness.prepare import ResolvedRun, votes_of
from membench.harness.progress import NullProgress, Progress
from membench.harness.run_models import in_flight
from membench.harness.stages.verdicts import JudgeFiles, seats, verdict_lines, verdicts_of
from membench.judging.calibration import CASE, calibration_set, tallied
from membench.judging.judge import Judge, Judgement
from membench.judging.official_prompts import official_prompts
from membench.records.attempts import RunRecords, played_case
from membench.records.canonical import canonical_sha256
from membench.records.journal import Appender, terminate_torn_line
from membench.records.run_directory import RunDir, replace_json
from membench.records.telemetry import Telemetry
from membench.records.usage import PhaseUsage

if TYPE_CHECKING:
    from membench.llm.gateway import Gateway

CALIBRATION_CASES = 20
"""Cases whose gold the calibration set is made from."""


def judge(
    prepared: ResolvedRun, run: RunDir, clock: Clock, progress: Progress, gateway: Gateway
) -> None:
    """Collect the verdicts that each judge of the run has not given yet.

    Raises:
        UsageError: Official prompts were asked for and are not where the path says.
        Stopped: The budget is spent.
    """
    spec = prepared.spec
    official = official_prompts(prepared.card, Path(spec.prompts)) if spec.prompts else {}
    run.verdicts.mkdir(exist_ok=True)
    for seat in seats(prepared, run):
        model = Judge(
            gateway.client(),
            prepared.task,
            seat.number,
            votes_of(spec),
            official,
            now=clock.now,
        )
        bench = JudgeRunner(gateway, model, in_flight(prepared, gateway, Role.JUDGE), clock)
        _calibrate(prepared, bench, seat)
        bench.hear(seat.path, wanted(prepared, run), progress)


def _calibrate(prepared: ResolvedRun, bench: JudgeRunner, seat: JudgeFiles) -> None:
    """Collect the verdicts that a judge has not given yet on candidates made from gold."""
    cases = islice(prepared.cases(), CALIBRATION_CASES)
    known = calibration_set(prepared.task, cases, seed=prepared.spec.seed)
    seat.candidates.parent.mkdir(exist_ok=True)
    bench.hear(seat.candidates, ((CASE, each.request) for each in known), NullProgress())
    verdicts = verdicts_of(seat.candidates)
    rates = tallied(prepared.task, [(each, verdicts[each.request.id]) for each in known])
    replace_json(seat.calibration, rates.to_json())


@dataclass(frozen=True)
class JudgeRunner:
    """A judge whose verdicts go into a journal; nothing is asked twice.

    Attributes:
        gateway: The run's gateway.
        model: The judge.
        concurrency: Judgements in flight.
        clock: The run's clock.
    """

    gateway: Gateway
    model: Judge
    concurrency: int
    clock: Clock

    def hear(
        self, journal: Path, requests: Iterable[tuple[str, JudgeRequest]], progress: Progress
    ) -> None:
        """Ask for the verdicts that the journal does not have.

        Args:
            journal: Where they are and go.
            requests: Opaque case id and request of everything that is wanted.
            progress: Told of each new one.

        Raises:
            Stopped: The budget is spent.
        """
        terminate_torn_line(journal)
        known = {
            (line["request"], line.get("fields_sha256"))
            for line in verdict_lines(journal)
            if line["status"] == "ok"
        }
        new = (job for job in requests if (job[1].id, fields_sha256(job[1])) not in known)
        verdicts = Appender(journal)

        async def work() -> None:
            async for judgement in self.model.judge_all(new, self.concurrency):
                verdicts.append(verdict_line(judgement))
                progress.advance()

        try:
            self.gateway.run(work())
        finally:
            verdicts.close()


def fields_sha256(request: JudgeRequest) -> str:
    """Hash of what is judged: the same request about another answer is another one."""
    return canonical_sha256(dict(request.fields))


def wanted(prepared: ResolvedRun, run: RunDir) -> Iterator[tuple[str, JudgeRequest]]:
    """What the task wants judged: (opaque case id, request)."""
    recorded = RunRecords(run.play, run.texts, run.answers)
    for case, gold in prepared.cases():
        played = played_case(case, recorded.load(case))
        for request in prepared.task.judgements(played, gold):
            yield case.id, request


def verdict_line(judgement: Judgement) -> JsonObject:
    """One line of a verdict file."""
    verdict = judgement.verdict
    telemetry = Telemetry(
        start=judgement.start,
        end=judgement.end,
        cpu_s=0.0,
        usage=PhaseUsage.of({Role.JUDGE: judgement.usage}),
        error=judgement.detail or None,
    )
    return {
        "case": judgement.case,
        "request": verdict.request_id,
        "fields_sha256": fields_sha256(judgement.request),
        "status": "ok" if verdict.outcome.ok else "failed",
        "reason": verdict.outcome.reason,
        "values": verdict.values,
        "votes": judgement.votes,
        "telemetry": telemetry.to_json(),
    }
