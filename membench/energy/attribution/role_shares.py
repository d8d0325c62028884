"""A phase's joules among the roles that were called in it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from membench.domain.labels import Provenance
from membench.energy.attribution.split import Fit
from membench.energy.figure import Allocation, EnergyFigure, unavailable
from membench.energy.samples import Span, Tokens


def usage_by_phase(spans: Iterable[Span]) -> dict[str, dict[str, list[Tokens]]]:
    """Tokens of each phase's calls by role, abandoned attempts left out."""
    usage: dict[str, dict[str, list[Tokens]]] = defaultdict(lambda: defaultdict(list))
    for span in spans:
        if not span.abandoned:
            for role, tokens in span.usage.items():
                usage[span.phase][role].append(tokens)
    return usage


def role_figures(
    phase: EnergyFigure, usage: Mapping[str, Sequence[Tokens]], fitted: Fit | None
) -> dict[str, EnergyFigure]:
    """Split a phase among the roles that were called in it."""
    if len(usage) == 1:
        return {role: _role(phase, 1.0, 0.0, 0.0) for role in usage}
    shares = fitted.shares(usage) if fitted else {}
    if fitted is None or not shares:
        note = "too short to fit coefficients for several roles"
        return {role: unavailable(note, phase.component) for role in usage}
    return {
        role: _role(phase, share, sd, fitted.held_out_error) for role, (share, sd) in shares.items()
    }


def _role(phase: EnergyFigure, share: float, share_sd: float, error: float) -> EnergyFigure:
    """A role's share of a phase; uncertain by its bootstrap and the error on held-out windows."""
    part = phase.scaled(share)
    if part.joules is None or phase.joules is None:
        return part
    spread = math.hypot(part.u_joules or 0.0, share_sd * phase.joules, error * part.joules)
    return replace(part, u_joules=spread).weakened(Provenance.MODELLED, Allocation.TOKEN_MODEL)
