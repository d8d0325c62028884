"""Credentials of hosted services: from our environment to one worker, and into no record."""

from __future__ import annotations

import os

from membench.adapters.card import SystemCard
from membench.domain.errors import UsageError

MASK = "[key]"


def check_keys(card: SystemCard) -> None:
    """Refuse a system whose key is not set.

    Raises:
        UsageError: Names the variable.
    """
    for name in card.worker.keys:
        if not os.environ.get(name):
            raise UsageError(
                f"system '{card.name}' needs a key in {name}, which is not set",
                f"export {name}=...; the service's own pages say where keys are made.",
            )


def key_variables(card: SystemCard) -> dict[str, str]:
    """The variables that a system's worker is given of ours."""
    return {name: os.environ[name] for name in card.worker.keys if os.environ.get(name)}


def without_keys(text: str, card: SystemCard) -> str:
    """A text of a worker, in which a service may have repeated the key, without it."""
    for value in key_variables(card).values():
        text = text.replace(value, MASK)
    return text
