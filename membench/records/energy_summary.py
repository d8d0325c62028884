"""Joules as a summary has them: every figure with its provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from membench.domain.labels import JsonObject, JsonView, Provenance
from membench.records.fields import known_fields, plain_fields


@dataclass(frozen=True)
class EnergyEntry:
    """Joules with their label.

    Attributes:
        joules: None if and only if unavailable.
        net_joules: Less the idle power; None without a baseline.
        provenance: How the figure came about.
        u_joules: One-sigma uncertainty; None if unknown.
    """

    joules: float | None = None
    net_joules: float | None = None
    provenance: str = Provenance.UNAVAILABLE.value
    u_joules: float | None = None

    @classmethod
    def from_json(cls, stored: JsonView | None) -> Self:
        """Read it back; an entry that is not there is unavailable."""
        return cls(**known_fields(cls, stored or {}))


@dataclass(frozen=True)
class PhaseEnergy:
    """Joules of a phase, and of each role in it where models were called."""

    total: EnergyEntry = field(default_factory=EnergyEntry)
    roles: Mapping[str, EnergyEntry] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """As in the summary."""
        roles = {role: plain_fields(figure) for role, figure in self.roles.items()}
        return {**plain_fields(self.total), "roles": roles}

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back."""
        roles = {r: EnergyEntry.from_json(entry) for r, entry in stored.get("roles", {}).items()}
        return cls(EnergyEntry.from_json(stored), roles)


@dataclass(frozen=True)
class EnergySummary:
    """Joules of a run: phases + idle + unattributed = total.

    Attributes:
        total: Without the judge.
        phases: By phase.
        idle: While nothing was at work.
        unattributed: What cannot be assigned.
        judge: The judge's own.
        boundary: What the counters are of; None without a source.
        sources: Name, provenance and method of each.
    """

    total: EnergyEntry = field(default_factory=EnergyEntry)
    phases: Mapping[str, PhaseEnergy] = field(default_factory=dict)
    idle: EnergyEntry = field(default_factory=EnergyEntry)
    unattributed: EnergyEntry = field(default_factory=EnergyEntry)
    judge: EnergyEntry = field(default_factory=EnergyEntry)
    boundary: str | None = None
    sources: Sequence[JsonView] = ()

    def to_json(self) -> JsonObject:
        """As in the summary."""
        return {
            **{name: plain_fields(getattr(self, name)) for name in _FIGURES},
            "phases": {name: figure.to_json() for name, figure in self.phases.items()},
            "boundary": self.boundary,
            "sources": [dict(source) for source in self.sources],
        }

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back."""
        return cls(
            **{name: EnergyEntry.from_json(stored.get(name)) for name in _FIGURES},
            phases={n: PhaseEnergy.from_json(e) for n, e in stored.get("phases", {}).items()},
            boundary=stored.get("boundary"),
            sources=tuple(stored.get("sources", ())),
        )


_FIGURES = ("total", "idle", "unattributed", "judge")
