"""Rule 8 for energy: joules come from samples, or there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from membench.leaderboard.bundles import layout
from membench.leaderboard.validation.parsing import ParsedBundle
from membench.leaderboard.validation.rules import Finding


def energy_findings(bundle: ParsedBundle) -> list[Finding]:
    """Where the claimed energy is not what the bundle's samples come to."""
    if bundle.energy is None:
        return list(baseless(bundle.summary["energy"], "energy"))
    return []


def baseless(value: object, location: str) -> Iterator[Finding]:
    """Figures of a bundle without samples: each must be null and say so."""
    if isinstance(value, Mapping):
        if (
            value.get("joules") is not None
            or value.get("provenance", "unavailable") != "unavailable"
        ):
            problem = "is a figure, but the bundle holds no samples"
            yield Finding("rescore.energy", f"{layout.SUMMARY}: {location}", problem)
        for key, item in value.items():
            yield from baseless(item, f"{location}.{key}")
