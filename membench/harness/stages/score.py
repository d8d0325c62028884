"""The score stage: a pure pass over what was recorded, case by case.

`scores.jsonl` is made anew each time. The same pass collects what the summary says of cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from membench.domain.case import Ask, Case
from membench.domain.errors import HarnessFault, Reason
from membench.domain.labels import JsonView, Phase, Role
from membench.domain.outcome import PlayedCase
from membench.domain.score import Aggregate, Gold, Score, Verdict
from membench.harness.lanes.engine import JobLost, LaneLocation
from membench.harness.lanes.local import LocalEngine
from membench.harness.prepare import ResolvedRun
from membench.harness.run_costs import CostTally
from membench.harness.run_energy import SpanTally
from membench.harness.stages.unread import score_case, with_placeholders
from membench.readers.registry import reads_nothing
from membench.records.attempts import CaseAttempt, RawCaseRecords, RunRecords, played_case
from membench.records.content_hash import ContentHash
from membench.records.run_directory import RunDir
from membench.records.scores import written_scores
from membench.records.summary import CarriedOver, Counts
from membench.records.telemetry import Telemetry
from membench.tasks.base import AnyTask


@dataclass
class OutcomeTally:
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

    def merge(self, other: OutcomeTally) -> None:
        """Take in other counts."""
        self.cases += other.cases
        self.questions += other.questions
        self.ok += other.ok
        self.failed += other.failed
        self.unscored += other.unscored
        for reason, count in other.failures.items():
            self.failures[reason] = self.failures.get(reason, 0) + count

    def add_verdicts(self, failures: Mapping[str, int]) -> None:
        """Count every verdict that could not be had, also where its question has others."""
        for reason, count in failures.items():
            self.failures[reason] = max(self.failures.get(reason, 0), count)

    def counts(self) -> Counts:
        """As in the summary."""
        return Counts(
            self.cases,
            self.questions,
            self.ok,
            self.failed,
            self.unscored,
            dict(sorted(self.failures.items())),
        )


def ask_failure(played: PlayedCase, event: int) -> str | None:
    """Why an ask failed, or None: the recall's reason first, then the answers'."""
    recalled = played.recalled.get(event)
    if recalled is not None and not recalled.outcome.ok:
        return recalled.outcome.reason
    answers = played.answered.get(event, ())
    if not answers:
        return "missing"
    return next((a.outcome.reason or "missing" for a in answers if not a.outcome.ok), None)


class Totals:
    """What scoring adds up beside the rows.

    Args:
        models: Model name by role.

    Attributes:
        tally: Counts of asks and failures.
        cost: Costs by phase.
        spans: When what was done, for the energy ledger.
        content: The content hash.
        carried_over: What was recalled of earlier cases.
    """

    def __init__(self, models: Mapping[Role, str]) -> None:
        """Start with nothing."""
        self.tally, self.cost, self.content = OutcomeTally(), CostTally(), ContentHash()
        self.spans = SpanTally(models)
        self.carried_over = CarriedOver()

    def add(self, loaded: CaseAttempt, played: PlayedCase, rows: list[Score]) -> None:
        """Take in one case: as recorded, as scoring saw it, and its rows."""
        self.tally.add(played.case, played, rows)
        self.cost.add(played.case, loaded)
        self.spans.add(loaded)
        self.content.add(played.case, loaded)

    def add_judging(self, failures: Mapping[str, int], telemetry: Sequence[Telemetry]) -> None:
        """Take in what judging cost, and the verdicts that could not be had."""
        self.tally.add_verdicts(failures)
        self.cost.add_spans(Phase.JUDGE, telemetry)
        self.spans.add_spans(Phase.JUDGE, telemetry)

    def add_notes(self, notes: Sequence[JsonView]) -> None:
        """Take in what lanes noted outside any event."""
        self.cost.add_late(notes)
        self.carried_over = CarriedOver.of(notes)

    def merge(self, other: Totals) -> None:
        """Take in what was added up elsewhere."""
        self.tally.merge(other.tally)
        self.cost.merge(other.cost)
        self.spans.merge(other.spans)
        self.content.merge(other.content)


@dataclass(frozen=True)
class ScoreResults:
    """What scoring came to: the figures over all rows, and the totals."""

    figures: Aggregate
    totals: Totals


def score(
    prepared: ResolvedRun, run: RunDir, verdicts: Mapping[str, Verdict] | None = None
) -> ScoreResults:
    """Score every case of a run and write scores.jsonl; rows are held for no longer than a case."""
    unread = reads_nothing(prepared.spec.reader)
    worker = ScoreWorker(prepared.task, prepared.models, verdicts or {}, unread)
    totals = Totals(prepared.models)
    recorded = RunRecords(run.play, run.texts, run.answers)
    notes, jobs = recorded.notes, score_jobs(prepared, recorded)
    del recorded  # its index ends with the last job: aggregating needs the memory

    def rows() -> Iterator[Score]:
        for of_case, part in in_order(scored_jobs(worker, jobs, prepared.options.concurrency)):
            totals.merge(part)
            yield from of_case

    with written_scores(run.scores, rows()) as written:
        figures = prepared.task.aggregate(written)
    totals.add_notes(notes)
    return ScoreResults(figures, totals)


def score_jobs(prepared: ResolvedRun, recorded: RunRecords) -> Iterator[ScoreJob]:
    """Every case with what is recorded of it."""
    for number, (case, gold) in enumerate(prepared.cases()):
        yield ScoreJob(number, case, gold, recorded.lines(case))


@dataclass(frozen=True)
class ScoreJob:
    """One case to score. Gold is in it, so it never goes where a system has been."""

    number: int
    case: Case
    gold: Gold
    lines: RawCaseRecords


CaseScores = tuple[list[Score], Totals]
"""The rows of a case, and what it adds to the totals."""


@dataclass(frozen=True)
class ScoreWorker:
    """Scores cases, here or in a lane of its own.

    Attributes:
        task: Scores.
        models: Model name by role.
        verdicts: The judge's verdicts on the run, by request.
        unread: Whether nobody answered.
    """

    task: AnyTask
    models: Mapping[Role, str]
    verdicts: Mapping[str, Verdict]
    unread: bool = False

    def open(self, site: LaneLocation) -> ScoreWorker:
        """Nothing to set up."""
        return self

    def handle(self, job: ScoreJob) -> CaseScores:
        """Load and score a case."""
        loaded = job.lines.load()
        played = played_case(job.case, loaded)
        mine = verdicts_of_case(self.task, played, job.gold, self.verdicts)
        rows = score_case(self.task, played, job.gold, mine, unread=self.unread)
        totals = Totals(self.models)
        totals.add(loaded, with_placeholders(played) if self.unread else played, rows)
        return rows, totals

    def close(self) -> None:
        """Nothing to release."""


def scored_jobs(
    worker: ScoreWorker, jobs: Iterator[ScoreJob], lanes: int
) -> Iterator[tuple[int, CaseScores]]:
    """Score cases: here if one at a time, else in processes that no system has run in."""
    if lanes == 1:
        for job in jobs:
            yield job.number, worker.handle(job)
        return
    with LocalEngine[ScoreJob, CaseScores](worker, lanes) as engine:
        for result in engine.run(jobs):
            if isinstance(result, JobLost):
                detail = f"a scoring process died (exit code {result.exitcode})"
                raise HarnessFault(Reason.HARNESS_ERROR, detail)
            yield result.job.number, result.result


def in_order(scored: Iterable[tuple[int, CaseScores]]) -> Iterator[CaseScores]:
    """Cases in the order of their numbers, from 0; one that comes early is kept until then."""
    early: dict[int, CaseScores] = {}
    following = 0
    for number, result in scored:
        early[number] = result
        while following in early:
            yield early.pop(following)
            following += 1


def verdicts_of_case(
    task: AnyTask, played: PlayedCase, gold: Gold, verdicts: Mapping[str, Verdict]
) -> dict[str, Verdict]:
    """The verdicts about one case."""
    if not verdicts:
        return {}
    wanted = (request.id for request in task.judgements(played, gold))
    return {key: verdicts[key] for key in wanted if key in verdicts}
