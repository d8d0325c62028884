"""Grams of CO2 equivalent: energy times what a grid emits per kilowatt-hour.

Intensities by country are CodeCarbon 3.3.2's table (MIT; see `data/NOTICE`); each has the year it
was published for. A figure of carbon names location, year and source, is shown after the energy it
comes from, and is never ranked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson

from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import Provenance
from membench.energy.figure import EnergyFigure
from membench.metrics.numbers import compact

TABLE = Path(__file__).parent / "data" / "carbon_intensity_by_country_codecarbon_3.3.2.json"
SOURCE = "codecarbon 3.3.2"
JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True, slots=True)
class Intensity:
    """What one grid emits.

    Attributes:
        location: ISO 3166 alpha-3 code.
        country: Its name.
        g_per_kwh: Grams of CO2 equivalent per kilowatt-hour.
        year: The year the figure is for.
        source: Where it is from.
    """

    location: str
    country: str
    g_per_kwh: float
    year: int
    source: str = SOURCE


@cache
def intensities() -> Mapping[str, Intensity]:
    """Every grid of the table by country code."""
    return {
        code: Intensity(code, row["country"], float(row["gCO2e_per_kWh"]), int(row["year"]))
        for code, row in orjson.loads(TABLE.read_bytes()).items()
    }


def intensity(location: str) -> Intensity:
    """The grid of a country.

    Raises:
        UnknownName: The table does not have it.
    """
    try:
        return intensities()[location.upper()]
    except KeyError:
        raise UnknownName("country code", location, intensities()) from None


@dataclass(frozen=True, slots=True)
class Carbon:
    """Grams of CO2 equivalent with everything needed to judge them."""

    grams: float | None
    provenance: Provenance
    grid: Intensity
    pue: float

    def render(self) -> str:
        """As text with location, year, source and the label of the energy."""
        where = f"{self.grid.location} {self.grid.year}, {self.grid.source}, PUE {self.pue:g}"
        if self.grams is None:
            return f"gCO2e {self.provenance} ({where})"
        return f"{compact(self.grams)} gCO2e {self.provenance} ({where})"


def carbon(energy: EnergyFigure, grid: Intensity, pue: float = 1.0) -> Carbon:
    """`kWh * PUE * intensity`.

    Args:
        energy: In joules; unavailable energy gives unavailable carbon.
        grid: See `intensity`.
        pue: Power usage effectiveness of the data centre, 1 or more.

    Raises:
        UsageError: A PUE that is no number of 1 or more.
    """
    if not 1 <= pue < math.inf:
        raise UsageError(f"PUE {pue:g}: a data centre draws at least what its machines draw")
    grams = None if energy.joules is None else energy.joules / JOULES_PER_KWH * pue * grid.g_per_kwh
    return Carbon(grams, energy.provenance, grid, pue)
