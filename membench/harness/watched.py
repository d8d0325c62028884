"""Energy of a run: sampled while its stages work, attributed when it is scored.

Nothing here knows a sensor: sources, sampler and ledger are `membench.energy`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from membench.energy.baseline import baseline_of
from membench.energy.ledger import Ledger, attribute
from membench.energy.protocol import measured_run, preflight
from membench.energy.sampler import EnergySession
from membench.energy.samples import Span, read_log
from membench.energy.validity import validate, verified
from membench.harness.clock import Clock
from membench.harness.play import play
from membench.harness.prepared import Prepared
from membench.harness.progress import Progress, Silent
from membench.harness.rundir import RunDir
from membench.harness.summary import unavailable_energy


@contextmanager
def watched(
    prepared: Prepared, run: RunDir, clock: Clock, progress: Progress
) -> Iterator[EnergySession]:
    """Sample the run's energy sources while its stages work."""
    progress.note(f"energy: {prepared.selection.why[0]}")
    with EnergySession(prepared.selection, run.energy, clock=clock.now) as session:
        yield session


def under_protocol(
    session: EnergySession, prepared: Prepared, clock: Clock, stages: Callable[[], None]
) -> list[dict[str, Any]]:
    """Do the stages as `--energy-protocol` wants: preflight, idle, warm-up, work, idle again.

    Returns:
        The checks, for the manifest.
    """
    checks = preflight(prepared.selection)
    checks += measured_run(session, stages, warm_up=lambda: rehearse(prepared, clock))
    return [asdict(check) for check in checks]


def rehearse(prepared: Prepared, clock: Clock) -> None:
    """Play one case into a folder that is thrown away."""
    one = replace(prepared, spec=replace(prepared.spec, limit=1))
    with tempfile.TemporaryDirectory(prefix="membench-warm-up-") as folder:
        play(one, RunDir(Path(folder)), clock, Silent())


@dataclass(frozen=True)
class Joules:
    """What the ledger says of a run.

    Attributes:
        summary: The `energy` object of the summary.
        report: Everything a sceptic asks for.
        checks: Validity, one named line each; empty without a sensor.
        verified: Whether all of them passed.
    """

    summary: dict[str, Any]
    report: Mapping[str, Any] | None = None
    checks: Sequence[Mapping[str, Any]] = ()
    verified: bool = False


def attributed(run: RunDir, spans: Sequence[Span], *, from_cassette: bool) -> Joules:
    """Attribute what was sampled to what was done; a run that nobody watched has no joules."""
    if not run.energy.is_file():
        return Joules(unavailable_energy())
    log = read_log(run.energy)
    ledger: Ledger = attribute(log, spans, baseline=baseline_of(log))
    if not ledger.channels:
        return Joules(ledger.summary())
    checks = validate(ledger, log, spans, from_cassette=from_cassette)
    lines = tuple(asdict(check) for check in checks)
    return Joules(ledger.summary(), ledger.report(), lines, verified(checks))
