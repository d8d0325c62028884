"""Whether a run's joules may be called verified: named checks that pass, fail, or were not run.

A row is verified only if every check passed; a check that was not run is not a pass. A run alone
has no repeats, so one of its checks was not run: `repeats` looks at several runs together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from membench.domain.labels import Provenance
from membench.energy.attribution.crosscheck import AGREEMENT, power_gaps
from membench.energy.attribution.ledger import EnergyLedger
from membench.energy.figure import Flag
from membench.energy.samples import SampleLog, Span
from membench.energy.verification.overhead import Overhead

Status = Literal["pass", "fail", "not run"]
REPEATABLE = "repeatable"
MAX_CV = 0.05
MIN_REPEATS = 3
MAX_SAMPLER = 0.01
SPOILERS = frozenset(
    {
        Flag.THROTTLED,
        Flag.SHARED_GPU,
        Flag.PIDS_UNKNOWN,
        Flag.COUNTER_RESET,
        Flag.IMPOSSIBLE_RATE,
        Flag.STUCK_COUNTER,
        Flag.NOT_COVERED,
        Flag.OTHER_NODE,
        Flag.CLOCK_STEP,
        Flag.GAP,
        Flag.IDLE_DRIFT,
        Flag.JUDGE_OVERLAP,
        Flag.REPLAYED,
        Flag.NOT_DEDICATED,
        Flag.VM_RAPL,
        Flag.CROSS_CHECK_FAILED,
    }
)

ROUNDING = 1e-12
"""Relative differences below this are rounding of sums."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verification.

    Attributes:
        name: What was checked.
        status: `pass`, `fail` or `not run`.
        detail: The numbers, or why it was not run.
    """

    name: str
    status: Status
    detail: str

    def line(self) -> str:
        """For people."""
        return f"{self.status:>7}  {self.name}: {self.detail}"


def verified(checks: Sequence[Check]) -> bool:
    """Whether every check passed."""
    return bool(checks) and all(check.status == "pass" for check in checks)


def validate(
    ledger: EnergyLedger,
    log: SampleLog,
    spans: Sequence[Span],
    *,
    repeats: Sequence[float] = (),
    sampler: Overhead | None = None,
    from_cassette: bool = False,
) -> list[Check]:
    """Check a run's energy.

    Args:
        ledger: What `attribute` made of `log` and `spans`.
        log: The samples.
        spans: The spans.
        repeats: Total joules of every repeat of this run, this one included.
        sampler: What sampling cost, A-B-B-A.
        from_cassette: Whether any model call came from a cassette.
    """
    return [
        _measured(ledger),
        _counter_against_power(log, spans),
        _windows_add_up(ledger),
        repeatable(repeats),
        _undisturbed(ledger),
        _sampler_is_cheap(sampler),
        _null_window(ledger),
        _questions_add_up(ledger),
        _live(from_cassette),
    ]


def _measured(ledger: EnergyLedger) -> Check:
    weak = [n for n, f in ledger.phases.items() if f.provenance is not Provenance.MEASURED]
    if ledger.total.provenance is not Provenance.MEASURED:
        return Check("measured", "fail", f"the total is {ledger.total.provenance}")
    if weak:
        return Check("measured", "fail", f"not measured: {', '.join(weak)}")
    return Check("measured", "pass", "every phase")


def _counter_against_power(log: SampleLog, spans: Sequence[Span]) -> Check:
    """Counter and step-hold integral of power agree on every phase of half a minute or more."""
    name = "counter against power"
    gaps = [gap for trace in log.traces for gap in power_gaps(trace, spans).values()]
    if not gaps:
        return Check(name, "not run", "no power beside a counter over a phase of 30 s")
    worst = max(abs(gap) for gap in gaps)
    return Check(name, "pass" if worst <= AGREEMENT else "fail", f"worst phase {worst:.1%} apart")


def _windows_add_up(ledger: EnergyLedger) -> Check:
    """Parts and whole differ by no more than two ticks."""
    name = "windows add up"
    parts = [*ledger.phases.values(), ledger.idle, ledger.unattributed]
    if not ledger.total.available or any(not part.available for part in parts):
        return Check(name, "not run", "something is unavailable")
    apart = abs(math.fsum(p.joules or 0.0 for p in parts) - (ledger.total.joules or 0.0))
    seconds = sum(work.busy_s for work in ledger.work.values())
    tick = max((c.period_s for c in ledger.channels if c.kind == "counter"), default=0.0)
    allowed = 2 * (ledger.total.joules or 0.0) / seconds * tick if seconds else 0.0
    within = apart <= allowed + 1e-6
    return Check(
        name,
        "pass" if within else "fail",
        f"apart by {apart / max(allowed, 1e-6):.0%} of two ticks",
    )


def repeatable(totals: Sequence[float]) -> Check:
    """The total joules of a run and its repeats vary by no more than a twentieth."""
    if len(totals) < MIN_REPEATS:
        return Check(REPEATABLE, "not run", f"{len(totals)} of {MIN_REPEATS} repeats")
    cv = coefficient_of_variation(totals)
    status: Status = "pass" if cv <= MAX_CV else "fail"
    return Check(REPEATABLE, status, f"CV {cv:.1%} over {len(totals)} runs")


def coefficient_of_variation(values: Sequence[float]) -> float:
    """Sample standard deviation over mean; infinite for a mean of 0."""
    mean = float(np.mean(values))
    return float(np.std(values, ddof=1)) / mean if mean > 0 else math.inf


def _undisturbed(ledger: EnergyLedger) -> Check:
    flags = ledger.total.flags.union(*(figure.flags for figure in ledger.phases.values()))
    found = sorted(flags & SPOILERS)
    return Check("undisturbed", "fail" if found else "pass", ", ".join(found) or "no flag")


def _sampler_is_cheap(sampler: Overhead | None) -> Check:
    name = "sampler is cheap"
    if sampler is None:
        return Check(name, "not run", "no A-B-B-A with the sampler off")
    return Check(name, "pass" if abs(sampler.median) <= MAX_SAMPLER else "fail", sampler.text())


def _null_window(ledger: EnergyLedger) -> Check:
    """An idle window at the end matches the idle power of the beginning."""
    name = "null window"
    drift = None if ledger.baseline is None else ledger.baseline.drift
    if drift is None:
        return Check(name, "not run", "idle power was not measured before and after")
    return Check(
        name, "pass" if abs(drift) <= AGREEMENT else "fail", f"{drift:+.1%} from idle power"
    )


def _questions_add_up(ledger: EnergyLedger) -> Check:
    name = "questions add up"
    worst = 0.0
    for phase, work in ledger.work.items():
        whole = ledger.phases[phase].joules
        if whole is None or work.joules is None:
            return Check(name, "not run", f"{phase} is unavailable")
        worst = max(worst, abs(float(work.joules.sum()) - whole) / max(whole, 1e-9))
    shown = worst if worst > ROUNDING else 0.0  # sums in another order must give the same words
    return Check(name, "pass" if worst < 1e-6 else "fail", f"worst phase {shown:.1e} apart")


def _live(from_cassette: bool) -> Check:
    detail = "model calls came from a cassette" if from_cassette else "every call was live"
    return Check("live", "fail" if from_cassette else "pass", detail)
