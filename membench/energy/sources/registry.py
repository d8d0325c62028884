"""Which energy sources there are: modules here, entry points elsewhere.

A source is a module of this package that exports `SOURCE`, a `SourceCard`, or an entry point of
group `membench.energy_sources` that names such a card. Adding one is adding a module; nothing
central is edited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from membench.domain.entry_points import entry_points
from membench.domain.errors import UnknownName, UsageError
from membench.energy.sources.card import SourceCard

GROUP = "membench.energy_sources"
FOLDER = Path(__file__).parent
EXPORT = "SOURCE"


def list_sources() -> dict[str, SourceCard]:
    """The card of every source, by name in alphabetical order."""
    return {name: get_source(name) for name in sorted(loaders())}


def get_source(name: str) -> SourceCard:
    """The card of a source.

    Raises:
        UnknownName: There is no such source.
        UsageError: What is registered under the name is no card of that name.
    """
    known = loaders()
    if name not in known:
        raise UnknownName("energy source", name, (*known, "auto"))
    found = known[name]()
    if not isinstance(found, SourceCard) or found.name != name:
        raise UsageError(
            f"energy source '{name}' is registered as {found!r}, no SourceCard of that name",
            f"Let its entry point in group {GROUP} name its {EXPORT}.",
        )
    return found


def loaders() -> Mapping[str, Callable[[], object]]:
    """How to import each source, without importing any. Modules of ours win."""
    installed = {point.name: point.load for point in entry_points(group=GROUP)}
    return installed | {name: module_loader(name) for name in module_names(FOLDER)}


def module_names(folder: Path) -> list[str]:
    """Names of the modules that export a source."""
    return sorted(path.stem for path in folder.glob("*.py") if exports_source(path))


def exports_source(path: Path) -> bool:
    """Whether a module assigns `SOURCE`; it is read, not imported."""
    return f"\n{EXPORT} = " in path.read_text(encoding="utf-8")


def module_loader(name: str) -> Callable[[], object]:
    """Import the `SOURCE` of a module of ours when called."""
    return lambda: getattr(import_module(f"membench.energy.sources.{name}"), EXPORT)
