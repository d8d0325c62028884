"""A profile: what a system asks of its models and of the machine, by the length of the history.

Histories of several lengths are played against the scripted model through the gateway. Calls,
tokens and sizes are the system's own and the same on every machine; what a better model would
store is not known, so the length of the scripted replies is stated beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from membench import __version__
from membench.adapters.environment import environments
from membench.adapters.registry import SystemCard, checked_parameters
from membench.domain.case import Ask, Case, Finalize, Ingest, Question
from membench.domain.errors import UsageError
from membench.domain.labels import Scalar
from membench.experiments.profile import (
    ASKED_K,
    LengthProfile,
    PhaseProfile,
    Profile,
    RoleProfile,
)
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
        trial = play(card, case, parameters=parameters, k=ASKED_K, width=WIDTH)
        played.append(_length(case, trial))
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
        largest_prompt_tokens=max((prompt_tokens(asked) for asked in trial.requests), default=0),
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


def prompt_tokens(request: Request) -> int:
    """Tokens of a chat request's messages; other requests have none."""
    messages = request.body.get("messages") or ()
    return sum(count_tokens(str(message.get("content") or "")) for message in messages)
