"""A profile: what a system asks of its models and of the machine, by the length of the history.

Histories of several lengths are played against the scripted model through the gateway. Calls,
tokens and sizes are the system's own and the same on every machine; what a better model would
store is not known, so the length of the scripted replies is stated beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from membench import __version__
from membench.adapters.environment import environments
from membench.adapters.registry import SystemCard, checked_parameters
from membench.domain.case import Ask, Case, Finalize, Ingest, Question
from membench.domain.errors import DataError, UsageError
from membench.domain.labels import Phase, Scalar
from membench.llm.upstreams.scripted.rules import Request
from membench.metrics.growth import FEWEST
from membench.testing.histories import session
from membench.testing.trial import PhaseCost, Trial, play
from membench.tokens import count_tokens

LENGTHS = (20, 40, 80, 160)
TURNS_PER_SESSION = 10
QUESTIONS = 10
WIDTH = 384
REPLIES = "scripted: a fact per turn in the turn's own words, at most 12 a call"


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


def measure(
    card: SystemCard,
    parameters: Mapping[str, Scalar],
    lengths: Sequence[int],
    report: Callable[[str], None],
) -> Profile:
    """Play histories and note what they cost; the system's environment must be installed.

    Args:
        card: The system.
        parameters: As `--set` gives them.
        lengths: Turns of each history, at least four different numbers.
        report: Told what is being played.

    Raises:
        UsageError: Too few lengths, or one below one session.
    """
    wanted = sorted(set(lengths))
    if len(wanted) < FEWEST or wanted[0] < TURNS_PER_SESSION:
        raise UsageError(
            f"--lengths needs {FEWEST} or more different numbers from {TURNS_PER_SESSION} up",
            f"For instance: --lengths {','.join(map(str, LENGTHS))}",
        )
    played = []
    for turns in wanted:
        report(f"{card.name}: {turns} turns")
        case = history(turns)
        played.append(_length(case, play(card, case, parameters=parameters, width=WIDTH)))
    known = environments.status(card)
    return Profile(
        system=card.name,
        version=card.version,
        lock_sha256=environments.lock_sha256(card) if card.environment else None,
        parameters=checked_parameters(card, parameters),
        membench=__version__,
        replies=REPLIES,
        lengths=tuple(played),
        environment_bytes=known.size_bytes,
        install_s=known.install_s,
    )


def write(profile: Profile, folder: Path) -> Path:
    """Store a profile as `NAME.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{profile.system}.json"
    path.write_bytes(_FILE.dump_json(profile, indent=1) + b"\n")
    return path


def read(path: Path) -> Profile:
    """Read a stored profile.

    Raises:
        DataError: It cannot be read or is no profile.
    """
    try:
        return _FILE.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(path, "", reason, "Measure it: membench profile NAME --write.") from None


def history(turns: int) -> Case:
    """A dialogue of distinct sentences in sessions of ten turns, a finalize, ten questions."""
    lines = [(("Ines", "Tom")[n % 2], _sentence(n)) for n in range(turns)]
    starts = range(0, turns, TURNS_PER_SESSION)
    ingests = [
        Ingest(session("profile", index, tuple(lines[start : start + TURNS_PER_SESSION])))
        for index, start in enumerate(starts)
    ]
    asked = [n * turns // QUESTIONS for n in range(QUESTIONS)]
    asks = [Ask(Question(f"What is kept on shelf {n}?", datetime(2001, 1, 1))) for n in asked]
    return Case(f"{turns:016x}", "profile", (*ingests, Finalize(), *asks))


THINGS = ("maps", "seeds", "letters", "bowls", "candles", "ropes", "stamps")
PLACES = ("harbour", "library", "market", "station", "garden")


def _sentence(n: int) -> str:
    thing, place = THINGS[n % len(THINGS)], PLACES[n % len(PLACES)]
    return (
        f"I put {n + 2} {thing} on shelf {n} near the {place}, and box {n * 7 % 101} stays empty."
    )


def _length(case: Case, trial: Trial) -> LengthProfile:
    texts = [
        turn.text
        for event in case.timeline
        if isinstance(event, Ingest)
        for turn in event.session.turns
    ]
    recalled = [sum(count_tokens(memory.text) for memory in found) for found in trial.recalled]
    if trial.faults:
        raise UsageError(
            f"{trial.system}: model calls failed: {', '.join(sorted(set(trial.faults)))}"
        )
    return LengthProfile(
        turns=len(texts),
        tokens=sum(map(count_tokens, texts)),
        questions=len(recalled),
        phases={phase: _phase(cost) for phase, cost in trial.phases.items()},
        largest_prompt_tokens=max((_prompt_tokens(asked) for asked in trial.requests), default=0),
        store_bytes=trial.store_bytes,
        peak_rss_bytes=trial.rss_bytes,
        start_s=round(trial.start_s, 3),
        recalled_tokens=sum(recalled) / len(recalled),
    )


def _phase(cost: PhaseCost) -> PhaseProfile:
    roles = {
        role: RoleProfile(
            usage.calls,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.embedding_tokens,
            usage.prompt_sq or 0,
        )
        for role, usage in sorted(cost.roles.items())
    }
    return PhaseProfile(cost.events, roles, round(cost.cpu_s, 3), round(cost.wall_s, 3))


def _prompt_tokens(request: Request) -> int:
    """Tokens of a chat request's messages; other requests have none."""
    messages = request.body.get("messages") or ()
    return sum(count_tokens(str(message.get("content") or "")) for message in messages)
