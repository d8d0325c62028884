"""Is a known truth found again? Simulated runs, recovered against true joules.

A simulated GPU with known idle power and known joules per token, a ticking counter with a gain
error and a jittered sampler; the ledger sees what it would see of a real run. Printed: one run in
full, then how often the truth lay within the stated 95 % interval over many runs.

Usage: python benchmarks/energy_simulation.py [--runs 100]
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace

import numpy as np

from membench.domain.labels import Provenance
from membench.energy.attribution.ledger import EnergyLedger, attribute
from membench.energy.figure import EnergyFigure, joules_text
from membench.testing.simulated_machine import Machine, Simulated, simulate


def within(figure: EnergyFigure, true: float) -> bool:
    """Whether a truth lies in a figure's 95 % interval."""
    assert figure.joules is not None
    assert figure.u_joules is not None
    return abs(figure.joules - true) <= 1.96 * figure.u_joules


def rows(run: Simulated, ledger: EnergyLedger) -> list[tuple[str, EnergyFigure, float]]:
    """(what, recovered, true) of phases and of roles within a phase."""
    found = [(name, ledger.phases[name], true) for name, true in run.phase_j.items()]
    for phase, roles in run.role_j.items():
        whole = sum(roles.values())
        for role, true in roles.items():
            gross = run.phase_j[phase] * true / whole
            found.append((f"{phase}/{role}", ledger.roles[phase][role], gross))
    return found


def question_error(run: Simulated, ledger: EnergyLedger) -> tuple[float, float]:
    """Median relative error per question, of the split by tokens and of an equal split."""
    questions = [q for q in ledger.questions() if q.figure.joules is not None]
    found = np.array([q.figure.joules for q in questions])
    true = np.array([run.question_j[q.case, q.event] for q in questions])
    true *= found.sum() / true.sum()
    equal = np.full(found.shape, found.mean())
    return float(np.median(np.abs(found / true - 1))), float(np.median(np.abs(equal / true - 1)))


def show(name: str, run: Simulated) -> None:
    """One run in full."""
    ledger = attribute(run.log, run.spans)
    print(f"\n{name}")
    print(f"{'':>16}  {'recovered':>40}  {'true':>22}  within 95 %")
    for what, figure, true in rows(run, ledger):
        truth = joules_text(true, Provenance.MEASURED).replace("measured", "true")
        print(f"{what:>16}  {figure.render():>40}  {truth:>22}  {within(figure, true)}")
    if ledger.fit is not None:
        print(ledger.fit.describe())
    by_tokens, equal = question_error(run, ledger)
    print(f"per question, median error: {by_tokens:.1%} (an equal split: {equal:.1%})")


def coverage(runs: int, *, waves: bool) -> dict[str, float]:
    """Share of runs in which each truth lay within its interval; gain errors drawn at 5 %."""
    hits: dict[str, list[bool]] = defaultdict(list)
    gains = np.random.default_rng(1).normal(0.0, 0.05, runs)
    for seed, gain in enumerate(gains):
        run = simulate(replace(Machine(), gain_error=float(gain)), waves=waves, seed=seed)
        for what, figure, true in rows(run, attribute(run.log, run.spans)):
            hits[what].append(within(figure, true))
    return {what: sum(found) / len(found) for what, found in hits.items()}


def main() -> None:
    """Print both schedules, and the coverage of their intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    for waves in (True, False):
        name = "waves: barriers between phases" if waves else "free: phases overlap"
        show(name, simulate(waves=waves))
        print(f"within the 95 % interval over {runs} runs:")
        for what, share in coverage(runs, waves=waves).items():
            print(f"{what:>16}  {share:.0%}")


if __name__ == "__main__":
    main()
