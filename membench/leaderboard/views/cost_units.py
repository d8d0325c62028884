"""Units in which a board shows a cost; joules can be read as kWh or as grams of CO2 equivalent.

Both follow from the joules shown, per million questions or histories so that they are readable.
Grams need a grid: the reader picks one, since a run does not say where its power came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from membench.energy.carbon import JOULES_PER_KWH, Intensity, intensities
from membench.records.costs import COSTS, Cost

JOULES, KWH, CARBON = "J", "kWh", "gCO2e"
MANY = 1_000_000
"""Questions or histories that kWh and grams are for."""

PLURALS: Mapping[str, str] = {"question": "questions", "history": "histories"}


@dataclass(frozen=True)
class CostUnit:
    """How a cost is shown.

    Attributes:
        title: What the cost is, with its unit where its name has one.
        sign: The unit alone.
        factor: What a figure of the cost's own unit is multiplied with.
        count: Questions or histories that a figure is for.
        note: How it follows from the cost's own unit; empty for that unit.
    """

    title: str
    sign: str
    factor: float = 1.0
    count: int = 1
    note: str = ""

    def per(self, thing: str) -> str:
        """`question`, or `million questions`."""
        return thing if self.count == 1 else f"million {PLURALS[thing]}"


@cache
def unit_options(axis: str) -> tuple[str, ...]:
    """Ids of the units of a cost, its own first."""
    if axis != "joules":
        return (COSTS[axis].unit,)
    grids = sorted(intensities().values(), key=lambda grid: grid.country)
    return (JOULES, KWH, *(f"{CARBON}-{grid.location}" for grid in grids))


def unit_id(axis: str, unit: str) -> str:
    """The unit as a choice holds it: empty for the cost's own."""
    return "" if unit == unit_options(axis)[0] else unit


def unit_words(unit: str) -> str:
    """A unit for people."""
    name, _, location = unit.partition("-")
    return f"{name}, grid of {intensities()[location].country}" if location else name


@cache
def cost_unit(axis: str, unit: str = "") -> CostUnit:
    """The unit of an id; a cost's own where it has no such unit."""
    cost = COSTS[axis]
    if unit not in unit_options(axis)[1:]:
        return CostUnit(cost.title, cost.unit)
    if unit == KWH:
        return CostUnit("Energy (kWh)", KWH, MANY / JOULES_PER_KWH, MANY, f"{KWH}: J / 3.6e6.")
    return carbon_unit(cost, intensities()[unit.partition("-")[2]])


def carbon_unit(cost: Cost, grid: Intensity) -> CostUnit:
    """Grams on one grid."""
    note = (
        f"{CARBON}: {cost.unit} / 3.6e6 x {grid.g_per_kwh:g} g/kWh ({grid.country} {grid.year}, "
        f"{grid.source}), PUE 1. The grid is the reader's choice: no run says where its power "
        "came from."
    )
    factor = MANY * grid.g_per_kwh / JOULES_PER_KWH
    return CostUnit(f"Carbon ({CARBON}, {grid.location})", CARBON, factor, MANY, note)
