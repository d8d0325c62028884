"""Sampling the energy of a run while its stages work; `joules` attributes it afterwards.

Nothing here knows a sensor: sources, sampler and protocol are `membench.energy`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from membench.energy.protocol import measured_run, preflight
from membench.energy.sampler import EnergySession
from membench.harness.clock import Clock
from membench.harness.play import play
from membench.harness.prepared import Prepared
from membench.harness.progress import Progress, Silent
from membench.harness.rundir import RunDir


@contextmanager
def watched(
    prepared: Prepared, run: RunDir, clock: Clock, progress: Progress
) -> Iterator[EnergySession]:
    """Sample the run's energy sources while its stages work."""
    progress.note(f"energy: {prepared.selection.why[0]}")
    with EnergySession(prepared.selection, run.energy, clock=clock.now) as session:
        yield session
    for note in session.notes:
        progress.note(f"energy: {note}")


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
