"""What model calls are charged to, and a reply with what it cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from membench.domain.errors import Reason
from membench.domain.labels import Phase, Role
from membench.records.usage import Usage


@dataclass
class Account:
    """What calls are charged to: one phase of one event of one case.

    Attributes:
        case: Opaque case id.
        event: Index in the timeline; None outside any event.
        phase: None outside any phase (start-up).
        roles: Usage by role.
        closed: Whether the phase is over; what comes now is late.
        abandoned: Whether its lane was killed in it, so that it belongs to no attempt that counts.
        pending: Calls in flight.
        faults: Reasons of calls that failed, in order.
        delivered: How often each (role, sample, request) of the case was delivered.
    """

    case: str = ""
    event: int | None = None
    phase: Phase | None = None
    roles: dict[Role, Usage] = field(default_factory=dict)
    closed: bool = False
    abandoned: bool = False
    pending: int = 0
    faults: list[Reason] = field(default_factory=list)
    delivered: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def charge(self, role: Role, usage: Usage) -> None:
        """Add a call's usage."""
        usage = replace(usage, late=usage.calls + usage.failed if self.closed else 0)
        self.roles[role] = self.roles.get(role, Usage()) + usage

    def total(self) -> Usage:
        """Usage of all roles."""
        return sum(self.roles.values(), Usage())


@dataclass(frozen=True, slots=True)
class MeteredReply:
    """A reply with what it cost.

    Attributes:
        body: Its bytes.
        content_type: JSON or an event stream.
        usage: What the call cost.
        arrived: When it was there, on the clock of `time.perf_counter`; None for a recorded one.
            What is done with it afterwards, such as counting its tokens, is not the provider's.
    """

    body: bytes
    content_type: str
    usage: Usage
    arrived: float | None = None
