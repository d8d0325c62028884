"""What a memory system asks of its models on data of some size: as its profile has it, or assumed.

A stored profile (`experiments.profile`) was measured on short histories. Other lengths lie on the
line through the measured ones; beyond the longest, a turn costs what it costs there (`growth`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import numpy as np

from membench.adapters.card import SystemCard
from membench.domain.labels import Phase, Role, Scalar
from membench.experiments.profile import Profile, read
from membench.experiments.profile_costs import STORING, asked, storing_growth
from membench.experiments.task_size import TaskSize
from membench.metrics.numbers import counted

PROFILE_FOLDERS = (
    Path(__file__).with_name("profiles"),
    Path(__file__).parents[2] / "results" / "profiles",
)
"""Where stored profiles lie: in an installed package, in a checkout."""
FEW_CALLS = 1 / 2
"""Calls per turn below which a system is taken to work session by session, not turn by turn."""
QUERY_TOKENS = 15
"""Tokens of a query, where nothing is known yet."""


@dataclass(frozen=True)
class RoleTraffic:
    """What one model is asked over a whole task."""

    calls: float = 0.0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    embedding_tokens: float = 0.0


FIGURES = tuple(each.name for each in fields(RoleTraffic))


class Traffic(Protocol):
    """The model calls of a memory system."""

    def storing(self, size: TaskSize, role: Role) -> RoleTraffic:
        """What storing all of a task's histories asks."""

    def asking(self, size: TaskSize, role: Role, context_tokens: float) -> RoleTraffic:
        """What all of its recalls ask; `context_tokens` is what one of them brings."""

    def describe(self, roles: Collection[Role]) -> str:
        """What the figures of some roles rest on, in words."""

    @property
    def asks_about_context(self) -> bool:
        """Whether what one recall brings decides what the system asks."""


@dataclass(frozen=True)
class AssumedTraffic:
    """Traffic of a system without a profile; the defaults suit one extraction call per session.

    Attributes:
        chat_per_session: Chat calls when a session is stored.
        chat_per_turn: Chat calls for every turn of it.
        prompt_overhead: Tokens of instructions in each of these calls.
        history_share: How often a session's own text is sent per chat call (1: whole).
        completion_tokens: Tokens of each reply.
        chat_per_recall: Chat calls per recall.
        embeddings_per_turn: How often a turn's text is embedded while it is stored.
        embeddings_per_recall: Queries embedded per recall.
    """

    chat_per_session: float = 1.0
    chat_per_turn: float = 0.0
    prompt_overhead: int = 2000
    history_share: float = 1.0
    completion_tokens: int = 300
    chat_per_recall: float = 0.0
    embeddings_per_turn: float = 1.0
    embeddings_per_recall: float = 1.0

    def storing(self, size: TaskSize, role: Role) -> RoleTraffic:
        """Extraction calls, or embeddings of all turns, a call per session."""
        if role == Role.RERANKER:
            return RoleTraffic()
        if role == Role.EMBEDDER:
            calls = size.sessions if self.embeddings_per_turn else 0.0
            embedded = size.history_tokens * self.embeddings_per_turn
            return RoleTraffic(calls, embedding_tokens=embedded)
        chats = size.sessions * self.chat_per_session + size.turns * self.chat_per_turn
        per_session = size.history_tokens / max(1, size.sessions)
        prompt = chats * (self.prompt_overhead + self.history_share * per_session)
        return RoleTraffic(chats, prompt, chats * self.completion_tokens)

    def asking(self, size: TaskSize, role: Role, context_tokens: float) -> RoleTraffic:
        """Chat about what was recalled, its reranking once, or embeddings of queries."""
        if role == Role.RERANKER:
            return RoleTraffic(size.recalls, size.recalls * (QUERY_TOKENS + context_tokens))
        if role == Role.EMBEDDER:
            queries = size.recalls * self.embeddings_per_recall
            return RoleTraffic(queries, embedding_tokens=queries * QUERY_TOKENS)
        calls = size.recalls * self.chat_per_recall
        prompt = calls * (self.prompt_overhead + context_tokens)
        return RoleTraffic(calls, prompt, calls * self.completion_tokens)

    @property
    def asks_about_context(self) -> bool:
        """Where it is taken to chat about what it recalls."""
        return self.chat_per_recall > 0

    def describe(self, roles: Collection[Role]) -> str:
        """The assumptions about what it embeds, where that is all it asks, or about its chats."""
        if Role.MEMORY not in roles:
            return (
                f"the system embeds every turn {counted(self.embeddings_per_turn, 'time')}, a call "
                f"per session, and {counted(self.embeddings_per_recall, 'query', 'queries')} per "
                "recall"
            )
        return (
            f"the system makes {counted(self.chat_per_session, 'chat call')} per session and "
            f"{self.chat_per_turn:g} per turn, with {self.prompt_overhead} tokens of "
            f"instructions and {self.completion_tokens} tokens of reply, and "
            f"{self.chat_per_recall:g} per recall"
        )


@dataclass(frozen=True)
class ProfiledTraffic:
    """Traffic of a system as it was measured.

    Attributes:
        profile: Its stored profile.
    """

    profile: Profile

    def storing(self, size: TaskSize, role: Role) -> RoleTraffic:
        """Of histories of the mean length, in turns or in sessions (`FEW_CALLS`).

        Text beyond that of the profile's turns or sessions is added once. What is embedded is taken
        to grow with the text.
        """
        cases, longest = max(1, size.cases), self.profile.lengths[-1]
        units, measured_units = size.turns, longest.turns
        if self._by_session(role):
            units, measured_units = size.sessions, longest.phases[Phase.INGEST].events
        turns = units / cases * longest.turns / measured_units
        whole = _scaled(self._history(turns, role), cases)
        measured = longest.tokens / measured_units
        actual = size.history_tokens / max(1, units)
        longer = max(0.0, actual - measured) * units if whole.prompt_tokens else 0.0
        return RoleTraffic(
            whole.calls,
            whole.prompt_tokens + longer,
            whole.completion_tokens,
            whole.embedding_tokens * max(1.0, actual / measured),
        )

    def asking(self, size: TaskSize, role: Role, context_tokens: float) -> RoleTraffic:
        """As after a history of the mean length.

        Beyond the longest that was measured it goes on as between the last two: what a question
        costs has levelled off there, or grows on with the history.
        """
        lengths = self.profile.lengths
        turns = size.turns / max(1, size.cases)
        measured = [each.turns for each in lengths]
        beyond = max(0.0, turns - measured[-1]) / (measured[-1] - measured[-2])
        means = {}
        for figure in FIGURES:
            each_cost = [
                getattr(asked(each, role, Phase.RECALL), figure) / each.questions
                for each in lengths
            ]
            more = max(0.0, each_cost[-1] - each_cost[-2]) * beyond
            means[figure] = float(np.interp(turns, measured, each_cost)) + more
        return _scaled(RoleTraffic(**means), size.recalls)

    @property
    def asks_about_context(self) -> bool:
        """Not on this task: what was measured was with the profile's own."""
        return False

    def describe(self, roles: Collection[Role]) -> str:
        """What was measured."""
        made = self.profile
        longest = made.lengths[-1]
        sessions = longest.phases[Phase.INGEST].events
        return (
            f"the system calls its models as in the stored profile of {made.system} "
            f"{made.version}: up to {longest.turns} turns of {self._turn_tokens:.0f} tokens in "
            f"sessions of {longest.turns / sessions:.0f}, beyond that as there; replies "
            f"{made.replies}"
        )

    def _by_session(self, role: Role) -> bool:
        """Whether a role is called so seldom that a session is what is stored at once."""
        longest = self.profile.lengths[-1]
        return asked(longest, role, *STORING).calls < FEW_CALLS * longest.turns

    @property
    def _turn_tokens(self) -> float:
        longest = self.profile.lengths[-1]
        return longest.tokens / longest.turns

    def _history(self, turns: float, role: Role) -> RoleTraffic:
        """What storing one history asks."""
        lengths = self.profile.lengths
        longest = lengths[-1].turns
        beyond = max(0.0, turns - longest)
        sums = {}
        for figure in FIGURES:
            totals = [float(getattr(asked(each, role, *STORING), figure)) for each in lengths]
            known = np.interp(turns, [0, *(each.turns for each in lengths)], [0.0, *totals])
            more = beyond * storing_growth(self.profile, role, figure).marginal if beyond else 0.0
            sums[figure] = float(known) + more
        return RoleTraffic(**sums)


def profiled(card: SystemCard, parameters: Mapping[str, Scalar]) -> ProfiledTraffic | None:
    """A system's traffic by its stored profile; None where none was made with these parameters."""
    for folder in PROFILE_FOLDERS:
        path = folder / f"{card.name}.json"
        if path.is_file():
            profile = read(path)
            return ProfiledTraffic(profile) if profile.parameters == dict(parameters) else None
    return None


def _scaled(one: RoleTraffic, times: float) -> RoleTraffic:
    return RoleTraffic(
        one.calls * times,
        one.prompt_tokens * times,
        one.completion_tokens * times,
        one.embedding_tokens * times,
    )
