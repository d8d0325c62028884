"""The environments of third-party systems: one per lock, in the user cache, built with uv.

A system's folder holds a hashed `requirements.lock`; nothing is installed that it does not name.
Systems with the same lock, PyTorch and Python share an environment. PyTorch comes first and from
outside the lock, because its builds for processors without CUDA have other hashes and sources.

Where packages come from is the user's business: uv's own variables are respected, and what pip is
configured to use (which uv ignores) is handed to uv when it runs.

`$MEMBENCH_CACHE` moves the cache; without it, it lies where the platform keeps caches.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from membench.adapters.card import EnvironmentCard, SystemCard
from membench.adapters.environment.problem import EnvironmentProblem
from membench.adapters.environment.pythons import Interpreter, everyone_may_enter, find_python
from membench.adapters.environment.uv import SOURCES, find_uv, uv_variables
from membench.domain.errors import DataError, UsageError, UserError
from membench.domain.labels import JsonObject, JsonView
from membench.domain.whole_file import written_whole

VARIABLE = "MEMBENCH_CACHE"
MARKER = "membench.json"
State = Literal["ready", "missing", "built-in"]
Report = Callable[[str], None]


@dataclass(frozen=True)
class Status:
    """What is known about a system's environment.

    Attributes:
        system: The system's name.
        state: `ready`, `missing`, or `built-in` for systems that need none.
        folder: Where it is or would be; None for built-in ones and where no Python fits.
        size_bytes: Its size, None unless ready.
        python: Version of its Python, None unless ready.
        install_s: Seconds its installation took here, None where that was not noted.
        problem: Why it could not be built here, empty otherwise.
    """

    system: str
    state: State
    folder: Path | None = None
    size_bytes: int | None = None
    python: str | None = None
    install_s: float | None = None
    problem: str = ""


def cache_root() -> Path:
    """Where membench keeps what it can build again."""
    import platformdirs

    given = os.environ.get(VARIABLE)
    return Path(given).expanduser() if given else platformdirs.user_cache_path("membench")


def status(card: SystemCard) -> Status:
    """Whether a system's environment is there. Builds nothing and raises nothing."""
    if card.environment is None:
        return Status(card.name, "built-in")
    try:
        folder = folder_of(card)
    except UserError as problem:
        return Status(card.name, "missing", problem=problem.problem)
    marker = _marker(folder)
    if marker is None:
        return Status(card.name, "missing", folder)
    size, python, seconds = marker["size_bytes"], marker["python"], marker.get("install_s")
    return Status(card.name, "ready", folder, size, python, seconds)


def python_of(card: SystemCard) -> Path:
    """The Python of a system's environment.

    Raises:
        UsageError: The environment is not installed.
        EnvironmentProblem: It can never be, on this machine.
        DataError: The lock is not where system.toml says.
    """
    folder = folder_of(card)
    if _marker(folder) is None:
        raise UsageError(
            f"the environment of system '{card.name}' is not installed",
            f"Install it: membench systems install {card.name}",
        )
    return folder / "bin" / "python"


def ensure(card: SystemCard, report: Report) -> Status:
    """Install a system's environment unless it is there; nothing to do for built-in systems."""
    known = status(card)
    return known if known.state in ("ready", "built-in") else install(card, report)


def install(card: SystemCard, report: Report) -> Status:
    """Build a system's environment from its lock, replacing an unfinished one.

    Args:
        card: The system.
        report: Told in one line what is being done.

    Raises:
        UsageError: The system needs no environment.
        EnvironmentProblem: What stands in the way and what to do about it.
        DataError: The lock is not where system.toml says.
    """
    if card.environment is None:
        raise UsageError(f"system '{card.name}' is part of membench and needs no environment")
    lock = lock_of(card)
    python = find_python(card)
    folder = _folder(card, python)
    with _locked(folder):
        if _marker(folder) is None:
            _check_disk(card, folder)
            _build(card, card.environment, lock, python, folder, report)
        _join(folder, card.name)
    return status(card)


def remove(card: SystemCard) -> int:
    """Remove a system's environment; one that other systems share stays for them.

    Returns:
        Bytes freed.

    Raises:
        UsageError: It is not installed.
    """
    known = status(card)
    if known.state != "ready" or known.folder is None:
        raise UsageError(f"the environment of system '{card.name}' is not installed")
    with _locked(known.folder):
        marker = _marker(known.folder) or {"systems": []}
        others = [name for name in marker["systems"] if name != card.name]
        if others:
            _write_marker(known.folder, {**marker, "systems": others})
            return 0
        (known.folder / MARKER).unlink(missing_ok=True)
        shutil.rmtree(known.folder)
    return known.size_bytes or 0


# --- where ---------------------------------------------------------------------------------------


def lock_of(card: SystemCard) -> Path:
    """The system's file of hashed requirements.

    Raises:
        DataError: It is not there.
    """
    assert card.environment is not None
    lock = card.folder / card.environment.lock
    if not lock.is_file():
        raise DataError(
            card.folder / "system.toml",
            "environment.lock",
            f"there is no '{card.environment.lock}' beside it",
            "Make one: uv pip compile --generate-hashes --no-header requirements.in -o "
            + lock.name,
        )
    return lock


def lock_sha256(card: SystemCard) -> str:
    """Hash of the system's lock."""
    return hashlib.sha256(lock_of(card).read_bytes()).hexdigest()


def folder_of(card: SystemCard) -> Path:
    """Where a system's environment is or would be.

    Raises:
        EnvironmentProblem: No Python here fits.
        DataError: The lock is not where system.toml says.
    """
    lock_of(card)
    return _folder(card, find_python(card))


def _folder(card: SystemCard, python: Interpreter) -> Path:
    """Named by what determines the content: lock, PyTorch, Python, machine."""
    assert card.environment is not None
    root = cache_root()
    if card.environment.unprivileged and os.geteuid() == 0 and not everyone_may_enter(root):
        raise EnvironmentProblem(
            f"system '{card.name}' does not run as root, and no other user may enter {root}",
            f"Run membench as an ordinary user, or set {VARIABLE} to a folder that all may enter.",
        )
    parts = (python.version, str(python.path), platform.machine(), card.environment.torch)
    content = "\n".join(parts).encode() + lock_of(card).read_bytes()
    return root / "environments" / hashlib.sha256(content).hexdigest()[:16]


# --- building ------------------------------------------------------------------------------------


def _build(
    card: SystemCard,
    environment: EnvironmentCard,
    lock: Path,
    python: Interpreter,
    folder: Path,
    report: Report,
) -> None:
    """Everything from an empty folder to the marker."""
    uv, variables = find_uv(), uv_variables()
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()

    def step(doing: str, *arguments: str) -> None:
        report(f"{card.name}: {doing}")
        _run_uv(card, folder, [str(uv), *arguments], variables)

    python_path = str(folder / "bin" / "python")
    step(f"Python {python.version}", "venv", "--python", str(python.path), str(folder))
    into = ("pip", "install", "--python", python_path, "--compile-bytecode")
    if environment.torch:
        backend = () if any(name in variables for name in SOURCES) else ("--torch-backend", "cpu")
        torch = f"torch=={environment.torch}"
        step(f"PyTorch {environment.torch}", *into, *backend, torch)
    packages = sum("==" in line for line in lock.read_text(encoding="utf-8").splitlines())
    step(f"{packages} packages", *into, "--require-hashes", "--no-deps", "-r", str(lock))
    _write_marker(
        folder,
        {
            "python": python.version,
            "lock_sha256": lock_sha256(card),
            "torch": environment.torch,
            "packages": packages,
            "size_bytes": _size_bytes(folder),
            "install_s": round(time.perf_counter() - started, 1),
            "systems": [],
        },
    )


def _run_uv(
    card: SystemCard, folder: Path, command: list[str], variables: Mapping[str, str]
) -> None:
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise problem_of(card, done.stderr)


def problem_of(card: SystemCard, stderr: str) -> EnvironmentProblem:
    """What uv's complaint means for the user."""
    last = " ".join(stderr.split())[-600:]
    if "No space left" in stderr or "os error 28" in stderr:
        return EnvironmentProblem(
            f"no space left for the environment of system '{card.name}' in {cache_root()}",
            f"Free some, or set {VARIABLE} to a folder on another disk.",
        )
    unresolved = ("No solution found", "Hash mismatch", "not found in the package registry")
    if any(word in stderr for word in unresolved):
        return EnvironmentProblem(
            f"the lock of system '{card.name}' no longer resolves: {last}",
            "A release it names is gone or was replaced; make the lock anew (README beside it).",
        )
    return EnvironmentProblem(
        f"the environment of system '{card.name}' could not be built: {last}",
        "Look at the configuration of uv or pip: where do packages come from?",
    )


def _check_disk(card: SystemCard, folder: Path) -> None:
    """Refuse early what would fill the disk.

    Raises:
        EnvironmentProblem: Less is free than the system is known to take.
    """
    assert card.environment is not None
    free_mb = shutil.disk_usage(folder.parent).free // 2**20
    if free_mb < card.environment.size_mb:
        raise EnvironmentProblem(
            f"system '{card.name}' takes {card.environment.size_mb} MB, and {free_mb} MB are free "
            f"in {folder.parent}",
            f"Free some, or set {VARIABLE} to a folder on another disk.",
        )


def _size_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _marker(folder: Path) -> JsonObject | None:
    """What the last step of building wrote; None if it was never reached."""
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _write_marker(folder: Path, content: JsonView) -> None:
    with written_whole(folder / MARKER) as file:
        file.write(json.dumps(content, indent=1).encode())


def _join(folder: Path, name: str) -> None:
    """Note that a system uses an environment."""
    marker = _marker(folder)
    assert marker is not None
    if name not in marker["systems"]:
        _write_marker(folder, {**marker, "systems": sorted([*marker["systems"], name])})


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time builds or removes an environment."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f"{folder.name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise EnvironmentProblem(
            f"{error.filename or folder} cannot be written: {error.strerror}",
            f"Set {VARIABLE} to a folder that can.",
        ) from error
