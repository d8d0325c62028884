"""Which readers there are: folders here, entry points elsewhere.

A reader is a folder under `membench/readers` with a `reader.py` that exports `READER`, a
`ReaderCard`, or an entry point of group `membench.readers` that names such a card. Adding one is
adding a folder; nothing central is edited. Looking one up imports that one only. A name that
nothing is registered under is a model's, which answers the task's own prompt, unless the registry
of local models names another reader for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import cast

from membench.domain.entry_points import entry_points
from membench.domain.errors import UsageError
from membench.llm.upstreams.local.registry import find_local
from membench.readers.base import LocalReader
from membench.readers.card import ReaderCard

GROUP = "membench.readers"
FOLDER = Path(__file__).parent
MODEL_READER = "llm"
"""The folder of the reader that a model's bare name means."""
OWN_READER = "system"
"""The reader that takes the answers which the system gave itself."""
TYPING_ERROR = 0.9
"""How like a reader's name one must be to be taken for it, and not for a model's."""
NOBODY = "none"
"""No reader: what was recalled is scored alone."""


@dataclass(frozen=True)
class ReaderChoice:
    """What `--reader` means.

    Attributes:
        card: The reader.
        model: The model it calls; None without one.
    """

    card: ReaderCard
    model: str | None = None


def list_readers() -> dict[str, ReaderCard]:
    """The card of every registered reader, by name in alphabetical order."""
    return {name: get_reader(name) for name in sorted(loaders())}


def get_reader(name: str) -> ReaderCard:
    """The card of a registered reader.

    Raises:
        UsageError: What is registered under the name is no card of that name.
    """
    found = loaders()[name]()
    if not isinstance(found, ReaderCard) or found.name != name:
        raise UsageError(
            f"reader '{name}' is registered as {found!r}, which is no ReaderCard of that name",
            f"Let its `reader.py` export READER, or its entry point in group {GROUP} name one.",
        )
    return found


def choose_reader(spec: str) -> ReaderChoice:
    """Find out what `--reader` means: a reader, `READER:MODEL`, or a model.

    Raises:
        UsageError: A model that is missing, or one that nobody would call.
    """
    head, colon, model = spec.partition(":")
    if head not in loaders():
        local = find_local(spec)
        if local is None and (near := get_close_matches(spec, loaders(), n=1, cutoff=TYPING_ERROR)):
            raise UsageError(
                f"--reader {spec}: there is no such reader",
                f"Did you mean '{near[0]}'? A model is named with its provider, PROVIDER/MODEL.",
            )
        return ReaderChoice(get_reader(local.reader if local else MODEL_READER), spec)
    card = get_reader(head)
    if card.kind == "model" and not model:
        raise UsageError(
            f"--reader {spec}: this reader needs a model", f"Write --reader {head}:MODEL."
        )
    if card.kind != "model" and colon:
        raise UsageError(f"--reader {spec}: '{head}' takes no model", f"Write --reader {head}.")
    return ReaderChoice(card, model or None)


def reads_nothing(spec: str) -> bool:
    """Whether a run with this reader has no answers."""
    return choose_reader(spec).card.kind == "none"


def is_local(spec: str) -> bool:
    """Whether a reader is registered under this name that needs no model."""
    return spec in loaders() and get_reader(spec).kind == "local"


def local_reader(name: str) -> LocalReader | None:
    """Make a local reader; None where the system answered for itself."""
    make = get_reader(name).make
    return cast(LocalReader, make()) if make else None


def loaders() -> Mapping[str, Callable[[], object]]:
    """How to import each reader, without importing any. Folders win over entry points."""
    installed = {point.name: point.load for point in entry_points(group=GROUP)}
    return installed | {name: folder_loader(name) for name in folder_names(FOLDER)}


def folder_names(folder: Path) -> list[str]:
    """Names of the sub-folders that hold a `reader.py`."""
    return sorted(path.parent.name for path in folder.glob("*/reader.py"))


def folder_loader(name: str) -> Callable[[], object]:
    """Import the `READER` of a folder of ours when called."""
    return lambda: import_module(f"membench.readers.{name}.reader").READER
