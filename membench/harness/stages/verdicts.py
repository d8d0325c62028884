"""Recorded verdicts, read back: verdict files, their names, calibrations and agreement.

A verdict file is named by what determines its verdicts: model, its settings and weights, prompts
and votes. Nothing here calls a model or needs a library for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from membench.domain.errors import Reason
from membench.domain.labels import JsonObject, JsonView, Role
from membench.domain.outcome import Outcome
from membench.domain.score import Verdict
from membench.harness.prepare import ResolvedRun, judges
from membench.llm.upstreams.local.registry import public_name
from membench.records.canonical import canonical_sha256
from membench.records.journal import read_lines
from membench.records.run_directory import RunDir
from membench.records.shape import is_verdict
from membench.records.spec import RunSpec, settings_for
from membench.records.telemetry import Telemetry


@dataclass(frozen=True)
class JudgeFiles:
    """One judge of a run and its files.

    Attributes:
        number: 0 for the judge that gives the scores.
        model: Its name.
        key: Names its files.
        path: Its verdicts.
        calibration: How often it was wrong about candidates made from gold.
        candidates: Its verdict on each of them.
    """

    number: int
    model: str
    key: str
    path: Path
    calibration: Path
    candidates: Path

    @property
    def journals(self) -> list[Path]:
        """All its verdicts."""
        return [path for path in (self.candidates, self.path) if path.exists()]


def seats(prepared: ResolvedRun, run: RunDir) -> list[JudgeFiles]:
    """The judges of a run, in order."""
    prompts = {k: v for k, v in prepared.task.prompt_hashes().items() if k.startswith("judge.")}
    manifest, folder = run.manifest(), run.verdicts
    made = []
    for number, model in enumerate(judges(prepared.spec)):
        local = judge_weights(manifest.local_models, number)
        key = judge_key(public_name(model), prompts, prepared.spec, local)
        older = older_judge_key(model, prompts, prepared.spec)
        own = manifest.parent is None  # what a run took over may be of other settings
        if own and (folder / f"{older}.jsonl").exists():
            key = older
        verdicts, rates = folder / f"{key}.jsonl", folder / f"{key}.calibration.json"
        candidates = folder / "calibration" / f"{key}.jsonl"
        made.append(JudgeFiles(number, model, key, verdicts, rates, candidates))
    return made


def judge_weights(local_models: JsonView, number: int) -> JsonView:
    """What a manifest says of the weights of a judge that runs here; empty for any other."""
    found: JsonView = local_models.get(f"{Role.JUDGE}-{number}" if number else Role.JUDGE, {})
    return found


def judge_key(
    model: str, prompts: Mapping[str, str], spec: RunSpec, local: JsonView | None = None
) -> str:
    """Names a judge's files by what determines its verdicts.

    Args:
        model: Its name, without a place on this machine.
        prompts: Hashes of the task's judge prompts.
        spec: Has its settings and the votes.
        local: What decides what a model on this machine says (`judge_weights`).
    """
    identity: list[object] = [model, dict(prompts), spec.judge_votes, spec.prompts is not None]
    identity += [each for each in (settings_for(spec.model_set, Role.JUDGE), local) if each]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model)
    return f"{name}-{canonical_sha256(identity)[:8]}"


def older_judge_key(model: str, prompts: Mapping[str, str], spec: RunSpec) -> str:
    """The name before settings and weights were part of it; the same where there are none."""
    return judge_key(model, prompts, replace(spec, model_set={}))


def verdicts_of(path: Path) -> dict[str, Verdict]:
    """Verdicts by request id; of several about one request the last counts."""
    return {line["request"]: verdict_from(line) for line in verdict_lines(path)}


def verdict_lines(path: Path) -> Iterator[JsonObject]:
    """The lines of a verdict file that are verdicts; others count as not there."""
    return filter(is_verdict, read_lines(path))


def verdict_from(line: JsonView) -> Verdict:
    """One line of a verdict file."""
    outcome = Outcome(line["status"] == "ok", line.get("reason"))
    return Verdict(line["request"], outcome, line["values"])


@dataclass(frozen=True)
class JudgeResults:
    """The verdicts of a run's judges.

    Attributes:
        verdicts: Of the judge that gives the scores.
        failures: How many verdicts of any judge could not be had, by reason.
        telemetry: Of every verdict, those on calibration candidates included.
        entry: For the summary: models, calibration, agreement; None without a judge.
    """

    verdicts: Mapping[str, Verdict]
    failures: Mapping[str, int]
    telemetry: Sequence[Telemetry]
    entry: JsonView | None


def judged(prepared: ResolvedRun, run: RunDir) -> JudgeResults:
    """Read back the verdicts of the judges in the run's spec."""
    present = [seat for seat in seats(prepared, run) if seat.journals]
    if not present:
        return JudgeResults({}, {}, (), None)
    from membench.judging.judge import agreement

    by_seat = {seat.number: verdicts_of(seat.path) for seat in present}
    journals = [journal for seat in present for journal in seat.journals]
    telemetry = [
        Telemetry.from_json(line["telemetry"])
        for journal in journals
        for line in verdict_lines(journal)
    ]
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
    return JudgeResults(by_seat.get(0, {}), failures, telemetry, entry)


def verdict_failures(judges: Iterable[Mapping[str, Verdict]]) -> dict[str, int]:
    """How many verdicts of any judge could not be had, by reason."""
    verdicts = (verdict for of_one in judges for verdict in of_one.values())
    reasons = (v.outcome.reason or Reason.JUDGE_ERROR for v in verdicts if not v.outcome.ok)
    return dict(Counter(str(reason) for reason in reasons))


def calibration_of(seat: JudgeFiles) -> JsonObject | None:
    """A judge's calibration; None if it was stopped before it was calibrated, or is damaged."""
    try:
        stored: JsonObject = orjson.loads(seat.calibration.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return stored
