"""Interpreters of this machine: which one an environment is built with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from membench.adapters.card import SystemCard
from membench.adapters.environment.problem import EnvironmentProblem
from membench.adapters.environment.uv import find_uv


@dataclass(frozen=True)
class Interpreter:
    """A Python that an environment can be made from."""

    path: Path
    version: str


def find_python(card: SystemCard) -> Interpreter:
    """A Python that the system's environment can be made from; ours if it will do.

    Raises:
        EnvironmentProblem: None of those here will do; says which would.
    """
    assert card.environment is not None
    wanted = card.environment.python
    public = card.environment.unprivileged and os.geteuid() == 0
    own = Path(sys.executable).resolve()
    version = ".".join(str(part) for part in sys.version_info[:3])
    if version_fits(version, wanted) and (not public or everyone_may_reach(own)):
        return Interpreter(own, version)
    fitting = [python for python in _installed_pythons() if version_fits(python.version, wanted)]
    for python in fitting:
        if not public or everyone_may_reach(python.path):
            return python
    if fitting:
        raise EnvironmentProblem(
            f"system '{card.name}' does not run as root, and no Python {wanted} here can be "
            "reached by another user",
            "Run membench as an ordinary user, or install Python for all users.",
        )
    raise EnvironmentProblem(
        f"system '{card.name}' needs Python {wanted}, and there is none here",
        "Install one, for instance with `uv python install`, or put its folder into PATH.",
    )


def version_fits(version: str, specifier: str) -> bool:
    """Whether a version `3.11.7` satisfies clauses such as `>=3.11,<3.14`."""
    return all(_clause_fits(version, clause.strip()) for clause in specifier.split(","))


def _clause_fits(version: str, clause: str) -> bool:
    for operator, accept in COMPARISONS.items():
        if clause.startswith(operator):
            bound = _numbers(clause.removeprefix(operator))
            return accept(_numbers(version), bound)
    return _numbers(version)[: len(_numbers(clause))] == _numbers(clause)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.strip().split(".") if part.isdigit())


COMPARISONS: Mapping[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": lambda version, bound: version >= bound,
    "<=": lambda version, bound: version[: len(bound)] <= bound,
    "==": lambda version, bound: version[: len(bound)] == bound,
    "!=": lambda version, bound: version[: len(bound)] != bound,
    ">": lambda version, bound: version[: len(bound)] > bound,
    "<": lambda version, bound: version < bound,
}
"""Operator -> whether a version passes; longer operators first."""


def everyone_may_reach(path: Path) -> bool:
    """Whether users other than us may enter every folder on the way to a file and read it."""
    real = path.resolve()
    return all(place.stat().st_mode & 0o001 for place in (*real.parents, real))


def everyone_may_enter(folder: Path) -> bool:
    """Whether users other than us may enter a folder, or would once it is made."""
    real = folder.resolve()
    return all(place.stat().st_mode & 0o001 for place in (real, *real.parents) if place.exists())


@cache
def _installed_pythons() -> tuple[Interpreter, ...]:
    """Every Python that uv finds here, each once, nearest to ours first."""
    listed = subprocess.run(
        [find_uv(), "python", "list", "--only-installed", "--output-format", "json"],
        capture_output=True,
        check=False,
    )
    try:
        entries = json.loads(listed.stdout or b"[]")
    except ValueError:
        entries = []
    found = {
        Path(entry["path"]).resolve(): entry["version"]
        for entry in entries
        if entry.get("implementation") == "cpython" and entry.get("variant", "default") == "default"
    }
    pythons = [Interpreter(path, version) for path, version in found.items()]
    ours = sys.version_info[1]
    pythons.sort(key=lambda python: (abs(_numbers(python.version)[1] - ours), str(python.path)))
    return tuple(pythons)
