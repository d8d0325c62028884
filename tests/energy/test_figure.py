"""A figure says how it came about, and figures that do not belong together do not add up."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import membench
from membench.domain.labels import Provenance
from membench.energy.figure import (
    Allocation,
    Component,
    EnergyFigure,
    Flag,
    UnlikeFigures,
    boundary_of,
    combine,
    joules_text,
    summary_text,
    unavailable,
)

LABELS = (Provenance.MEASURED, Provenance.MODELLED, Provenance.ESTIMATED)
available = st.builds(
    EnergyFigure,
    joules=st.floats(0, 1e9),
    provenance=st.sampled_from(LABELS),
    component=st.sampled_from([Component.GPU, Component.CPU, Component.DRAM]),
    method=st.sampled_from(["a", "b"]),
    u_joules=st.none() | st.floats(0, 1e6),
    flags=st.frozensets(st.sampled_from(Flag)),
)
figures = available | st.builds(unavailable, st.text(max_size=5))


def measured(joules: float, component: str = "gpu", u: float | None = 1.0) -> EnergyFigure:
    return EnergyFigure(joules, Provenance.MEASURED, component, component, u_joules=u)


def test_unavailable_has_no_joules_and_nothing_else_does() -> None:
    with pytest.raises(ValueError, match="unavailable with joules"):
        EnergyFigure(0.0, Provenance.UNAVAILABLE, "gpu", "x")
    with pytest.raises(ValueError, match="measured with joules None"):
        EnergyFigure(None, Provenance.MEASURED, "gpu", "x")


@pytest.mark.parametrize("joules", [-1.0, float("nan"), float("inf")])
def test_negative_and_non_finite_joules_are_refused(joules: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        measured(joules)


def test_unlike_labels_do_not_add_up() -> None:
    modelled = EnergyFigure(5.0, Provenance.MODELLED, "cpu", "model", u_joules=2.5)
    with pytest.raises(UnlikeFigures, match="measured, modelled"):
        combine((measured(10.0), modelled))


def test_on_request_the_weakest_label_wins_and_each_share_is_told() -> None:
    modelled = EnergyFigure(5.0, Provenance.MODELLED, "cpu", "model", u_joules=2.5)
    both = combine((measured(10.0), modelled), allow_mixed=True)
    assert both.joules == 15.0
    assert both.provenance is Provenance.MODELLED
    assert both.shares == ((Provenance.MEASURED, 10.0), (Provenance.MODELLED, 5.0))


def test_an_unavailable_part_makes_the_sum_unavailable() -> None:
    whole = combine((measured(10.0), unavailable("no counter")), allow_mixed=True)
    assert whole.joules is None
    assert "no counter" in whole.method


def test_one_gain_adds_linearly_and_independent_meters_in_quadrature() -> None:
    assert combine((measured(1, u=3.0), measured(1, u=4.0))).u_joules == 7.0
    assert combine((measured(1, "gpu", 3.0), measured(1, "cpu", 4.0))).u_joules == 5.0


def test_a_node_already_holds_its_parts() -> None:
    with pytest.raises(UnlikeFigures, match="already holds that of gpu"):
        combine((measured(1.0, "node"), measured(1.0, "gpu")))


def test_boundaries_follow_from_components() -> None:
    assert boundary_of("gpu") == "B0"
    assert combine((measured(1, "gpu"), measured(1, "cpu"), measured(1, "dram"))).boundary == "B1"
    assert boundary_of("node") == "B2"
    assert boundary_of("cpu+dram") == "partial:cpu+dram"


@given(st.lists(figures, min_size=1, max_size=6))
def test_a_sum_is_never_stronger_than_its_weakest_part(parts: list[EnergyFigure]) -> None:
    order = tuple(Provenance)
    whole = combine(parts, allow_mixed=True)
    assert order.index(whole.provenance) == max(order.index(p.provenance) for p in parts)
    assert (whole.joules is None) == any(p.joules is None for p in parts)
    assert whole.flags == frozenset().union(*(p.flags for p in parts))


@given(st.lists(available, min_size=1, max_size=6))
def test_uncertainty_never_shrinks_by_adding(parts: list[EnergyFigure]) -> None:
    known = [p.u_joules for p in parts if p.u_joules is not None]
    whole = combine(parts, allow_mixed=True).u_joules
    if len(known) < len(parts):
        assert whole is None
    else:
        assert whole is not None
        assert max(known) * (1 - 1e-9) <= whole <= sum(known) * (1 + 1e-9)


# --- no joule without its label ----------------------------------------------------------------


@given(figures, st.sampled_from(["", "question"]))
def test_every_rendering_names_the_label(figure: EnergyFigure, per: str) -> None:
    label = str(figure.provenance)
    assert label in figure.render(per)
    assert label in str(figure)
    assert label in joules_text(figure.joules, figure.provenance, figure.u_joules, per=per)
    assert label in summary_text(figure.summary(), per)


def test_null_is_never_rendered_as_a_number() -> None:
    assert not re.search(r"\d", summary_text(unavailable("no GPU").summary()))
    assert summary_text(None) == "– unavailable"


def test_a_modelled_figure_shows_its_range() -> None:
    figure = EnergyFigure(10.0, Provenance.MODELLED, "cpu", "m", 5.0, allocation=Allocation.NONE)
    assert figure.render("question") == "10 (5–15) J/question ▨ modelled (partial:cpu)"


UNIT = re.compile(r"^\s?(k|M|G|m)?J(/|\b)")


def test_no_module_of_the_package_writes_joules_without_their_label() -> None:
    """Walks every f-string: one with a value and a unit of energy has the provenance in it, too."""
    package = Path(membench.__file__).parent
    offenders = []
    for path in sorted(package.rglob("*.py")):
        if path == package / "energy" / "figure.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr) and _formats_joules(node) and not _labelled(node):
                offenders.append(f"{path.relative_to(package)}:{node.lineno}")
    assert offenders == []


def _labelled(text: ast.JoinedStr) -> bool:
    return any(
        isinstance(part, ast.FormattedValue) and "provenance" in ast.unparse(part.value)
        for part in text.values
    )


def _formats_joules(text: ast.JoinedStr) -> bool:
    return any(
        isinstance(before, ast.FormattedValue)
        and isinstance(after, ast.Constant)
        and UNIT.match(str(after.value))
        for before, after in zip(text.values, text.values[1:], strict=False)
    )


@pytest.mark.parametrize("joules", [5.25e-08, 5.25e-05, 0.9999, 999.9, 5.25e12])
def test_no_joule_has_an_exponent(joules: float) -> None:
    for spread in (None, joules / 2):
        for label in (Provenance.MEASURED, Provenance.MODELLED):
            assert not re.search(r"\de[-+]?\d", joules_text(joules, label, spread))


def test_small_joules_have_a_unit_of_their_own() -> None:
    text = joules_text(5.25e-05, Provenance.MODELLED, 2.63e-05)
    assert text.startswith("52.5 (26.2–78.8) µJ")
