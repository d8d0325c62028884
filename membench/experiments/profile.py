"""Stored profiles: what a system asked of its models and of the machine, by length of the history.

They are measured by `testing.profile`; everything that follows from them (growth, dollars, joules)
is computed from the stored counts when it is shown, by `profile_costs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from membench.domain.errors import DataError
from membench.domain.labels import Phase, Scalar
from membench.domain.whole_file import written_whole
from membench.domain.wrong_values import first_wrong

ASKED_K = 10
"""Memories that each question of a profile asks for."""


@dataclass(frozen=True)
class RoleProfile:
    """What one role of one phase was asked. `prompt_sq` sums squared prompts (attention)."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    embedding_tokens: int
    prompt_sq: int


@dataclass(frozen=True)
class PhaseProfile:
    """One phase of one history: its events, each role's calls, the package's own seconds."""

    events: int
    roles: Mapping[str, RoleProfile]
    cpu_s: float
    wall_s: float


@dataclass(frozen=True)
class LengthProfile:
    """One history.

    Attributes:
        turns: Its turns.
        tokens: Their tokens by o200k_base.
        questions: Questions asked after it.
        phases: Cost by phase.
        largest_prompt_tokens: Tokens of the messages of the longest chat request.
        store_bytes: Size of the store at the end, None where it is not known.
        peak_rss_bytes: Most memory of the worker and what it started; 0 for built-in systems.
        start_s: Seconds until the first event.
        recalled_tokens: Mean tokens that a question recalled.
    """

    turns: int
    tokens: int
    questions: int
    phases: Mapping[Phase, PhaseProfile]
    largest_prompt_tokens: int
    store_bytes: int | None
    peak_rss_bytes: int
    start_s: float
    recalled_tokens: float


@dataclass(frozen=True)
class Profile:
    """A stored profile; everything derived (growth, dollars, joules) is computed when it is shown.

    Attributes:
        system: Its name.
        version: Of the system.
        lock_sha256: Its lock, None for built-in systems.
        parameters: As it was run.
        membench: Version of membench.
        replies: How long scripted replies are.
        lengths: One entry per history, shortest first.
        environment_bytes: Size of its environment, None for built-in systems.
        install_s: Seconds its installation took on the machine of the profile, None if not noted.
    """

    system: str
    version: str
    lock_sha256: str | None
    parameters: Mapping[str, Scalar]
    membench: str
    replies: str
    lengths: tuple[LengthProfile, ...]
    environment_bytes: int | None
    install_s: float | None


_FILE = TypeAdapter(Profile)


def write(profile: Profile, folder: Path) -> Path:
    """Store a profile as `NAME.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{profile.system}.json"
    with written_whole(path) as file:
        file.write(_FILE.dump_json(profile, indent=1) + b"\n")
    return path


def read(path: Path) -> Profile:
    """Read a stored profile.

    Raises:
        DataError: It cannot be read or is no profile.
    """
    try:
        return _FILE.validate_json(path.read_bytes())
    except OSError as error:
        raise unreadable(path, str(error)) from None
    except ValidationError as error:
        raise unreadable(path, str(first_wrong(error, Profile))) from None


def unreadable(path: Path, reason: str) -> DataError:
    """A file that is no profile."""
    return DataError(path, "", reason, "Measure it: membench profile NAME --out DIR.")
