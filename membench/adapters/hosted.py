"""What is said of a system on its maker's machines: how far away it is."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from statistics import median
from urllib.parse import urlsplit

from membench.adapters.card import SystemCard
from membench.domain.labels import Scalar

NO_ENERGY = "the system runs on its maker's machines, where nothing of ours reads joules"
CONNECTIONS = 5
WAIT_S = 10.0
PORTS = {"http": 80, "https": 443}


def host_of(parameters: Mapping[str, Scalar]) -> str:
    """Name of the machine that a hosted system is reached at."""
    return urlsplit(str(parameters["base_url"])).hostname or ""


def round_trip_ms(card: SystemCard, parameters: Mapping[str, Scalar]) -> float | None:
    """Median time to open a connection to a hosted system.

    Args:
        card: The system.
        parameters: Its parameters, checked.

    Returns:
        Milliseconds; None for a system on this machine, and for one that does not answer.
    """
    if not card.hosted:
        return None
    url = urlsplit(str(parameters["base_url"]))
    place = (host_of(parameters), url.port or PORTS.get(url.scheme, 443))
    with suppress(OSError):
        return round(1000 * median(_connection_s(place) for _ in range(CONNECTIONS)), 3)
    return None


def _connection_s(place: tuple[str, int]) -> float:
    started = time.perf_counter()
    with socket.create_connection(place, timeout=WAIT_S):
        return time.perf_counter() - started
