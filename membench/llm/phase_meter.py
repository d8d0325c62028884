"""The lane's side of metering: tell the gateway which phase of which event is open.

Runs in lane processes, so it uses the standard library alone. A system calls its models through
the endpoints of `GatewayAccess`; what those calls cost comes back from `close`. Without models
there is a `NullPhaseMeter` with the same methods.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from membench.domain.errors import HarnessFault, Reason
from membench.domain.labels import JsonView, Phase, Role
from membench.domain.system import ModelEndpoint
from membench.records.usage import LateUsage, PhaseUsage


@dataclass(frozen=True)
class GatewayAccess:
    """What a lane process is handed; pickles.

    Attributes:
        control_url: Where the lane reports phases.
        endpoints: Where a system finds its models, for every role that systems may call.
    """

    control_url: str
    endpoints: Mapping[Role, ModelEndpoint] = field(default_factory=dict)

    def meter(self) -> GatewayPhaseMeter:
        """Connect from inside the lane."""
        return GatewayPhaseMeter(self)


class PhaseMeter(Protocol):
    """Opens and closes phases, and returns what was spent in them."""

    def begin(self, case: str) -> None:
        """Start an attempt at a case: identical calls count from one again."""

    def open(self, case: str, event: int, phase: Phase) -> None:
        """Charge what is called from now on to this phase."""

    def close(self) -> PhaseUsage:
        """End the phase, wait a little for calls in flight, return what it cost."""

    def late(self) -> list[LateUsage]:
        """What calls cost that came outside their phase, since this was last asked."""

    def disconnect(self) -> None:
        """Drop what holds a connection."""


class GatewayPhaseMeter:
    """Reports phases to the run's gateway over one kept-alive connection.

    Args:
        access: From `Gateway.lane`.
        timeout_s: How long an answer of the gateway may take.
    """

    def __init__(self, access: GatewayAccess, timeout_s: float = 120.0) -> None:
        """Connect on first use."""
        parts = urlsplit(access.control_url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s)

    def begin(self, case: str) -> None:
        """Start an attempt at a case."""
        self._post("begin", {"case": case})

    def open(self, case: str, event: int, phase: Phase) -> None:
        """Open a phase."""
        self._post("open", {"case": case, "event": event, "phase": phase})

    def close(self) -> PhaseUsage:
        """Close the phase and return its usage."""
        return PhaseUsage.from_json(self._post("close", {}))

    def late(self) -> list[LateUsage]:
        """Usage of calls outside their phase."""
        return [LateUsage.from_json(usage) for usage in self._post("late", {})]

    def disconnect(self) -> None:
        """Drop the connection."""
        self._connection.close()

    def _post(self, action: str, content: JsonView) -> Any:
        """One control call.

        Raises:
            HarnessFault: The gateway is gone or refuses.
        """
        try:
            headers = {"Content-Type": "application/json"}
            body = json.dumps(content)
            self._connection.request("POST", f"{self._path}/{action}", body, headers)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise HarnessFault(Reason.HARNESS_ERROR, f"gateway: {error}") from error
        if response.status != 200:
            raise HarnessFault(Reason.HARNESS_ERROR, f"gateway: {answer.decode()[:200]}")
        return json.loads(answer)


class NullPhaseMeter:
    """The meter of a run without models: nothing is called, so nothing costs."""

    def begin(self, case: str) -> None:
        """Nothing to start."""

    def open(self, case: str, event: int, phase: Phase) -> None:
        """Nothing to open."""

    def close(self) -> PhaseUsage:
        """No usage."""
        return PhaseUsage()

    def late(self) -> list[LateUsage]:
        """Nothing can be late."""
        return []

    def disconnect(self) -> None:
        """Nothing to drop."""
