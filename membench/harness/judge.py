"""The judge stage: the verdicts a task asks for, one file per judge, never thrown away.

A verdict file is named by what determines its verdicts: model, prompts and votes. Judging again
with the same judge asks only for what is missing; with another it writes another file. Before a
judge's verdicts count, it is calibrated on candidates made from gold by rule, and its
false-accept and false-reject rates travel with every score it gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from membench.harness.clock import Clock
from membench.harness.journal import Appender, mend_tail, read_lines
from membench.harness.llm.calibration import calibrate, calibration_set
from membench.harness.llm.judging import Judge, Judgement, agreement
from membench.harness.llm.official import official_prompts
from membench.harness.model import JudgeRequest, Outcome, Verdict
from membench.harness.prepared import Prepared, judges
from membench.harness.progress import Progress
from membench.harness.recorded import Recorded, played_case
from membench.harness.rundir import RunDir, replace_json
from membench.harness.spec import RunSpec, canonical_sha256

if TYPE_CHECKING:
    from membench.harness.llm.gateway import Gateway

CALIBRATION_CASES = 20
"""Cases whose gold the calibration set is made from."""


@dataclass(frozen=True)
class Seat:
    """One judge of a run and its files.

    Attributes:
        number: 0 for the judge that gives the scores.
        model: Its name.
        key: Names its files.
        path: Its verdicts.
        calibration: What it said about candidates made from gold.
    """

    number: int
    model: str
    key: str
    path: Path
    calibration: Path


def seats(prepared: Prepared, run: RunDir) -> list[Seat]:
    """The judges of a run, in order."""
    prompts = {k: v for k, v in prepared.task.prompt_hashes().items() if k.startswith("judge.")}
    made = []
    for number, model in enumerate(judges(prepared.spec)):
        key = judge_key(model, prompts, prepared.spec)
        folder = run.verdicts
        made.append(
            Seat(number, model, key, folder / f"{key}.jsonl", folder / f"{key}.calibration.json")
        )
    return made


def judge_key(model: str, prompts: Mapping[str, str], spec: RunSpec) -> str:
    """Names a judge's files by what determines its verdicts: model, prompts and votes."""
    identity = [model, dict(prompts), spec.judge_votes, spec.prompts is not None]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model)
    return f"{name}-{canonical_sha256(identity)[:8]}"


def judge(
    prepared: Prepared, run: RunDir, clock: Clock, progress: Progress, gateway: Gateway
) -> None:
    """Have every judge of the run say what it has not said yet.

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
            spec.judge_votes,
            official,
            now=clock.now,
        )
        if not seat.calibration.exists():
            _calibrate(prepared, gateway, model, seat)
        _judge(prepared, run, gateway, model, seat, progress)


def _calibrate(prepared: Prepared, gateway: Gateway, model: Judge, seat: Seat) -> None:
    known = calibration_set(
        prepared.task, islice(prepared.cases(), CALIBRATION_CASES), seed=prepared.spec.seed
    )
    rates = gateway.run(calibrate(model, known, prepared.options.read_concurrency))
    replace_json(seat.calibration, rates.to_json())


def _judge(
    prepared: Prepared,
    run: RunDir,
    gateway: Gateway,
    model: Judge,
    seat: Seat,
    progress: Progress,
) -> None:
    mend_tail(seat.path)
    known = {key for key, verdict in verdicts_of(seat.path).items() if verdict.outcome.ok}
    verdicts = Appender(seat.path)

    async def work() -> None:
        requests = unjudged(prepared, run, known)
        async for judgement in model.judge_all(requests, prepared.options.read_concurrency):
            verdicts.append(verdict_line(judgement))
            progress.advance()

    try:
        gateway.run(work())
    finally:
        verdicts.close()


def unjudged(
    prepared: Prepared, run: RunDir, known: set[str]
) -> Iterator[tuple[str, JudgeRequest]]:
    """What the task wants judged and is not: (opaque case id, request)."""
    recorded = Recorded(run.play, run.texts, run.answers)
    for case, gold in prepared.cases():
        played = played_case(case, recorded.load(case))
        for request in prepared.task.judgements(played, gold):
            if request.id not in known:
                yield case.id, request


def verdict_line(judgement: Judgement) -> dict[str, Any]:
    """One line of a verdict file."""
    verdict = judgement.verdict
    usage = judgement.usage.as_dict()
    telemetry: dict[str, Any] = {
        "start": judgement.start,
        "end": judgement.end,
        "cpu_s": judgement.usage.cpu_s,
        "usage": {**usage, "roles": {"judge": usage}},
    }
    if judgement.detail:
        telemetry["error"] = judgement.detail
    return {
        "case": judgement.case,
        "request": verdict.request_id,
        "status": "ok" if verdict.outcome.ok else "failed",
        "reason": verdict.outcome.reason,
        "values": verdict.values,
        "votes": judgement.votes,
        "telemetry": telemetry,
    }


def verdicts_of(path: Path) -> dict[str, Verdict]:
    """Verdicts by request id; of several about one request the last counts."""
    return {line["request"]: verdict_from(line) for line in read_lines(path)}


def verdict_from(line: Mapping[str, Any]) -> Verdict:
    """One line of a verdict file."""
    outcome = Outcome(line["status"] == "ok", line["reason"])
    return Verdict(line["request"], outcome, line["values"])


@dataclass(frozen=True)
class Judged:
    """What the judges of a run said.

    Attributes:
        verdicts: Of the judge that gives the scores.
        telemetry: Of every verdict and judge.
        entry: For the summary: models, calibration, agreement; None without a judge.
    """

    verdicts: Mapping[str, Verdict]
    telemetry: Sequence[Mapping[str, Any]]
    entry: Mapping[str, Any] | None


def judged(prepared: Prepared, run: RunDir) -> Judged:
    """Read back what the judges of the run's spec said."""
    present = [seat for seat in seats(prepared, run) if seat.path.exists()]
    if not present:
        return Judged({}, (), None)
    by_seat = {seat.number: verdicts_of(seat.path) for seat in present}
    telemetry = [line["telemetry"] for seat in present for line in read_lines(seat.path)]
    entry = {
        "judges": [
            {
                "model": seat.model,
                "key": seat.key,
                "verdicts": len(by_seat[seat.number]),
                "calibration": calibration_of(seat),
            }
            for seat in present
        ],
        "agreement": [asdict(pair) for pair in agreement(by_seat)],
    }
    return Judged(by_seat.get(0, {}), telemetry, entry)


def calibration_of(seat: Seat) -> Any:
    """A judge's calibration; None if it was stopped before it was calibrated."""
    if not seat.calibration.exists():
        return None
    return orjson.loads(seat.calibration.read_bytes())
