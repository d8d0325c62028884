"""Which extra brings a module that is not installed, as the package's own metadata says."""

from __future__ import annotations

import re
from importlib import metadata
from importlib.util import find_spec

from membench.domain.errors import UsageError

MODULES = {"nvidia-ml-py": "pynvml"}
"""Distributions whose module is not their name with underscores."""

BROUGHT = {"starlette": "leaderboard", "uvicorn": "leaderboard", "anyio": "mcp", "openai": "llm"}
"""Modules that come with a distribution of an extra."""

COLLECTIONS = ("all", "dev", "test")
"""Extras that are made of others, or for work on membench itself."""


def extras() -> dict[str, tuple[str, ...]]:
    """The distributions of every extra, as the metadata of membench lists them."""
    found: dict[str, tuple[str, ...]] = {}
    for text in metadata.requires("membench") or ():
        requirement, _, marker = text.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        if extra and name and extra[1] not in COLLECTIONS and name[0] != "membench":
            found[extra[1]] = (*found.get(extra[1], ()), name[0])
    return found


def extra_of(module: str) -> str | None:
    """The extra that brings a module; None if no extra does.

    An extra that is another one and more does not count beside it. Of several others it is the one
    with most distributions: what needs one of them needs its neighbours.
    """
    top = module.partition(".")[0]
    bring = {
        extra: set(distributions)
        for extra, distributions in extras().items()
        if top in {MODULES.get(name, name.replace("-", "_")) for name in distributions}
    }
    least = {
        extra: names
        for extra, names in bring.items()
        if not any(other < names for other in bring.values())
    }
    return max(least, key=lambda extra: len(least[extra]), default=BROUGHT.get(top))


def missing_module(error: ImportError) -> UsageError | None:
    """The message for a module that an extra would bring; None if it is a fault of ours."""
    extra = extra_of(error.name or "")
    if extra is None:
        return None
    return UsageError(
        f"this needs {(error.name or '').partition('.')[0]}, which is not installed",
        f"Install the extra: pip install 'membench[{extra}]'",
    )


def need(*modules: str) -> None:
    """Refuse before any work what would fail for want of a module after it.

    Raises:
        ModuleNotFoundError: One of them cannot be found; `missing_module` words it.
    """
    for module in modules:
        if not installed(module):
            raise ModuleNotFoundError(f"no module named {module}", name=module)


def installed(module: str) -> bool:
    """Whether a top-level module can be found, without importing it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
