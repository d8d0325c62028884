"""Local models by name: the files of `models/`, and entry points of other packages."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from membench.domain.entry_points import entry_points
from membench.domain.errors import UnknownName, UsageError
from membench.llm.upstreams.local import models
from membench.llm.upstreams.local.entry import LocalFamily, LocalModel

GROUP = "membench.local_models"
"""Entry points of this group name a `LocalModel` or a `LocalFamily` (`package.module:NAME`)."""


@dataclass(frozen=True)
class LocalModels:
    """Everything that the registry holds.

    Attributes:
        models: By name.
        families: By prefix.
    """

    models: Mapping[str, LocalModel]
    families: Mapping[str, LocalFamily]


@cache
def local_models() -> LocalModels:
    """Every local model and family there is.

    Raises:
        UsageError: Two have one name, or an entry point names something else.
    """
    found: dict[str, LocalModel] = {}
    families: dict[str, LocalFamily] = {}
    for entry in (*_built_in(), *_installed()):
        name = entry.name if isinstance(entry, LocalModel) else entry.prefix
        if name in found or name in families:
            raise UsageError(f"two local models are called '{name}'", "Uninstall one of them.")
        if isinstance(entry, LocalModel):
            found[name] = entry
        else:
            families[name] = entry
    return LocalModels(dict(sorted(found.items())), dict(sorted(families.items())))


def find_local(name: str) -> LocalModel | None:
    """The local model that a name means, or None if it means none."""
    known = local_models()
    prefix, colon, argument = name.partition(":")
    if colon and prefix in known.families:
        return known.families[prefix].member(argument)
    return known.models.get(name)


def get_local(name: str) -> LocalModel:
    """The local model of a name.

    Raises:
        UnknownName: There is none.
    """
    found = find_local(name)
    if found is None:
        raise UnknownName("local model", name, local_models().models)
    return found


def public_name(names: str) -> str:
    """Names of models, separated by commas, without places on this machine.

    A name may stand behind that of a reader (`small:gguf:PATH`).
    """
    return ",".join(_public(name) for name in names.split(","))


def _public(name: str) -> str:
    found = find_local(name.strip())
    if found is not None:
        return found.public_name
    head, colon, rest = name.partition(":")
    behind = find_local(rest) if colon else None
    return name if behind is None else f"{head}:{behind.public_name}"


def _built_in() -> Iterator[LocalModel | LocalFamily]:
    """The `ENTRY` of every module in `models/`."""
    for module in pkgutil.iter_modules(models.__path__):
        yield importlib.import_module(f"{models.__name__}.{module.name}").ENTRY


def _installed() -> Iterator[LocalModel | LocalFamily]:
    """What entry points of other distributions name."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        entry = point.load()
        if not isinstance(entry, LocalModel | LocalFamily):
            raise UsageError(
                f"the entry point '{point.name}' of {GROUP} names no local model: {point.value}"
            )
        yield entry
