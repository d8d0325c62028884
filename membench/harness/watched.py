"""Sampling the energy of a run while its stages work; `joules` attributes it afterwards.

Nothing here knows a sensor: sources, sampler and protocol are `membench.energy`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from membench.energy.protocol import Protocol, measured_run, preflight
from membench.energy.sampler import EnergySession
from membench.harness.clock import Clock
from membench.harness.prepared import Prepared
from membench.harness.progress import Progress
from membench.harness.rundir import RunDir

SETTINGS = Protocol()
"""How long each step of the protocol takes."""


@contextmanager
def watched(
    prepared: Prepared, run: RunDir, clock: Clock, progress: Progress
) -> Iterator[EnergySession]:
    """Sample the run's energy sources while its stages work."""
    progress.note(f"energy: {'; '.join(prepared.selection.why)}")
    with EnergySession(prepared.selection, run.energy, clock=clock.now) as session:
        yield session
    for note in session.notes:
        progress.note(f"energy: {note}")


def under_protocol(
    session: EnergySession,
    stages: Callable[[], None],
    warm_up: Callable[[], None] | None,
    progress: Progress,
) -> list[dict[str, Any]]:
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
