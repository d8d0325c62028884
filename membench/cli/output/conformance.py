"""`membench conformance NAME`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from membench.adapters.registry import SystemCard, get_card
from membench.cli.output.console import out, step
from membench.cli.output.listing import print_json
from membench.domain.errors import UsageError
from membench.domain.labels import Scalar
from membench.testing.conformance import Report, render, run_conformance
from membench.testing.stored import service_of, write_stored


def print_conformance(
    name: str, parameters: Mapping[str, Scalar], *, write: bool, as_json: bool
) -> bool:
    """Print the report of a system.

    Returns:
        Whether every check passed or was skipped with a reason.

    Raises:
        UsageError: What is to be stored was not made at the defaults.
    """
    card = get_card(name)
    if write and any(not is_place(card, parameter) for parameter in parameters):
        raise UsageError("the result at the defaults is what is stored", "Leave out --set.")
    if card.environment is None or card.hosted:
        made = run_conformance(name, parameters)
        if write:
            write_stored(card, made, card.replay, service_of(card, parameters))
    else:
        made = checked(card, parameters, write=write)
    if as_json:
        print_json(asdict(made))
    else:
        out().print(render(made), markup=False)
    return made.passed


def is_place(card: SystemCard, parameter: str) -> bool:
    """Whether a parameter says where something is, and has no default that would do."""
    if card.hosted and parameter == "base_url":
        return True
    return parameter in card.parameters and card.parameters[parameter].type == "folder"


def checked(card: SystemCard, parameters: Mapping[str, Scalar], *, write: bool) -> Report:
    """The report of a package, with the class of replay that was measured."""
    from membench.testing.packages import check_package

    made, replay = check_package(
        card, parameters, write=write, report=lambda name: step(f"{card.name}: {name}")
    )
    out().print(f"replay measured: {replay}", markup=False)
    return made
