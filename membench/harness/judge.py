"""The judge stage: the verdicts a task asks for, one file per judge, never thrown away.

A verdict file is named by what determines its verdicts: model, prompts and votes. Judging again
with the same judge asks only for what is missing, or was about another answer; with another it
writes another file. Before a judge's verdicts count, it is calibrated on candidates made from gold
by rule, and its false-accept and false-reject rates travel with every score it gives.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from membench.harness.clock import Clock
from membench.harness.errors import Reason
from membench.harness.journal import Appender, mend_tail, read_lines
from membench.harness.llm.calibration import CASE, calibration_set, tallied
from membench.harness.llm.judging import Judge, Judgement, agreement
from membench.harness.llm.official import official_prompts
from membench.harness.model import JudgeRequest, Outcome, Verdict
from membench.harness.prepared import Prepared, judges
from membench.harness.progress import Progress, Silent
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
        calibration: How often it was wrong about candidates made from gold.
        candidates: What it said about each of them.
    """

    number: int
    model: str
    key: str
    path: Path
    calibration: Path
    candidates: Path

    @property
    def journals(self) -> list[Path]:
        """Everything it said."""
        return [path for path in (self.candidates, self.path) if path.exists()]


def seats(prepared: Prepared, run: RunDir) -> list[Seat]:
    """The judges of a run, in order."""
    prompts = {k: v for k, v in prepared.task.prompt_hashes().items() if k.startswith("judge.")}
    made = []
    for number, model in enumerate(judges(prepared.spec)):
        key = judge_key(model, prompts, prepared.spec)
        folder = run.verdicts
        verdicts, rates = folder / f"{key}.jsonl", folder / f"{key}.calibration.json"
        candidates = folder / "calibration" / f"{key}.jsonl"
        made.append(Seat(number, model, key, verdicts, rates, candidates))
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
        bench = Bench(gateway, model, prepared.options.read_concurrency, clock)
        _calibrate(prepared, bench, seat)
        bench.hear(seat.path, wanted(prepared, run), progress)


def _calibrate(prepared: Prepared, bench: Bench, seat: Seat) -> None:
    """Have a judge say what it has not said yet about candidates made from gold."""
    cases = islice(prepared.cases(), CALIBRATION_CASES)
    known = calibration_set(prepared.task, cases, seed=prepared.spec.seed)
    seat.candidates.parent.mkdir(exist_ok=True)
    bench.hear(seat.candidates, ((CASE, each.request) for each in known), Silent())
    said = verdicts_of(seat.candidates)
    rates = tallied(prepared.task, [(each, said[each.request.id]) for each in known])
    replace_json(seat.calibration, rates.to_json())


@dataclass(frozen=True)
class Bench:
    """A judge at work: what it says goes into a journal, and nothing is asked twice.

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
        mend_tail(journal)
        known = {
            (line["request"], line.get("fields_sha256"))
            for line in read_lines(journal)
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


def wanted(prepared: Prepared, run: RunDir) -> Iterator[tuple[str, JudgeRequest]]:
    """What the task wants judged: (opaque case id, request)."""
    recorded = Recorded(run.play, run.texts, run.answers)
    for case, gold in prepared.cases():
        played = played_case(case, recorded.load(case))
        for request in prepared.task.judgements(played, gold):
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
        "fields_sha256": fields_sha256(judgement.request),
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
        failures: How many verdicts of any judge could not be had, by reason.
        telemetry: Of everything any judge said, candidates of the calibration included.
        entry: For the summary: models, calibration, agreement; None without a judge.
    """

    verdicts: Mapping[str, Verdict]
    failures: Mapping[str, int]
    telemetry: Sequence[Mapping[str, Any]]
    entry: Mapping[str, Any] | None


def judged(prepared: Prepared, run: RunDir) -> Judged:
    """Read back what the judges of the run's spec said."""
    present = [seat for seat in seats(prepared, run) if seat.journals]
    if not present:
        return Judged({}, {}, (), None)
    by_seat = {seat.number: verdicts_of(seat.path) for seat in present}
    journals = [journal for seat in present for journal in seat.journals]
    telemetry = [line["telemetry"] for journal in journals for line in read_lines(journal)]
    failures = verdict_failures(by_seat.values())
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
    return Judged(by_seat.get(0, {}), failures, telemetry, entry)


def verdict_failures(judges: Iterable[Mapping[str, Verdict]]) -> dict[str, int]:
    """How many verdicts of any judge could not be had, by reason."""
    verdicts = (verdict for of_one in judges for verdict in of_one.values())
    reasons = (v.outcome.reason or Reason.JUDGE_ERROR for v in verdicts if not v.outcome.ok)
    return dict(Counter(str(reason) for reason in reasons))


def calibration_of(seat: Seat) -> Any:
    """A judge's calibration; None if it was stopped before it was calibrated."""
    if not seat.calibration.exists():
        return None
    return orjson.loads(seat.calibration.read_bytes())
