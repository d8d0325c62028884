"""`--energy-protocol`: what has to happen around a run for its joules to mean something.

In order: preflight; what the sampler costs, off and on in A-B-B-A order; idle power with the
models loaded; warm-up, thrown away, until power is steady; the run itself, phases apart; settle;
idle power again. The judge runs afterwards. Repeats are the suite's affair, in A-B-B-A order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from membench.domain.labels import Provenance
from membench.energy.figure import Flag
from membench.energy.samples import Channel
from membench.energy.sampling.sampler import EnergySession
from membench.energy.verification.overhead import Work, measure_overhead
from membench.energy.verification.validity import Check, coefficient_of_variation

BLOCK_S = 5.0
"""Power is called steady by the means of blocks of this length."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How long each step takes, in seconds.

    Attributes:
        sampler_rounds: Rounds of four pieces of work, the sampler off, on, on, off.
        sampler_s: About how long one of the four takes.
        idle_s: Loaded idle before the run.
        warm_up_s: Least duration of the warm-up.
        warm_up_limit_s: When to stop waiting for steady power.
        warm_up_cv: Variation of the last six block means at which power is steady.
        settle_s: Rest after a phase.
        recheck_s: Loaded idle after the run.
    """

    sampler_rounds: int = 6
    sampler_s: float = 0.5
    idle_s: float = 60.0
    warm_up_s: float = 30.0
    warm_up_limit_s: float = 180.0
    warm_up_cv: float = 0.05
    settle_s: float = 5.0
    recheck_s: float = 30.0


def preflight(session: EnergySession) -> list[Check]:
    """Look at the machine before anything is measured.

    Args:
        session: Open; the notes of its sources are checked. They are not opened again,
            which would take them away from the sampler.
    """
    sensed = any(channel.kind == "counter" for channel in session.channels)
    note = "; ".join((*session.selection.notes, *session.notes))
    checks = [Check("a sensor", "pass" if sensed else "fail", note)]
    return checks + [check for channel in session.channels for check in _channel_checks(channel)]


def _channel_checks(channel: Channel) -> list[Check]:
    measured = channel.provenance is Provenance.MEASURED
    checks = [Check(f"{channel.id} measured", "pass" if measured else "fail", channel.method)]
    if "persistence_mode" in channel.facts:
        on = channel.facts["persistence_mode"] == 1
        detail = "on" if on else "off: the counter is lost when the driver unloads"
        checks.append(Check(f"{channel.id} persistence mode", "pass" if on else "fail", detail))
    if "foreign_pids" in channel.facts:
        foreign = channel.facts["foreign_pids"] or channel.facts.get("unknown_pids")
        detail = f"processes {foreign} (declare a model server with nvml:0,pid=N)"
        alone = not foreign and Flag.SHARED_GPU not in channel.flags
        checks.append(
            Check(
                f"{channel.id} exclusive", "pass" if alone else "fail", "alone" if alone else detail
            )
        )
    return checks


def measured_run(
    session: EnergySession,
    work: Callable[[], None],
    *,
    warm_up: Callable[[], None] | None = None,
    settings: Protocol | None = None,
    sleep: Callable[[float], None] = time.sleep,
    spin: Work | None = None,
) -> list[Check]:
    """Do a run under the protocol, inside an open session.

    Args:
        session: Open; its sources are being sampled.
        work: The run's stages up to and without the judge, phases apart (waves).
        warm_up: One piece of work like the run's, thrown away; repeated until power is steady.
        settings: Durations.
        sleep: Waits for a number of seconds.
        spin: What is done with the sampler off and on.

    Returns:
        Checks on the protocol itself.
    """
    settings = settings or Protocol()
    if any(channel.kind == "counter" for channel in session.channels):
        measure_overhead(session, settings.sampler_rounds, settings.sampler_s, spin)
        sleep(settings.settle_s)
    session.baseline(settings.idle_s)
    checks = [_warmed_up(session, warm_up, settings)]
    work()
    sleep(settings.settle_s)
    session.recheck(settings.recheck_s)
    return checks


def _warmed_up(
    session: EnergySession, warm_up: Callable[[], None] | None, settings: Protocol
) -> Check:
    """Warm up until power is steady, or for as long as is reasonable."""
    if warm_up is None:
        return Check("warm-up", "not run", "nothing to warm up with")
    start = session.clock()
    with session.window("warm_up"):
        while True:
            warm_up()
            seconds = session.clock() - start
            steady = power_is_steady(session.block_watts(BLOCK_S), settings.warm_up_cv)
            if seconds >= settings.warm_up_s and steady:
                return Check("warm-up", "pass", f"steady after {seconds:.0f} s")
            if seconds >= settings.warm_up_limit_s:
                return Check("warm-up", "fail", f"power not steady after {seconds:.0f} s")


def power_is_steady(blocks: Sequence[float], cv: float) -> bool:
    """Whether the last six block means of power vary by less than `cv`."""
    last = list(blocks)[-6:]
    return len(last) == 6 and coefficient_of_variation(last) < cv
