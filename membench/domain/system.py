"""A memory system under test, what it stores, and what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from membench.domain.case import CaseInfo, Session
from membench.domain.labels import Role, Scalar

# --- memory systems ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Memory:
    """One item a system stored or recalled.

    Attributes:
        text: What a reader is shown.
        sources: Ids of the turns (or items) it came from; empty where the system cannot know.
        time: Dataset time, where the system keeps one.
        score: The system's own relevance, higher is better; not comparable between systems.
        id: The system's own id, if it has one.
    """

    text: str
    sources: tuple[str, ...] = ()
    time: datetime | None = None
    score: float | None = None
    id: str | None = None


@dataclass(frozen=True)
class MemoryChange:
    """What one `ingest` did to the store.

    Attributes:
        kind: Whether the memory was stored, rewritten or removed.
        memory: The memory as it is now; for `delete`, as it was. Its `id` tells which one.
    """

    kind: Literal["add", "update", "delete"]
    memory: Memory


@dataclass(frozen=True)
class Query:
    """A recall request.

    Attributes:
        text: The question's words.
        k: How many memories at most; None where the caller sets no bound.
        token_budget: Tokens (o200k_base) the recalled texts may hold together; None for no bound.
        now: The dataset's clock, never the wall clock.
        granted: Evidence turn ids, given to systems that declare `evidence_grant` and nobody else.
    """

    text: str
    k: int | None = None
    token_budget: int | None = None
    now: datetime | None = None
    granted: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ModelEndpoint:
    """Where a system finds one of its models: the run's gateway, never an upstream."""

    base_url: str
    api_key: str
    model: str
    dimensions: int | None = None


@dataclass(frozen=True)
class SystemContext:
    """What the factory of a system is given.

    Attributes:
        parameters: Declared in `system.toml`, defaults filled in, types checked.
        seed: The run's seed.
        workdir: A folder of its own; removed after its case.
        models: Endpoints of the roles that the run configured; empty without models.
        count_tokens: Tokens of a text by o200k_base.
    """

    parameters: Mapping[str, Scalar]
    seed: int
    workdir: Path
    count_tokens: Callable[[str], int]
    models: Mapping[Role, ModelEndpoint] = field(default_factory=dict)


@runtime_checkable
class MemorySystem(Protocol):
    """A memory system under test. Calls are synchronous and come from one thread.

    Optional methods, found by capability and declared in `system.toml`: `finalize()`,
    `answer(query) -> Answer`, `memories() -> Sequence[Memory]`, `remember(item)`,
    `feedback(feedback)`, `snapshot(dir)` / `restore(dir)`, `store_bytes() -> int`.
    """

    def reset(self, case: CaseInfo) -> None:
        """Start a case: an empty store, one namespace."""

    def ingest(self, session: Session) -> Sequence[MemoryChange] | None:
        """Store a session and return when it is recallable.

        Returns:
            What changed; `[]` if nothing was stored; None if the system cannot tell.
        """

    def recall(self, query: Query) -> Sequence[Memory]:
        """Memories for a query, best first. Must not change the store unless declared."""

    def close(self) -> None:
        """Release everything. No call follows."""
