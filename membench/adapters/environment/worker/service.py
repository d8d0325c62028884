"""What adapters of hosted services share: patience, and faults by name.

The clients of the services that are here take an httpx client. Given one of `service_client`, they
wait as long as a busy service asks them to, and every refusal becomes a fault with a reason.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any

from membench.domain.case import CaseInfo
from membench.domain.labels import Scalar

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
BUSY, UNAVAILABLE = 429, 503
EXCERPT = 200
"""Characters of a refusal that a fault repeats."""


class ServiceFault(Exception):
    """A service refused, failed or was too slow; recorded as `failed(reason)`."""

    def __init__(self, reason: str, detail: str) -> None:
        """`reason` is a word of the failure vocabulary."""
        super().__init__(detail)
        self.reason = reason


def service_client(parameters: Mapping[str, Scalar]) -> Any:
    """An `httpx.Client` that keeps to a service's limits.

    Args:
        parameters: Of the system: `timeout_s` of one reply, `rate_limit_s` that one call may wait
            for a service that is busy.
    """
    import httpx

    patience_s = float(parameters["rate_limit_s"])

    class Transport(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            send = super().handle_request
            try:
                response: httpx.Response = answered(send, request, patience_s)
            except httpx.TimeoutException as error:
                raise ServiceFault("system_timeout", _where(request)) from error
            except httpx.TransportError as error:
                raise ServiceFault("system_error", f"{_where(request)}: {error!r}") from error
            return response

    timeout_s = float(parameters["timeout_s"])
    return httpx.Client(transport=Transport(), timeout=timeout_s, follow_redirects=True)


def answered(send: Callable[[Any], Any], request: Any, patience_s: float) -> Any:
    """The answer to an `httpx` request, asked again as often as the service wants.

    Raises:
        ServiceFault: It stayed busy, or refused.
    """
    until = time.monotonic() + patience_s
    for attempt in count():
        response = send(request)
        told = response.headers.get("retry-after")
        status = response.status_code
        if status != BUSY and not (status == UNAVAILABLE and told):
            break
        response.close()
        pause = asked_pause(told, attempt)
        if time.monotonic() + pause > until:
            detail = f"{_where(request)}: status {status} for {patience_s:g} s"
            raise ServiceFault("provider_rate_limit", detail)
        time.sleep(pause)
    if status >= 400:
        text = response.read()[:EXCERPT].decode(errors="replace")
        raise ServiceFault("system_error", f"{_where(request)}: status {status}: {text}")
    return response


def asked_pause(header: str | None, attempt: int) -> float:
    """Seconds until the next try: what `Retry-After` says, else twice as long each time."""
    if header is not None:
        try:
            return max(0.0, float(header))
        except ValueError:
            pass
        try:
            when = parsedate_to_datetime(header)
            return max(0.0, (when - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):
            pass
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt))


def wait_until(is_done: Callable[[], bool], what: str, patience_s: float) -> None:
    """Ask a service again and again whether its work in the background is done.

    Raises:
        ServiceFault: It was not, after all that time.
    """
    until = time.monotonic() + patience_s
    for attempt in count():
        if is_done():
            return
        pause = asked_pause(None, attempt)
        if time.monotonic() + pause > until:
            raise ServiceFault("system_timeout", f"{what} was not done after {patience_s:g} s")
        time.sleep(pause)


def fresh_name(case: CaseInfo) -> str:
    """A user or namespace that no other run has: `uuid` and `random` are seeded in a worker."""
    return f"membench-{case.id}-{secrets.token_hex(8)}"


def unix_s(time: datetime) -> int:
    """The dataset's clock has no zone; services want one, and get UTC."""
    return int(time.replace(tzinfo=UTC).timestamp())


def zulu(time: datetime) -> str:
    """A time of the dataset in ISO 8601, as UTC."""
    return f"{time.isoformat()}Z"


def naive(text: str | None) -> datetime | None:
    """A service's ISO 8601 time in the dataset's clock."""
    return None if not text else datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def _where(request: Any) -> str:
    return f"{request.method} {request.url.path}"
