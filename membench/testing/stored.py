"""What is stored of a system's conformance: `conformance.json` in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from membench.adapters.environment import environments
from membench.adapters.hosted import host_of
from membench.adapters.registry import SystemCard, checked_parameters
from membench.domain.labels import Scalar
from membench.testing.conformance import CheckResult, Report

FILE = "conformance.json"
LOOPBACK = "a server on loopback"
"""Of a hosted system: its client and the service's protocol were checked, not the service."""
Replay = Literal["exact", "answers", "none"]


@dataclass(frozen=True)
class StoredReport:
    """What `conformance.json` says of a system.

    Attributes:
        version: Version of the system that was checked.
        lock_sha256: The lock it was checked with; empty for one without.
        replay: What a cassette reproduces: measured for packages, else as the card says.
        results: Every check.
        service: What a hosted system's client was answered by: `LOOPBACK`, or the name of the
            service's machine; empty for what runs here.
        current: Whether version and lock are still those of the card.
    """

    version: str
    lock_sha256: str
    replay: Replay
    results: tuple[CheckResult, ...]
    service: str
    current: bool

    @property
    def summary(self) -> str:
        """For one cell of a table."""
        failed = sum(result.status == "failed" for result in self.results)
        passed = sum(result.status == "passed" for result in self.results)
        words = f"{passed} passed" + (f", {failed} failed" if failed else "")
        words += f", answered by {self.service}" if self.service else ""
        return words if self.current else f"{words} (outdated)"


def read_stored(card: SystemCard) -> StoredReport | None:
    """The stored result of a system; None where there is none, or none that can be read."""
    try:
        content = json.loads((card.folder / FILE).read_text(encoding="utf-8"))
        results = tuple(CheckResult(**result) for result in content["results"])
        version, lock, replay = content["version"], content["lock_sha256"], content["replay"]
        service = content.get("service", "")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    current = version == card.version and lock == _lock(card)
    return StoredReport(version, lock, replay, results, service, current)


def service_of(card: SystemCard, parameters: Mapping[str, Scalar]) -> str:
    """What answers a hosted system's client, as a report names it; empty for what runs here."""
    from membench.llm.upstreams.http import is_loopback

    if not card.hosted:
        return ""
    host = host_of(checked_parameters(card, parameters))
    return LOOPBACK if is_loopback(host) else host


def write_stored(card: SystemCard, report: Report, replay: str, service: str = "") -> None:
    """Store a result in the system's folder.

    Args:
        card: The system.
        report: What its checks found.
        replay: What a cassette reproduces of it.
        service: What a hosted system's client was answered by.
    """
    content = {
        "version": card.version,
        "lock_sha256": _lock(card),
        "replay": replay,
        **({"service": service} if service else {}),
        "results": [asdict(result) for result in report.results],
    }
    (card.folder / FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _lock(card: SystemCard) -> str:
    """Digest of the lock of a package; empty for a system without an environment of its own."""
    return "" if card.environment is None else environments.lock_sha256(card)
