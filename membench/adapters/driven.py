"""Systems that run at an address, or whose adapter is somebody else's: do they open at all?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from membench.adapters.card import SystemCard
from membench.adapters.environment.worker.entry import is_entry_error
from membench.adapters.environment.worker.raised import described
from membench.adapters.registry import create, list_systems
from membench.domain.case import CaseInfo
from membench.domain.errors import SystemFault, UsageError
from membench.domain.labels import Scalar
from membench.domain.system import MemorySystem, ModelEndpoint, SystemContext
from membench.domain.temporary_folder import TemporaryFolder
from membench.tokens import count_tokens

NO_MODEL = ModelEndpoint("http://127.0.0.1:9", "none", "none")
"""Stands for a model where a system is only opened."""
ENTRY_REMEDY = "Mend that file, or install what it imports; docs/new-system.md describes both."
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
    """Open and leave an empty case, before anything is played, where that may fail for good.

    Args:
        card: What is run; nothing happens to a built-in system that runs here.
        parameters: Its parameters, checked.
        task: Name of the task to come.

    Raises:
        UsageError: A system elsewhere does not answer or refuses its key; or an adapter cannot be
            imported. What else an adapter of somebody else raises is for its first case to tell.
    """
    elsewhere = bool(card.drives or card.hosted)
    if card.built_in and not elsewhere:
        return
    with TemporaryFolder("reach") as folder:
        models = {} if elsewhere else dict.fromkeys(card.roles, NO_MODEL)
        try:
            context = SystemContext(parameters, 0, folder, count_tokens, models)
            open_and_leave(create(card, context), task)
        except SystemFault as fault:
            if elsewhere or is_entry_error(fault.detail):
                raise cannot_be_opened(card, fault) from None


def open_and_leave(system: MemorySystem, task: str) -> None:
    """Start an empty case and close the system, whether it starts or not.

    Raises:
        Exception: What it raised when it was to start; closing is not what is asked about.
    """
    try:
        system.reset(CaseInfo("reachable", task))
    finally:
        with suppress(Exception):
            system.close()


def cannot_be_opened(card: SystemCard, error: Exception) -> UsageError:
    """Why no case of a system can be played, and what to do about it."""
    detail = error.detail if isinstance(error, SystemFault) else described(error)
    if is_entry_error(detail):
        why = detail.partition(": ")[2]
        return UsageError(f"system '{card.name}' cannot be opened: {why}", ENTRY_REMEDY)
    if card.drives or card.hosted:
        remedy = _remedy(card) + default_address(card, detail)
        return UsageError(f"system '{card.name}' cannot be reached: {detail}", remedy)
    return UsageError(f"system '{card.name}' cannot be opened: {detail}")


def default_address(card: SystemCard, detail: str) -> str:
    """What to say where an address that failed is only the default of a parameter."""
    for name, parameter in card.parameters.items():
        default = str(parameter.default)
        if "://" in default and default in detail:
            return f"\n{default} is the default; give yours with --set {name}=URL."
    return ""


def _remedy(card: SystemCard) -> str:
    """What to look at when a system elsewhere does not answer."""
    if card.hosted:
        return f"Look at the key in {' and '.join(card.worker.keys)}, and at the network."
    return (
        "Start it, and look at its address or command: "
        f"`membench systems show {card.adapter or card.name}` lists the parameters."
    )
