"""What an upstream is: a provider, a server or a local model that answers requests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

from membench.domain.errors import ProviderFault, Reason
from membench.llm import openai_protocol

JSON = "application/json"


EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply of an upstream.

    Attributes:
        body: Its bytes.
        content_type: JSON or an event stream.
        status: HTTP status; below 400 is a success.
        retry_after: Seconds it asked to wait, if it did.
        address: Where it came from, without credentials; empty for models hosted here.
        cpu_s: CPU seconds that the model cost; None where its machine is not metered.
    """

    body: bytes
    content_type: str = JSON
    status: int = 200
    retry_after: float | None = None
    cpu_s: float | None = None
    address: str = ""


class DeadUpstream(ProviderFault):
    """An upstream that will not answer any more; asking again is of no use.

    Args:
        reason: Why a call to it fails.
        detail: What happened.
        remedy: What the user can do.
    """

    def __init__(self, reason: Reason, detail: str = "", remedy: str = "") -> None:
        """Keep what callers need."""
        super().__init__(reason, detail)
        self.remedy = remedy


class Unreachable(ProviderFault):
    """No connection to an upstream could be made: nothing listens there, or the name is unknown."""


class Upstream(Protocol):
    """Sends one request once."""

    @property
    def slots(self) -> int | None:
        """Requests it works on at once; more would wait there. None where that is unknown."""

    async def ready(self) -> None:
        """Wait until it can work on a request; a call's time counts from here.

        Raises:
            ProviderFault: It cannot be made ready.
        """

    async def send(self, endpoint: str, body: openai_protocol.Body) -> Reply:
        """Send and read the whole reply; event streams are read to their end.

        Raises:
            ProviderFault: Nothing usable came back; bad statuses are returned, not raised.
        """

    def lost_cpu_s(self) -> float | None:
        """CPU seconds of requests that gave no reply, since last asked; None if not metered."""

    async def close(self) -> None:
        """Release connections or processes."""


class BaseUpstream:
    """What upstreams have in common, with nothing to wait for and nothing to release."""

    metered: ClassVar[bool] = False
    """Whether the CPU seconds of the model are known."""

    _lost_cpu_s = 0.0

    @property
    def slots(self) -> int | None:
        """No bound is known."""
        return None

    async def ready(self) -> None:
        """Ready at once."""

    def lose(self, cpu_s: float) -> None:
        """Keep the cost of a request that gave no reply, until the meter asks for it."""
        self._lost_cpu_s += cpu_s

    def lost_cpu_s(self) -> float | None:
        """What `lose` was told, since last asked."""
        lost, self._lost_cpu_s = self._lost_cpu_s, 0.0
        return lost if self.metered else None

    async def close(self) -> None:
        """Nothing to release."""


def retry_after(header: str | None) -> float | None:
    """Seconds of a `Retry-After` header: a number or an HTTP date."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        return _seconds_until(header)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(date: str) -> float | None:
    """Seconds until an HTTP date, None if it is none."""
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # "-0000" says that the zone is not known; HTTP dates are in UTC
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
