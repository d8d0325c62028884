"""Does the newest release of a package still do what its folder says?

The requirements are resolved anew without upper bounds, built into an environment of their own,
checked and profiled, and compared with what is stored. Nothing of the folder changes unless asked.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from membench.adapters.card_file import FILE as CARD
from membench.adapters.environment import environments
from membench.adapters.environment.problem import EnvironmentProblem
from membench.adapters.environment.pythons import find_python
from membench.adapters.environment.uv import find_uv, uv_variables
from membench.adapters.registry import SystemCard, get_card
from membench.domain.errors import DataError, SystemFault, UsageError
from membench.experiments.profile import Profile, RoleProfile
from membench.testing import profile
from membench.testing.conformance import CheckResult
from membench.testing.packages import check_package
from membench.testing.stored import FILE as CONFORMANCE
from membench.testing.stored import read_stored

REQUIREMENTS = "requirements.in"
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?P<extras>\[[^\]]*\])?==(?P<version>[^\s+]+)$")


@dataclass(frozen=True)
class ReleaseCheck:
    """What became of the newest release.

    Attributes:
        system: The system.
        old: Version of the card.
        new: Newest version that resolves.
        problem: Why it does not install; empty if it does.
        differences: Every check and every count that came out otherwise, in words.
        folder: A copy of the system's folder for the new release.
        profile: Its profile, None if it does not install or play.
        added: Checks that membench has got since the stored report was made, with their outcome.
    """

    system: str
    old: str
    new: str
    problem: str
    differences: tuple[str, ...]
    folder: Path
    profile: Profile | None
    added: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing has to be done."""
        return not self.problem and not self.differences


def check_release(
    card: SystemCard, known: Profile | None, workdir: Path, report: Callable[[str], None]
) -> ReleaseCheck:
    """Resolve, build, check and profile the newest release.

    Args:
        card: The system as it is.
        known: Its stored profile, None to compare none.
        workdir: An empty folder for the copy.
        report: Told in a line what is being done.

    Raises:
        UsageError: It is no package, a hosted service, or shares another system's lock.
        DataError: Its first requirement is not pinned.
        EnvironmentProblem: uv is missing.
    """
    if card.environment is None:
        raise UsageError(f"system '{card.name}' is part of membench and has no releases")
    if card.hosted:
        raise UsageError(
            f"system '{card.name}' is a hosted service: a new client says nothing of it",
            f"Check it with its key: membench conformance {card.name}",
        )
    if Path(card.environment.lock).parent != Path():
        other = (card.folder / card.environment.lock).parent.resolve().name
        raise UsageError(f"'{card.name}' has the lock of '{other}'", f"Check '{other}' instead.")
    folder = workdir / card.folder.name
    for copied in (card.folder.name, *card.environment.beside):
        shutil.copytree(
            card.folder.parent / copied,
            workdir / copied,
            ignore=shutil.ignore_patterns("__pycache__", "*.json"),
        )
    name = relax(folder / REQUIREMENTS)
    try:
        report(f"{card.name}: resolving")
        new = resolve(card, folder, name)
        _set_version(folder, card.version, new)
        newer = get_card(str(folder))
        environments.ensure(newer, report)
    except EnvironmentProblem as problem:
        return ReleaseCheck(card.name, card.version, "?", problem.problem, (), folder, None)
    report(f"{card.name}: checking {new}")
    made, replay = check_package(
        newer, write=True, report=lambda name: report(f"{card.name}: {name}")
    )
    differences = [*checks_differ(card, made.results, replay)]
    lengths = [length.turns for length in known.lengths] if known else profile.LENGTHS
    measured = None
    try:
        measured = profile.measure(newer, known.parameters if known else {}, lengths, report)
        differences += profiles_differ(known, measured) if known else []
    except SystemFault as fault:
        differences.append(f"profile: {fault}")
    added = tuple(checks_added(card, made.results))
    return ReleaseCheck(
        card.name, card.version, new, "", tuple(differences), folder, measured, added
    )


def adopt(found: ReleaseCheck, card: SystemCard) -> None:
    """Take requirements, lock, version and conformance of the new release into the folder."""
    assert card.environment is not None
    for name in (REQUIREMENTS, card.environment.lock, CARD, CONFORMANCE):
        shutil.copy(found.folder / name, card.folder / name)


def discard(found: ReleaseCheck, card: SystemCard) -> None:
    """Remove the environment of a release that is not taken over; one that is in use stays."""
    newer = get_card(str(found.folder))
    other = environments.lock_sha256(newer) != environments.lock_sha256(card)
    if other and environments.status(newer).state == "ready":
        environments.remove(newer)


def relax(file: Path) -> str:
    """Turn pins into floors, but for PyTorch, whose build is chosen apart.

    Returns:
        The name of the first requirement: the package itself.

    Raises:
        DataError: It is not pinned.
    """
    lines = file.read_text(encoding="utf-8").split()
    first = PINNED.match(lines[0]) if lines else None
    if first is None:
        raise DataError(file, "line 1", "is not a requirement of the form name==version")
    floors = [line if line.startswith("torch==") else line.replace("==", ">=") for line in lines]
    file.write_text("\n".join(floors) + "\n", encoding="utf-8")
    return first["name"]


def resolve(card: SystemCard, folder: Path, name: str) -> str:
    """Make the lock of the newest release and pin its requirements to what was found.

    Returns:
        The package's version.

    Raises:
        EnvironmentProblem: Nothing fits; says what uv says.
    """
    assert card.environment is not None
    requirements = folder / REQUIREMENTS
    torch = "torch==" in requirements.read_text(encoding="utf-8")
    style = ("--no-emit-package", "torch") if torch else ("--universal",)
    python = ".".join(find_python(card).version.split(".")[:2])
    command = [str(find_uv()), "pip", "compile", "--quiet", "--generate-hashes"]
    command += ["--no-header", *style, "--python-version", python, REQUIREMENTS]
    command += ["-o", card.environment.lock]
    (folder / card.environment.lock).unlink(missing_ok=True)
    done = subprocess.run(
        command,
        cwd=folder,
        env=uv_variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise environments.problem_of(card, done.stderr)
    locked = _locked(folder / card.environment.lock)
    before = (card.folder / REQUIREMENTS).read_text(encoding="utf-8").split()
    pinned = [_pinned(line, locked) if "==" in line else line for line in before]
    requirements.write_text("\n".join(pinned) + "\n", encoding="utf-8")
    return locked[_normal(name)]


def checks_differ(card: SystemCard, results: tuple[CheckResult, ...], replay: str) -> Iterator[str]:
    """Checks that came out otherwise than stored; one that is not stored counts if it fails."""
    stored = read_stored(card)
    before = {result.name: result.status for result in stored.results} if stored else {}
    for result in results:
        was = before.get(result.name, "not checked")
        if was != result.status and (result.name in before or result.status == "failed"):
            detail = f": {result.detail}" if result.detail else ""
            yield f"{result.name}: {was} -> {result.status}{detail}"
    if stored and stored.replay != replay:
        yield f"replay: {stored.replay} -> {replay}"


def checks_added(card: SystemCard, results: tuple[CheckResult, ...]) -> Iterator[str]:
    """Checks that the stored report does not hold: they say nothing of the release."""
    stored = read_stored(card)
    before = {result.name for result in stored.results} if stored else set()
    yield from (f"{r.name} {r.status}" for r in results if r.name not in before)


def profiles_differ(old: Profile, new: Profile) -> Iterator[str]:
    """Counts that came out otherwise; seconds and sizes are not compared."""
    nothing = RoleProfile(0, 0, 0, 0, 0)
    for before, after in zip(old.lengths, new.lengths, strict=True):
        for phase in before.phases:
            one, other = before.phases[phase].roles, after.phases[phase].roles
            for role in sorted({*one, *other}):
                was, now = one.get(role, nothing), other.get(role, nothing)
                if was != now:
                    where = f"{phase}, {role}, {before.turns} turns"
                    yield f"{where}: {_counts(was)} -> {_counts(now)}"


def _counts(role: RoleProfile) -> str:
    tokens = role.prompt_tokens + role.completion_tokens + role.embedding_tokens
    return f"{role.calls:,} calls, {tokens:,} tokens"


def _locked(lock: Path) -> dict[str, str]:
    """Distribution -> version of a lock."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE)
    return {_normal(name): version for name, version in found}


def _pinned(line: str, locked: dict[str, str]) -> str:
    """A pin to what was resolved now; PyTorch is not in a lock and stays."""
    name = re.split(r"[\[=]", line, maxsplit=1)[0]
    version = locked.get(_normal(name))
    return re.sub(r"==.*", f"=={version}", line) if version else line


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _set_version(folder: Path, old: str, new: str) -> None:
    card = folder / CARD
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace(f'version = "{old}"', f'version = "{new}"', 1), encoding="utf-8")
