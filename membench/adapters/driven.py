"""Systems that run at an address: named by the run, or on their maker's machines."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from membench.adapters.card import SystemCard
from membench.adapters.registry import create, list_systems
from membench.domain.case import CaseInfo
from membench.domain.errors import SystemFault, UsageError
from membench.domain.labels import Scalar
from membench.domain.system import MemorySystem, SystemContext
from membench.tokens import count_tokens

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


def check_answers(card: SystemCard, parameters: Mapping[str, Scalar], task: str) -> None:
    """Open and leave an empty case of a system elsewhere, before anything is played.

    Args:
        card: What is run; nothing happens unless it drives another system or is hosted.
        parameters: Its parameters, checked.
        task: Name of the task to come.

    Raises:
        UsageError: It was not told where the other system is, nothing answers there, or its key
            is refused.
    """
    if not (card.drives or card.hosted):
        return
    with tempfile.TemporaryDirectory(prefix="membench-reach-") as folder:
        try:
            context = SystemContext(parameters, 0, Path(folder), count_tokens, {})
            open_and_leave(create(card, context), task)
        except SystemFault as fault:
            raise UsageError(
                f"system '{card.name}' cannot be reached: {fault.detail}", _remedy(card)
            ) from None


def open_and_leave(system: MemorySystem, task: str) -> None:
    """Start an empty case and close the system, also where it does not start.

    Raises:
        SystemFault: It did not start, or not close.
    """
    try:
        system.reset(CaseInfo("reachable", task))
    except SystemFault:
        with suppress(SystemFault):
            system.close()
        raise
    system.close()


def _remedy(card: SystemCard) -> str:
    """What to look at when a system elsewhere does not answer."""
    if card.hosted:
        return f"Look at the key in {' and '.join(card.worker.keys)}, and at the network."
    return (
        "Start it, and look at its address or command: "
        f"`membench systems show {card.adapter or card.name}` lists the parameters."
    )
