"""What is stored of a package's conformance: `conformance.json` in the system's folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from membench.adapters.environment import environments
from membench.adapters.registry import SystemCard
from membench.testing.conformance import CheckResult

FILE = "conformance.json"
Replay = Literal["exact", "answers", "none"]


@dataclass(frozen=True)
class StoredReport:
    """What `conformance.json` says of a system.

    Attributes:
        version: Version of the package that was checked.
        lock_sha256: The lock it was checked with.
        replay: What a cassette was measured to reproduce.
        results: Every check.
        current: Whether version and lock are still those of the card.
    """

    version: str
    lock_sha256: str
    replay: Replay
    results: tuple[CheckResult, ...]
    current: bool

    @property
    def summary(self) -> str:
        """For one cell of a table."""
        failed = sum(result.status == "failed" for result in self.results)
        passed = sum(result.status == "passed" for result in self.results)
        words = f"{passed} passed" + (f", {failed} failed" if failed else "")
        return words if self.current else f"{words} (outdated)"


def read_stored(card: SystemCard) -> StoredReport | None:
    """The stored result of a package; None for systems that have none."""
    if card.environment is None:
        return None
    try:
        content = json.loads((card.folder / FILE).read_text(encoding="utf-8"))
        results = tuple(CheckResult(**result) for result in content["results"])
        version, lock, replay = content["version"], content["lock_sha256"], content["replay"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    current = version == card.version and lock == environments.lock_sha256(card)
    return StoredReport(version, lock, replay, results, current)
