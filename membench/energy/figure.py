"""A figure of energy is a number that knows how it came about.

It carries its provenance (`measured`, `modelled`, `estimated`, `unavailable`), the component it
belongs to, the boundary that follows from it, the method, and a one-sigma uncertainty. Figures of
unlike provenance do not add up unless the caller asks for it; then the sum carries the weakest
label and says how much of it each label contributed. A figure that could not be had is
`unavailable`: its joules are None, never 0, and every sum it enters is unavailable too.

Joules are written as text here, so that no number is ever shown without its label (a test walks
the package for renderers of their own).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from membench.domain.errors import UserError
from membench.domain.labels import JsonObject, Provenance
from membench.metrics.numbers import compact
from membench.records.energy_summary import EnergyEntry
from membench.records.fields import plain_fields

STRENGTH = tuple(Provenance)
"""Labels from the strongest to the weakest."""

BADGE = {
    Provenance.MEASURED: "■",
    Provenance.MODELLED: "▨",
    Provenance.ESTIMATED: "□",
    Provenance.UNAVAILABLE: "–",
}
"""Solid, hatched, hollow, dash."""


class Component(StrEnum):
    """What drew the energy."""

    GPU = "gpu"
    CPU = "cpu"
    DRAM = "dram"
    NODE = "node"
    REMOTE_API = "remote_api"


class Allocation(StrEnum):
    """How a share of a device's energy was cut out of the whole."""

    EXCLUSIVE = "exclusive"
    TOKEN_MODEL = "token_model"
    TIME_SHARE = "time_share"
    NONE = "none"


class Flag(StrEnum):
    """Flags of a figure; most of them keep a run from being verified."""

    SHORT_WINDOW = "short_window"
    COUNTER_RESET = "counter_reset"
    IMPOSSIBLE_RATE = "impossible_rate"
    STUCK_COUNTER = "stuck_counter"
    THROTTLED = "throttled"
    SHARED_GPU = "shared_gpu"
    PIDS_UNKNOWN = "pids_unknown"
    VM_RAPL = "vm_rapl"
    IDLE_DRIFT = "idle_drift"
    CROSS_CHECK_FAILED = "cross_check_failed"
    GAP = "gap"
    NOT_COVERED = "not_covered"
    CLOCK_STEP = "clock_step"
    READ_FAILED = "read_failed"
    NET_FLOORED = "net_floored"
    JUDGE_OVERLAP = "judge_overlap"
    REPLAYED = "replayed"
    NOT_DEDICATED = "not_dedicated"
    OTHER_NODE = "other_node"


class UnlikeFigures(UserError):
    """Figures that do not add up: unlike provenance, or one component counted twice."""


def boundary_of(component: str) -> str:
    """The boundary that a set of components (joined by `+`) draws around the machine.

    Returns:
        `B0` accelerator, `B1` accelerator + CPU package + DRAM, `B2` node at the wall,
        `remote_api`, or `partial:<components>` for anything in between.
    """
    parts = {Component(part) for part in component.split("+")}
    if parts == {Component.GPU}:
        return "B0"
    if parts == {Component.GPU, Component.CPU, Component.DRAM}:
        return "B1"
    if parts == {Component.NODE}:
        return "B2"
    if parts == {Component.REMOTE_API}:
        return "remote_api"
    return f"partial:{component}"


@dataclass(frozen=True, slots=True)
class EnergyFigure:
    """Joules with their label.

    Attributes:
        joules: Gross energy in joules; None if and only if `provenance` is `unavailable`.
        provenance: How the figure came about.
        component: What drew it; several are joined by `+` in alphabetical order.
        method: Device, counter or coefficients as text; for an unavailable figure, the reason.
        u_joules: One-sigma uncertainty in joules; None if unknown.
        net_joules: Gross less the loaded idle power over the same time; None without a baseline.
        allocation: How this share was cut out of the device's energy.
        flags: What limits its meaning.
        shares: Joules by label, where labels were mixed on request.
    """

    joules: float | None
    provenance: Provenance
    component: str
    method: str
    u_joules: float | None = None
    net_joules: float | None = None
    allocation: Allocation = Allocation.EXCLUSIVE
    flags: frozenset[Flag] = frozenset()
    shares: tuple[tuple[Provenance, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse figures that would lie."""
        if (self.joules is None) != (self.provenance is Provenance.UNAVAILABLE):
            raise ValueError(f"{self.provenance} with joules {self.joules}")
        for name in ("joules", "u_joules", "net_joules"):
            value = getattr(self, name)
            if value is not None and (not math.isfinite(value) or value < 0):
                raise ValueError(f"{name} = {value}: energy is finite and not negative")

    @property
    def boundary(self) -> str:
        """Where the line around the machine is drawn (see `boundary_of`)."""
        return boundary_of(self.component)

    @property
    def available(self) -> bool:
        """Whether there is a number."""
        return self.joules is not None

    def scaled(self, factor: float) -> EnergyFigure:
        """This figure times a plain number, such as one over the number of questions."""
        return replace(
            self,
            joules=_times(self.joules, factor),
            u_joules=_times(self.u_joules, factor),
            net_joules=_times(self.net_joules, factor),
            shares=tuple((label, joules * factor) for label, joules in self.shares),
        )

    def weakened(
        self, provenance: Provenance, allocation: Allocation | None = None
    ) -> EnergyFigure:
        """The same joules under a label no stronger than `provenance`."""
        return replace(
            self,
            provenance=weakest((self.provenance, provenance)),
            allocation=allocation or self.allocation,
        )

    def summary(self) -> EnergyEntry:
        """What `summary.json` says of it (docs/run-directory.md)."""
        return EnergyEntry(self.joules, self.net_joules, str(self.provenance), self.u_joules)

    def details(self) -> JsonObject:
        """Everything, as plain values."""
        return {
            **plain_fields(self.summary()),
            "component": self.component,
            "boundary": self.boundary,
            "method": self.method,
            "allocation": str(self.allocation),
            "flags": sorted(map(str, self.flags)),
            "shares": {str(label): joules for label, joules in self.shares},
        }

    def render(self, per: str = "") -> str:
        """The figure as text, always with its label.

        Args:
            per: What it is per (`"question"`), appended to the unit.
        """
        if self.joules is None:
            return f"{BADGE[self.provenance]} unavailable ({self.method})"
        marks = f"; {', '.join(sorted(self.flags))}" if self.flags else ""
        number = joules_text(self.joules, self.provenance, self.u_joules, per=per)
        return f"{number} ({self.boundary}{marks})"

    def __str__(self) -> str:
        return self.render()


def unavailable(note: str, component: str = Component.GPU, *flags: Flag) -> EnergyFigure:
    """A figure without a value, with the reason in its method."""
    return EnergyFigure(
        None, Provenance.UNAVAILABLE, component, note, allocation=Allocation.NONE,
        flags=frozenset(flags),
    )  # fmt: skip


def weakest(labels: Iterable[Provenance]) -> Provenance:
    """The weakest of some labels."""
    return max(labels, key=STRENGTH.index)


def combine(figures: Iterable[EnergyFigure], *, allow_mixed: bool = False) -> EnergyFigure:
    """Add figures up.

    Uncertainties of one method share their gain and add linearly; those of different methods
    add in quadrature.

    Args:
        figures: At least one.
        allow_mixed: Whether unlike provenance may be added; the weakest label wins.

    Raises:
        UnlikeFigures: Unlike provenance without `allow_mixed`, or a node's energy added to that
            of a component inside it.
    """
    parts = tuple(figures)
    component = _joined_component(parts)
    lacking = next((part for part in parts if not part.available), None)
    if lacking is not None:
        return unavailable(lacking.method, component, *_all_flags(parts))
    labels = {part.provenance for part in parts}
    if len(labels) > 1 and not allow_mixed:
        raise UnlikeFigures(
            f"energy figures of unlike provenance: {', '.join(sorted(labels))}",
            "Ask for it explicitly (--energy mixed:...); the sum then carries the weakest label.",
        )
    return EnergyFigure(
        joules=math.fsum(part.joules or 0.0 for part in parts),
        provenance=weakest(labels),
        component=component,
        method="; ".join(dict.fromkeys(part.method for part in parts)),
        u_joules=_joined_uncertainty(parts),
        net_joules=_sum_known(part.net_joules for part in parts),
        allocation=_joined_allocation(parts),
        flags=_all_flags(parts),
        shares=_shares(parts) if len(labels) > 1 else (),
    )


def _joined_component(parts: tuple[EnergyFigure, ...]) -> str:
    names = {name for part in parts for name in part.component.split("+")}
    if Component.NODE in names and len(names) > 1:
        raise UnlikeFigures(
            f"a node's energy already holds that of {', '.join(sorted(names - {Component.NODE}))}",
            "Choose the node or its parts, not both.",
        )
    return "+".join(sorted(names))


def _joined_uncertainty(parts: tuple[EnergyFigure, ...]) -> float | None:
    by_method: dict[str, float] = {}
    for part in parts:
        if part.u_joules is None:
            return None
        by_method[part.method] = by_method.get(part.method, 0.0) + part.u_joules
    return math.hypot(*by_method.values())


def _joined_allocation(parts: tuple[EnergyFigure, ...]) -> Allocation:
    order = tuple(Allocation)
    return max((part.allocation for part in parts), key=order.index)


def _shares(parts: tuple[EnergyFigure, ...]) -> tuple[tuple[Provenance, float], ...]:
    return tuple(
        (label, math.fsum(p.joules or 0.0 for p in parts if p.provenance is label))
        for label in STRENGTH
        if any(p.provenance is label for p in parts)
    )


def _all_flags(parts: tuple[EnergyFigure, ...]) -> frozenset[Flag]:
    return frozenset().union(*(part.flags for part in parts))


def _sum_known(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else math.fsum(value or 0.0 for value in known)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def figure_of(entry: EnergyEntry | None, component: str, method: str) -> EnergyFigure:
    """A figure from an entry of a summary's energy."""
    if entry is None or entry.joules is None:
        return unavailable(method, component)
    return EnergyFigure(
        joules=float(entry.joules),
        provenance=Provenance(entry.provenance),
        component=component,
        method=method,
        u_joules=entry.u_joules,
        net_joules=entry.net_joules,
    )


# --- text --------------------------------------------------------------------------------------

_UNITS = ((1e9, "GJ"), (1e6, "MJ"), (1e3, "kJ"), (1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"))


def joules_text(
    joules: float | None, provenance: Provenance, u_joules: float | None = None, *, per: str = ""
) -> str:
    """Joules with unit, label and, unless measured, the range they may lie in.

    Args:
        joules: The number, None if unavailable.
        provenance: Its label, always shown.
        u_joules: One-sigma uncertainty.
        per: What it is per, appended to the unit.
    """
    badge = f"{BADGE[provenance]} {provenance}"
    if joules is None:
        return badge
    scale, unit = next(((s, u) for s, u in _UNITS if joules >= s), (1.0, "J"))
    suffix = f"{unit}/{per}" if per else unit
    if u_joules is None:
        return f"{compact(joules / scale)} {suffix} {badge}"
    if provenance is Provenance.MEASURED:
        spread = compact(u_joules / scale, 2)
        return f"{compact(joules / scale)} ± {spread} {suffix} {badge}"
    low, high = max(joules - u_joules, 0.0), joules + u_joules
    ends = f"{compact(low / scale)}–{compact(high / scale)}"
    return f"{compact(joules / scale)} ({ends}) {suffix} {badge}"


def power_text(watts: float, concurrency: float) -> str:
    """Mean watts, and how much was in flight: a serial caller is billed idle hours."""
    return f"mean {compact(watts)} W, {compact(concurrency, 2)} in flight"


def summary_text(entry: EnergyEntry | None, per: str = "") -> str:
    """An entry of a summary's energy as text, with its label."""
    if entry is None:
        return joules_text(None, Provenance.UNAVAILABLE)
    return joules_text(entry.joules, Provenance(entry.provenance), entry.u_joules, per=per)
