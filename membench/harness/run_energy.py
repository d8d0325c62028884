"""Energy in a run: spans from its records, the ledger in its summary.

While the stages work an `EnergySession` samples; while cases are scored a `SpanTally` collects what
was done when; `energy_of` brings the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

from membench.domain.clock import Clock
from membench.domain.labels import JsonObject, Phase, Role
from membench.energy.attribution.ledger import EnergyLedger, attribute
from membench.energy.samples import SampleLog, Span, read_log
from membench.energy.sampling.sampler import EnergySession
from membench.energy.span_columns import SpanColumns
from membench.energy.verification.overhead import overhead_of
from membench.energy.verification.protocol import Protocol, measured_run, preflight
from membench.energy.verification.validity import Check, validate, verified
from membench.harness.prepare import ResolvedRun
from membench.harness.progress import Progress
from membench.records.attempts import CaseAttempt
from membench.records.record import Record
from membench.records.run_directory import RunDir
from membench.records.telemetry import Telemetry


class SpanTally:
    """Collects the spans of a run while its cases are scored.

    Args:
        models: Model name by role, for estimates.
    """

    def __init__(self, models: Mapping[Role, str] | None = None) -> None:
        """Start with none."""
        self._models = {str(role): name for role, name in (models or {}).items()}
        self.spans = SpanColumns()
        self.from_cassette = False

    def add(self, loaded: CaseAttempt) -> None:
        """Take in the final attempt at a case, its answers, and its abandoned attempts."""
        for record in (*loaded.records, *(loaded.answers or {}).values()):
            self._add(record, abandoned=False)
        for record in loaded.abandoned:
            self._add(record, abandoned=True)

    def merge(self, other: SpanTally) -> None:
        """Take in what was collected elsewhere."""
        self.spans.extend(other.spans)
        self.from_cassette |= other.from_cassette

    def add_spans(self, phase: Phase, telemetry: Iterable[Telemetry]) -> None:
        """Take in telemetry that belongs to no case record (judging)."""
        for entry in telemetry:
            self._take(Span.of(phase.value, entry, models=self._models), entry)

    def _add(self, record: Record, *, abandoned: bool) -> None:
        span = Span.of(
            record.phase,
            record.telemetry,
            case=record.case,
            event=record.event,
            abandoned=abandoned,
            models=self._models,
        )
        self._take(span, record.telemetry)

    def _take(self, span: Span | None, telemetry: Telemetry) -> None:
        if span is not None:
            self.spans.append(span)
        if span is None or span.phase != Phase.JUDGE:
            usage = telemetry.usage
            self.from_cassette |= usage is not None and usage.total.replayed > 0


def energy_of(run: RunDir, tally: SpanTally) -> tuple[EnergyLedger, list[Check]]:
    """Attribute what a run sampled to what it did.

    Args:
        run: The run; without an `energy.jsonl` every figure is unavailable.
        tally: Its spans.

    Returns:
        The ledger, whose `summary()` is the summary's `energy`, and the validity checks of this
        run alone (repeats are a suite's).

    Raises:
        DataError: `energy.jsonl` is malformed.
    """
    log = read_log(run.energy) if run.energy.is_file() else SampleLog()
    ledger = attribute(log, tally.spans)
    checks = validate(
        ledger,
        log,
        tally.spans,
        sampler=overhead_of(log),
        from_cassette=tally.from_cassette,
    )
    return ledger, checks


def energy_report(ledger: EnergyLedger, checks: list[Check]) -> JsonObject:
    """What the manifest keeps: methods, flags, mean power, coefficients, checks."""
    return {
        **ledger.report(),
        "checks": [{"name": c.name, "status": c.status, "detail": c.detail} for c in checks],
        "verified": verified(checks),
    }


SETTINGS = Protocol()
"""How long each step of the protocol takes."""


NO_TOKENS = "no model is called, so there are no tokens to estimate joules from"


@contextmanager
def watched(
    prepared: ResolvedRun, run: RunDir, clock: Clock, progress: Progress
) -> Iterator[EnergySession]:
    """Sample the run's energy sources while its stages work."""
    if prepared.selection.notes:  # the others say why not, at length: `membench doctor` has them
        why = "; `membench doctor` says why" if len(prepared.selection.notes) > 1 else ""
        progress.note(f"energy: {prepared.selection.notes[0]}{why}")
    with EnergySession(prepared.selection, run.energy, clock=clock.now) as session:
        if not prepared.models and any(channel.kind == "tokens" for channel in session.channels):
            progress.note(f"energy: {prepared.selection.spec}: {NO_TOKENS}")
        yield session
    for note in session.notes:
        progress.note(f"energy: {note}")


def under_protocol(
    session: EnergySession,
    stages: Callable[[], None],
    warm_up: Callable[[], None] | None,
    progress: Progress,
) -> list[JsonObject]:
    """Do the stages as `--energy-protocol` wants: preflight, idle, warm-up, work, idle again.

    Args:
        session: Open.
        stages: The run's, up to and without the judge.
        warm_up: Work like the run's, thrown away; None where there may be none.
        progress: Told at once what would keep the run from being verified.

    Returns:
        The checks, for the manifest.
    """
    checks = preflight(session)
    for check in checks:
        if check.status == "fail":
            progress.note(f"energy protocol: {check.name} failed: {check.detail}")
    checks += measured_run(session, stages, warm_up=warm_up, settings=SETTINGS)
    return [asdict(check) for check in checks]
