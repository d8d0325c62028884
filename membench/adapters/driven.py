"""Systems behind an adapter that drives whatever runs at an address: named by the run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from membench.adapters.card import SystemCard
from membench.adapters.registry import list_systems
from membench.domain.errors import UsageError
from membench.domain.labels import Scalar

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def driven_card(card: SystemCard, parameters: Mapping[str, Scalar]) -> SystemCard:
    """The card as which a run appears: that of the system which the adapter drives.

    Args:
        card: What `--system` found.
        parameters: Its parameters, checked.

    Returns:
        The card itself unless it drives another system; else one under the name and version that
        the run was told, or under the adapter's where it was told none.

    Raises:
        UsageError: A name without a version or the reverse, or a name that does not do.
    """
    if not card.drives:
        return card
    name, version = str(parameters["name"]), str(parameters["version"])
    if not name and not version:
        return replace(card, adapter=card.name)
    if not name or not version:
        raise UsageError(
            f"system '{card.name}' was told only one of name and version",
            "Give both: --set name=my-memory --set version=1.2.0",
        )
    if not NAME.fullmatch(name):
        raise UsageError(
            f"--set name={name}: no name for a system",
            "Use lower-case letters, digits, hyphens and underscores.",
        )
    if name in list_systems():
        raise UsageError(
            f"--set name={name}: there is a system of that name, which this is not",
            f"Choose another, such as {name}-cloud.",
        )
    return replace(card, name=name, title=name, version=version, adapter=card.name)
