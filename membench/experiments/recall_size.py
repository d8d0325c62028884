"""How much text one recall brings: what a reader is sent with every question, and is paid for.

The best of what is known, in this order: a published row of the same system, parameters, task and
split; what the card says; the stored profile; k memories of the system's granularity; and at last
k memories as long as a turn, which is said to be no more than an assumption. What a figure rests
on is told with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from membench.adapters.card import SystemCard
from membench.domain.labels import Phase, Scalar
from membench.experiments.profile import ASKED_K, Profile
from membench.experiments.published_rows import PublishedRow
from membench.experiments.task_size import TaskSize
from membench.metrics.numbers import counted


@dataclass(frozen=True)
class RecallSize:
    """What one recall brings, mean.

    Attributes:
        tokens: Of the texts that are recalled.
        memories: How many texts they are.
        basis: What the figures rest on, in words.
    """

    tokens: float
    memories: float
    basis: str

    def within(self, tokens: float | None) -> RecallSize:
        """The same where no more tokens than so many may be recalled; None for no bound."""
        if tokens is None or self.tokens <= tokens:
            return self
        return RecallSize(tokens, self.memories * tokens / self.tokens, self.basis)


@dataclass(frozen=True)
class Recaller:
    """The system whose recalls are sized.

    Attributes:
        card: Its card.
        parameters: All of them.
        k: Memories per recall.
        row: A published row of it, if there is one.
        profile: Its stored profile with these parameters, if there is one.
    """

    card: SystemCard
    parameters: Mapping[str, Scalar]
    k: int
    row: PublishedRow | None = None
    profile: Profile | None = None

    @property
    def obeys_k(self) -> bool:
        """Whether it recalls as many memories as it is asked for."""
        return "ignores_k" not in self.card.capabilities


def recall_size(of: Recaller, size: TaskSize, token_budget: int | None = None) -> RecallSize:
    """What one recall of a system brings on a task, by the best that is known of it.

    Args:
        of: The system.
        size: The task's data.
        token_budget: Tokens that the recalled texts may hold together.
    """
    if of.row is not None:
        basis = f"measured in the published row {of.row.run_id}"
        return RecallSize(of.row.tokens, of.row.memories, basis).within(token_budget)
    known = _by_card(of, size) or _by_profile(of, size) or _by_granularity(of, size)
    found = known or turns_assumed(size, of.k)
    return found.within(size.whole_history).within(token_budget)


def turns_assumed(size: TaskSize, k: int) -> RecallSize:
    """What is assumed where nothing is known: k memories as long as a turn."""
    basis = (
        f"NOT KNOWN for this system: assumes {counted(k, 'memory', 'memories')} as long "
        "as a turn (--assume recalled_tokens=N says otherwise)"
    )
    return RecallSize(k * size.turn_tokens, k, basis)


def _by_card(of: Recaller, size: TaskSize) -> RecallSize | None:
    """What the card says outright; None where it says nothing."""
    card, said = of.card, "as its card says"
    if card.protocol == "answer-only":
        return RecallSize(0, 0, f"nothing, {said}: it answers alone")
    if card.recalls == "nothing":
        return RecallSize(0, 0, f"nothing, {said}")
    if card.recalls == "everything":
        memories = size.whole_history / max(1.0, size.turn_tokens)
        return RecallSize(size.whole_history, memories, f"the whole history, {said}")
    if card.recalls == "tokens":
        room = float(of.parameters["tokens"])
        basis = f"as much as tokens = {room:g} has room for, {said}"
        return RecallSize(room, room / max(1.0, size.turn_tokens), basis)
    if "evidence_grant" in card.capabilities:
        asked = max(1, size.answers)
        basis = "the evidence, which it is granted (counted)"
        return RecallSize(size.evidence_tokens / asked, size.evidence_turns / asked, basis)
    return None


def _by_profile(of: Recaller, size: TaskSize) -> RecallSize | None:
    """What the profile's questions recalled, at this k and in texts as long as the task's."""
    if of.profile is None:
        return None
    lengths = of.profile.lengths
    longest, by_session = lengths[-1], of.card.granularity == "session"
    turns = size.turns / max(1, size.cases)
    tokens = float(
        np.interp(turns, [e.turns for e in lengths], [e.recalled_tokens for e in lengths])
    )
    units = longest.phases[Phase.INGEST].events if by_session else longest.turns
    unit_tokens = size.session_tokens if by_session else size.turn_tokens
    tokens *= unit_tokens * units / max(1, longest.tokens)
    tokens *= of.k / ASKED_K if of.obeys_k else 1
    memories = min(of.k, tokens) if of.obeys_k else tokens / max(1.0, unit_tokens)
    basis = f"as in the stored profile of {of.profile.system}, texts as long as the task's"
    return RecallSize(tokens, memories, basis)


def _by_granularity(of: Recaller, size: TaskSize) -> RecallSize | None:
    """K turns, windows or sessions; None of a system that decides otherwise, or on other units."""
    unit = str(of.parameters.get("granularity", of.card.granularity))
    drives = any(parameter.system for parameter in of.card.parameters.values())
    tokens = {
        "turn": size.turn_tokens,
        "session": size.session_tokens,
        "window": size.turn_tokens * float(of.parameters.get("window", 1)),
    }.get(unit)
    if tokens is None or drives or not of.obeys_k:
        return None
    return RecallSize(
        of.k * tokens,
        of.k,
        f"{counted(of.k, 'memory', 'memories')} (k), each a {unit} of mean length",
    )
