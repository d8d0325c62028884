"""Repeats of one configuration together: what each run's checks say, and whether the runs agree.

A run alone can never be verified, since its repeatability is unknown. Here the
checks of all repeats become one list: a check passes if it passed in every run, fails if it failed
in one, and was not run otherwise. Two checks exist only over repeats: `repeatable`, the variation
of their totals, and `protocol`, whether every run was done under `--energy-protocol` and each of
its steps went well.

Everything is computed from what the runs recorded, and can be computed again by whoever has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from membench.domain.labels import JsonObject, JsonView, Provenance
from membench.energy.verification.validity import (
    MIN_REPEATS,
    REPEATABLE,
    Check,
    Status,
    repeatable,
    verified,
)
from membench.records.energy_summary import EnergyEntry
from membench.records.manifest import Manifest
from membench.records.summary import Summary

PROTOCOL = "protocol"


@dataclass(frozen=True)
class Repeat:
    """What one run recorded of its energy.

    Attributes:
        checks: The validity checks of the run alone; empty if no energy was attributed.
        protocol: The steps of the protocol; None for a run that was not under it.
        joules: Total joules; None if unavailable.
        measured: Whether the total is labelled measured.
        conditions: What must be equal to compare costs (`comparison_key.cost`).
    """

    checks: tuple[Check, ...] = ()
    protocol: tuple[Check, ...] | None = None
    joules: float | None = None
    measured: bool = False
    conditions: JsonView | None = None

    @classmethod
    def of(cls, summary: Summary, manifest: Manifest | None) -> Repeat:
        """From a run's summary and manifest; either may say nothing of energy."""
        if manifest is None:
            return cls.recorded(summary.energy.total)
        cost = manifest.comparison_key.cost
        return cls.recorded(
            summary.energy.total, manifest.energy, manifest.energy_protocol, cost.to_json()
        )

    @classmethod
    def recorded(
        cls,
        total: EnergyEntry,
        report: JsonView | None = None,
        steps: Sequence[JsonView] = (),
        conditions: JsonView | None = None,
    ) -> Repeat:
        """From the parts of both that speak of energy.

        Args:
            total: Joules of the run.
            report: The manifest's `energy`; None if no energy was attributed.
            steps: The manifest's `energy_protocol`; empty for a run that was not under it.
            conditions: What must be equal to compare costs.
        """
        return cls(
            checks=_checks((report or {}).get("checks", ())),
            protocol=_checks(steps) if steps else None,
            joules=total.joules,
            measured=total.provenance == Provenance.MEASURED,
            conditions=conditions,
        )

    def to_json(self) -> JsonObject:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, line: JsonView) -> Repeat:
        """Back from plain values."""
        steps = line["protocol"]
        return cls(
            _checks(line["checks"]),
            None if steps is None else _checks(steps),
            line["joules"],
            line["measured"],
            line["conditions"],
        )


def _checks(entries: Iterable[JsonView]) -> tuple[Check, ...]:
    return tuple(Check(e["name"], e["status"], e["detail"]) for e in entries)


@dataclass(frozen=True)
class RepeatCheck:
    """What the checks of all repeats together come to.

    Attributes:
        checks: One line each.
        tested: Whether somebody may ask: joules are called measured, or a run was under the
            protocol.
    """

    checks: tuple[Check, ...]
    tested: bool

    @property
    def verified(self) -> bool:
        """Whether every check passed."""
        return verified(self.checks)

    @property
    def text(self) -> str:
        """One line."""
        passed = sum(check.status == "pass" for check in self.checks)
        word = "verified" if self.verified else "not verified"
        return f"{word}: {passed} of {len(self.checks)} checks passed"


def verdict_of(repeats: Sequence[Repeat]) -> RepeatCheck:
    """Bring the checks of the repeats of one configuration together.

    Args:
        repeats: In the order they were run; at least one.
    """
    names = dict.fromkeys(check.name for repeat in repeats for check in repeat.checks)
    alone = [_joined(name, [_named(name, r.checks) for r in repeats]) for name in names]
    together = {REPEATABLE: _repeatable(repeats), PROTOCOL: _protocol(repeats)}
    kept = [check for check in alone if check.name not in together]
    return RepeatCheck(
        checks=(*kept, *together.values()),
        tested=any(repeat.measured or repeat.protocol is not None for repeat in repeats),
    )


def _named(name: str, checks: Sequence[Check]) -> Check:
    missing = Check(name, "not run", "the run did not record it")
    return next((check for check in checks if check.name == name), missing)


def _joined(name: str, checks: Sequence[Check]) -> Check:
    """The worst of a check over the repeats; says which of them it was."""
    worst = _worst(check.status for check in checks)
    details: dict[str, list[str]] = {}
    for number, check in enumerate(checks, 1):
        if check.status == worst:
            details.setdefault(check.detail, []).append(str(number))
    if len(details) == 1 and len(*details.values()) == len(checks):
        return Check(name, worst, next(iter(details)))
    texts = [f"repeat {', '.join(numbers)}: {detail}" for detail, numbers in details.items()]
    return Check(name, worst, "; ".join(texts))


def _worst(found: Iterable[Status]) -> Status:
    order: tuple[Status, ...] = ("pass", "not run", "fail")
    return max(found, key=order.index)


def _repeatable(repeats: Sequence[Repeat]) -> Check:
    """The variation of the totals, where the runs were done under the same conditions."""
    unlike = _unlike([repeat.conditions or {} for repeat in repeats])
    if unlike:
        return Check(REPEATABLE, "fail", f"the repeats differ in {', '.join(unlike)}")
    known = [repeat.joules for repeat in repeats if repeat.joules is not None]
    if len(known) < len(repeats) and len(repeats) >= MIN_REPEATS:
        lacking = len(repeats) - len(known)
        return Check(REPEATABLE, "not run", f"joules of {lacking} of {len(repeats)} runs unknown")
    return repeatable(known)


def _unlike(conditions: Sequence[JsonView]) -> list[str]:
    names = dict.fromkeys(name for condition in conditions for name in condition)
    first = conditions[0] if conditions else {}
    return [n for n in names if any(c.get(n) != first.get(n) for c in conditions)]


def _protocol(repeats: Sequence[Repeat]) -> Check:
    """Whether every repeat was done under the protocol, and every step of it went well."""
    without = [str(n) for n, repeat in enumerate(repeats, 1) if repeat.protocol is None]
    if without:
        where = "" if len(without) == len(repeats) else f" in repeat {', '.join(without)}"
        return Check(PROTOCOL, "not run", f"no --energy-protocol{where}")
    steps = [_step(repeat.protocol or ()) for repeat in repeats]
    return _joined(PROTOCOL, steps)


def _step(steps: Sequence[Check]) -> Check:
    """One run's protocol as one check."""
    worst = _worst([step.status for step in steps] or ["not run"])
    if worst == "pass":
        return Check(PROTOCOL, "pass", "every step")
    wrong = [f"{step.name} {step.status}: {step.detail}" for step in steps if step.status == worst]
    return Check(PROTOCOL, worst, "; ".join(wrong) or "nothing recorded")
