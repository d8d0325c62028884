"""The score stage: a pure pass over what was recorded, case by case.

`scores.jsonl` is made anew each time. The same pass collects what the summary says of cost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from membench.harness.cost import CostTally
from membench.harness.engine.base import Lost, Site
from membench.harness.engine.local import LocalEngine
from membench.harness.errors import HarnessFault, Reason
from membench.harness.joules import SpanTally
from membench.harness.model import Ask, Case, Gold, PlayedCase, Score, Verdict
from membench.harness.prepared import Prepared
from membench.harness.recorded import Recorded, RecordedCase, played_case
from membench.harness.rundir import RunDir
from membench.harness.spec import canonical_json
from membench.tasks.base import Task


@dataclass
class Tally:
    """Counts of asks: every ask is ok, or failed with a reason, and may be unscored."""

    cases: int = 0
    questions: int = 0
    ok: int = 0
    failed: int = 0
    unscored: int = 0

    def __post_init__(self) -> None:
        """Start with no failure."""
        self.failures: dict[str, int] = {}

    def add(self, case: Case, played: PlayedCase, rows: list[Score]) -> None:
        """Count a case."""
        self.cases += 1
        unscored = {
            row.event for row in rows if row.status == "unscored" and row.kind == "question"
        }
        self.unscored += len(unscored)
        self.count_events_outside_asks(case, played)
        broken = {
            row.event: row.reason
            for row in rows
            if row.kind == "question" and row.status == "failed"
        }
        for event, asked in enumerate(case.timeline):
            if not isinstance(asked, Ask):
                continue
            self.questions += 1
            reason = ask_failure(played, event) or broken.get(event)
            if reason is None:
                self.ok += 1
            else:
                self.failed += 1
                self.failures[reason] = self.failures.get(reason, 0) + 1

    def count_events_outside_asks(self, case: Case, played: PlayedCase) -> None:
        """Failed ingests and probes are failures of the run, though no question."""
        for event, asked in enumerate(case.timeline):
            if isinstance(asked, Ask):
                continue
            outcome = played.ingested.get(event) or played.recalled.get(event)
            if outcome is not None and not outcome.outcome.ok:
                reason = outcome.outcome.reason or "missing"
                self.failures[reason] = self.failures.get(reason, 0) + 1

    def add_verdicts(self, failures: Mapping[str, int]) -> None:
        """Count every verdict that could not be had, also where its question has others."""
        for reason, count in failures.items():
            self.failures[reason] = max(self.failures.get(reason, 0), count)

    def to_json(self) -> dict[str, Any]:
        """As in the summary."""
        return {
            "cases": self.cases,
            "questions": self.questions,
            "ok": self.ok,
            "failed": self.failed,
            "unscored": self.unscored,
            "failures": dict(sorted(self.failures.items())),
        }


def ask_failure(played: PlayedCase, event: int) -> str | None:
    """Why an ask failed, or None: the recall's reason first, then the answers'."""
    recalled = played.recalled.get(event)
    if recalled is not None and not recalled.outcome.ok:
        return recalled.outcome.reason
    answers = played.answered.get(event, ())
    if not answers:
        return "missing"
    return next((a.outcome.reason or "missing" for a in answers if not a.outcome.ok), None)


@dataclass(frozen=True)
class Scored:
    """What scoring came to.

    Attributes:
        rows: Every score row.
        tally: Counts of asks and failures.
        cost: Costs by phase.
        spans: When what was done, for the energy ledger.
        content_sha256: Hash of the deterministic content; None while a case is unfinished.
    """

    rows: list[Score]
    tally: Tally
    cost: CostTally
    spans: SpanTally
    content_sha256: str | None


def score(prepared: Prepared, run: RunDir, verdicts: Mapping[str, Verdict] | None = None) -> Scored:
    """Score every case of a run and write scores.jsonl."""
    recorded = Recorded(run.play, run.texts, run.answers)
    tally, cost, content = Tally(), CostTally(), ContentHash()
    spans = SpanTally(prepared.models)

    def jobs() -> Iterator[ScoreJob]:
        for number, (case, gold) in enumerate(prepared.cases()):
            loaded = recorded.load(case)
            cost.add(case, loaded, recorded)
            spans.add(case, loaded, recorded)
            content.add(case, loaded)
            played = played_case(case, loaded)
            mine = verdicts_of_case(prepared.task, played, gold, verdicts or {})
            yield ScoreJob(number, played, gold, mine)

    by_case: dict[int, list[Score]] = {}
    for job, scored in scored_jobs(prepared.task, jobs(), prepared.options.concurrency):
        by_case[job.number] = scored
        tally.add(job.played.case, job.played, scored)
    rows = [row for number in sorted(by_case) for row in by_case[number]]
    cost.add_late(recorded.notes)
    write_scores(run.scores, rows)
    return Scored(rows, tally, cost, spans, content.hexdigest())


@dataclass(frozen=True)
class ScoreJob:
    """One case to score. Gold is in it, so it never goes where a system has been."""

    number: int
    played: PlayedCase
    gold: Gold
    verdicts: Mapping[str, Verdict]


@dataclass(frozen=True)
class ScoreWorker:
    """Scores cases, here or in a lane of its own."""

    task: Task[Any]

    def open(self, site: Site) -> ScoreWorker:
        """Nothing to set up."""
        return self

    def handle(self, job: ScoreJob) -> list[Score]:
        """Score a case."""
        return list(self.task.score(job.played, job.gold, job.verdicts))

    def close(self) -> None:
        """Nothing to release."""


def scored_jobs(
    task: Task[Any], jobs: Iterator[ScoreJob], lanes: int
) -> Iterator[tuple[ScoreJob, list[Score]]]:
    """Score cases: here if one at a time, else in processes that no system has run in."""
    worker = ScoreWorker(task)
    if lanes == 1:
        for job in jobs:
            yield job, worker.handle(job)
        return
    with LocalEngine[ScoreJob, list[Score]](worker, lanes) as engine:
        for result in engine.run(jobs):
            if isinstance(result, Lost):
                detail = f"a scoring process died (exit code {result.exitcode})"
                raise HarnessFault(Reason.HARNESS_ERROR, detail)
            yield result.job, result.result


def verdicts_of_case(
    task: Task[Any], played: PlayedCase, gold: Gold, verdicts: Mapping[str, Verdict]
) -> dict[str, Verdict]:
    """The verdicts about one case."""
    if not verdicts:
        return {}
    wanted = (request.id for request in task.judgements(played, gold))
    return {key: verdicts[key] for key in wanted if key in verdicts}


class ContentHash:
    """`content_sha256`: what a run says, apart from how it came about.

    Per case, the canonical JSON of every record's content in the order (event, phase), and of
    texts.jsonl without its texts; cases in the order of their opaque ids. A free text counts by
    its hash, so that a redacted bundle has the same content hash.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._cases: dict[str, str] = {}
        self._complete = True

    def add(self, case: Case, loaded: RecordedCase) -> None:
        """Take in the final attempt at a case."""
        if loaded.attempt is None:
            self._complete = False
            return
        digest = hashlib.sha256()
        answers = (loaded.answers or {}).values()
        records = sorted([*loaded.records, *answers], key=lambda r: (r.event, r.phase))
        for record in records:
            digest.update(canonical_json([record.event, record.phase, hashed(record.content)]))
            digest.update(b"\n")
        for line in loaded.texts:
            kept = {key: line[key] for key in ("n", "sha256", "tokens", "sources", "time")}
            digest.update(canonical_json(kept) + b"\n")
        self._cases[case.id] = digest.hexdigest()

    def hexdigest(self) -> str | None:
        """The hash, or None while a case has no complete attempt."""
        if not self._complete:
            return None
        return hashlib.sha256(canonical_json(sorted(self._cases.items()))).hexdigest()


def hashed(content: Any) -> Any:
    """Content with every free text left out; its `sha256` stands beside it."""
    if isinstance(content, Mapping):
        return {key: hashed(value) for key, value in content.items() if key != "text"}
    if isinstance(content, list | tuple):
        return [hashed(value) for value in content]
    return content


def write_scores(path: Path, rows: list[Score]) -> None:
    """Replace scores.jsonl."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        for row in rows:
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    temporary.replace(path)


def read_scores(path: Path) -> list[Score]:
    """Read scores.jsonl back."""
    with path.open("rb") as file:
        return [score_from_json(orjson.loads(line)) for line in file]


def score_from_json(line: Mapping[str, Any]) -> Score:
    """One line of scores.jsonl."""
    return Score(**{**line, "flags": tuple(line["flags"])})
