"""The card of a system as its parameters make it: the models it calls, the system it drives.

A system may need a model only with some values of a parameter (`units=facts`), and a controller
takes on what the system that it wraps needs and can do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from membench.adapters.card import SystemCard
from membench.adapters.parameters import checked_parameters
from membench.adapters.registry import get_card
from membench.domain.errors import UsageError
from membench.domain.labels import Scalar

FORWARDED = frozenset({"finalize", "memories", "remember", "feedback", "store_bytes", "snapshot"})
"""Capabilities that a controller has where the system inside it has them."""

INHERITED = FORWARDED | {"mutates_on_recall"}


def configured_card(card: SystemCard, parameters: Mapping[str, Scalar]) -> SystemCard:
    """The card with the roles, and of a controller the abilities, that its parameters imply.

    Args:
        card: As its system.toml says.
        parameters: Checked, with a value for every parameter.

    Raises:
        UnknownName: There is no system of the name that a parameter gives.
        UsageError: That system cannot be driven.
    """
    card = replace(card, roles=card.roles_with(parameters))
    for name, parameter in card.parameters.items():
        if parameter.system:
            inner = inner_card(str(parameters[name]), str(parameters[f"{name}_set"]))
            card = replace(
                card,
                roles=tuple(dict.fromkeys([*card.roles, *inner.roles])),
                capabilities=card.capabilities | (inner.capabilities & INHERITED),
                granularity=inner.granularity,
            )
    return card


def inner_card(name: str, settings: str) -> SystemCard:
    """The card of a system that a controller drives, with its settings applied.

    Raises:
        UnknownName: There is no such system or parameter.
        UsageError: It is a controller itself, only answers, or is granted evidence.
    """
    card = get_card(name)
    barred = card.drives or any(parameter.system for parameter in card.parameters.values())
    if barred or card.protocol != "blind" or "evidence_grant" in card.capabilities:
        raise UsageError(
            f"system '{name}' cannot be driven by another",
            "Choose one that recalls by itself, such as `--set inner=bm25`.",
        )
    return configured_card(card, checked_parameters(card, settings_of(settings)))


def settings_of(text: str) -> dict[str, Scalar]:
    """Parameters written as one text: `tokenizer=stem,text=dated`.

    Raises:
        UsageError: A part without an equals sign.
    """
    return dict(_assignments(text))


def _assignments(text: str) -> Iterator[tuple[str, Scalar]]:
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"'{part}' is no setting", "Write name=value,name=value.")
        yield name.strip(), value.strip()
