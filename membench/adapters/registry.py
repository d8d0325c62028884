"""Finding memory systems and creating them.

A system is a folder with a `system.toml`. Three places are looked at, and nothing of a system is
imported before it is created:

- `systems/<kind>/<name>/` beside this module (built-in systems);
- entry points of the group `membench.systems`, whose value names the package that is the folder;
- a path given in place of a name, for systems under development.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from membench.adapters.card import (
    BUILT_IN,
    CAPABILITIES,
    METHODS,
    EnvironmentCard,
    ParameterCard,
    SystemCard,
)
from membench.adapters.parameters import checked_parameters
from membench.domain.entry_points import entry_points
from membench.domain.errors import DataError, UnknownName, UsageError, UserError

if TYPE_CHECKING:
    from membench.adapters.environment.fork_server import ForkServers
    from membench.adapters.isolation import Isolation
    from membench.domain.system import MemorySystem, SystemContext

__all__ = [
    "CAPABILITIES",
    "METHODS",
    "Discovery",
    "EnvironmentCard",
    "ParameterCard",
    "SystemCard",
    "built_in_systems",
    "check_installed",
    "checked_parameters",
    "create",
    "discover",
    "get_card",
    "list_systems",
]

GROUP = "membench.systems"
SYSTEMS = BUILT_IN


@dataclass(frozen=True)
class Discovery:
    """What was found.

    Attributes:
        cards: The systems that can be used, by name, sorted.
        problems: Why others cannot be used, by the name of their folder or entry point.
    """

    cards: dict[str, SystemCard]
    problems: dict[str, UserError]


def list_systems() -> dict[str, SystemCard]:
    """Every usable system by name, sorted. One broken folder does not hide the others."""
    return discover().cards


@cache
def built_in_systems() -> dict[str, SystemCard]:
    """The systems that membench itself has, by name."""
    return {name: card for name, card in list_systems().items() if SYSTEMS in card.folder.parents}


def get_card(name: str) -> SystemCard:
    """The card of one system.

    Args:
        name: A known name, or the path of a folder that holds a system.toml.

    Raises:
        UnknownName: There is no such system.
        UsageError: Its paper is known, and nobody can run it.
        DataError: It is there, and its system.toml is broken, or its adapter imports a module of
            ours under a name it no longer has.
    """
    from membench.adapters.card_file import FILE, read_card

    if "/" in name:
        return _of_today(read_card(Path(name).expanduser().resolve()))
    for found_as, folder, package in _built_in():  # the one that is meant, not all of them
        if _same_name(name, found_as) and (card := read_card(folder, package)).name == name:
            return card
    found = discover()
    if name in found.cards:
        return _of_today(found.cards[name])
    if name in found.problems:
        raise found.problems[name]
    if (Path(name) / FILE).is_file():
        return _of_today(read_card(Path(name).resolve()))
    _refuse_not_released(name)
    raise UnknownName("system", name, found.cards)


def _refuse_not_released(name: str) -> None:
    from membench.adapters.not_released import list_not_released

    for known in list_not_released().values():
        if name.casefold() in (known.name.casefold(), known.title.casefold()):
            raise UsageError(
                f"system '{name}' cannot be run (as of {known.checked}): {known.reason}",
                "`membench systems --all` lists what is known and cannot be run.",
            )


def check_installed(card: SystemCard) -> None:
    """Refuse a system whose modules are not there, without importing any.

    Raises:
        UsageError: Names what is not installed, and how to install it.
    """
    for module, distribution in card.requires.items():
        if importlib.util.find_spec(module) is None:
            raise UsageError(
                f"system '{card.name}' needs {module}, which is not installed",
                f"Install it: pip install '{distribution}'",
            )


def create(
    card: SystemCard,
    context: SystemContext,
    isolation: Isolation | None = None,
    servers: ForkServers | None = None,
) -> MemorySystem:
    """Make a fresh instance of a system: in this process, or in a worker.

    Args:
        card: The system.
        context: What every system is given.
        isolation: Where its code runs; None takes what `choose_isolation` says by default.
        servers: What forks a worker; None for a server of its own.

    Raises:
        DataError: Its entry does not exist, or imports a module of ours by an old name.
        UsageError: Its environment is not installed.
        Exception: Whatever the system's own code raises while it is imported or constructed.
    """
    _of_today(card)
    if isolation is None:
        from membench.adapters.isolation import choose_isolation

        isolation = choose_isolation(card)
    if isolation.level != "in-process" and not (card.built_in and card.drives):
        from membench.adapters.environment.worker_client import WorkerSystem

        restricted = isolation.level == "isolated"
        return WorkerSystem(card, context, restricted=restricted, servers=servers)
    module_name, _, class_name = card.entry.partition(":")
    module = _import(card, module_name)
    if not hasattr(module, class_name):
        raise DataError(
            card.folder / "system.toml", "entry", f"'{module_name}' has no '{class_name}'"
        )
    return cast("MemorySystem", getattr(module, class_name)(context))


def _of_today(card: SystemCard) -> SystemCard:
    """The card of a system whose adapter imports nothing under an old name; ours are known."""
    if not card.built_in:
        from membench.adapters.moved import check_imports

        check_imports(card.folder)
    return card


def discover() -> Discovery:
    """Read the card of every system there is."""
    from membench.adapters.card_file import read_card

    cards: dict[str, SystemCard] = {}
    problems: dict[str, UserError] = {}
    for name, folder, package in [*_built_in(), *_installed()]:
        try:
            card = read_card(folder, package)
            _check_name(card, name, cards)
        except UserError as problem:
            problems.setdefault(name, problem)
        else:
            cards[card.name] = card
    return Discovery(dict(sorted(cards.items())), problems)


def _check_name(card: SystemCard, found_as: str, cards: dict[str, SystemCard]) -> None:
    """A name must be that of its folder or entry point and belong to one system only."""
    file = card.folder / "system.toml"
    if not _same_name(card.name, found_as):
        raise DataError(file, "name", f"is '{card.name}', but it is found as '{found_as}'")
    if card.name in cards:
        other = cards[card.name].folder
        raise DataError(file, "name", f"'{card.name}' is already the system in {other}")


def _same_name(name: str, found_as: str) -> bool:
    """A hyphen in a name may be an underscore in the folder's, so that it can be imported."""
    return name.replace("-", "_") == found_as.replace("-", "_")


def _built_in() -> list[tuple[str, Path, str | None]]:
    """Folders below `systems/`, by kind."""
    folders = sorted(file.parent for file in SYSTEMS.glob("*/*/system.toml"))
    return [
        (folder.name, folder, f"{__package__}.systems.{folder.parent.name}.{folder.name}")
        for folder in folders
    ]


def _installed() -> list[tuple[str, Path, str | None]]:
    """Folders named by entry points of other distributions."""
    points = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    return [(point.name, _folder(point), point.value) for point in points]


def _folder(point: EntryPoint) -> Path:
    """Where the package of an entry point lies, without importing it.

    Only the top-level package is looked up: `find_spec` on a dotted name imports its parents.
    """
    top, *rest = point.value.split(".")
    spec = importlib.util.find_spec(top)
    places = spec.submodule_search_locations if spec else None
    base = Path(next(iter(places))) if places else Path(f"<package {top}, which is not installed>")
    return base.joinpath(*rest)


def _import(card: SystemCard, module_name: str) -> ModuleType:
    if card.package is not None:
        return importlib.import_module(f"{card.package}.{module_name}")
    return importlib.import_module(f"{_package_of(card.folder)}.{module_name}")


def _package_of(folder: Path) -> str:
    """Make a bare folder importable as a package of its own name, once per process."""
    digest = hashlib.blake2b(str(folder).encode(), digest_size=8).hexdigest()
    name = f"_membench_system_{digest}"
    if name not in sys.modules:
        package = ModuleType(name, "A system under development.")
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name
