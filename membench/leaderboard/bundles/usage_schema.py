"""Model calls as a summary and a journal of a bundle count them."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    Field,
    StrictInt,
)

from membench.leaderboard.bundles.field_types import (
    Amount,
    CaseId,
    Count,
    Label,
    PhaseName,
    ReasonName,
    StrictModel,
)


class RoleUsage(StrictModel):
    """Model calls of one role."""

    calls: Count = 0
    prompt_tokens: Count = 0
    cached_tokens: Count = 0
    completion_tokens: Count = 0
    reasoning_tokens: Count = 0
    embedding_tokens: Count = 0
    prompt_sq: Annotated[StrictInt, Field(ge=0, lt=10**18)] | None = None
    retries: Count = 0
    failed: Count = 0
    replayed: Count = 0
    late: Count = 0
    latency_s: Amount | None = None
    cpu_s: Amount | None = None
    cut: Count | None = None
    empty: Count | None = None
    unparsable: Count | None = None
    source: Label | None = None
    usd: Amount | None = None


class UsageEntry(RoleUsage):
    """Model calls of a phase or an event."""

    faults: list[ReasonName] = []
    roles: dict[Label, RoleUsage] = {}


class LateUsage(UsageEntry):
    """Model calls outside any phase, and the phase that was open last."""

    case: CaseId | None = None
    event: Count | None = None
    phase: PhaseName | None = None
    abandoned: bool | None = None
