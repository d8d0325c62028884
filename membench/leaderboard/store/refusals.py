"""Bundles of a store that broke a rule: written down, and never shown as rows.

::

    results/refusals/<run_id>.json  {"bundle_sha256": "9c1e...", "rules": ["rescore.score"], ...}

A refusal is of one content, named by the hash of its SHA256SUMS: a bundle that is made anew under
the same run id is looked at anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from membench import __version__
from membench.leaderboard.validation.rules import Finding
from membench.records.run_directory import replace_json

REFUSALS = "refusals"
"""Folder of a store."""


@dataclass(frozen=True)
class Refusal:
    """Why one bundle is no row.

    Attributes:
        run_id: Name of its folder.
        bundle_sha256: What identifies its content.
        rules: Ids of the rules it broke, in order.
        findings: Each with its location, in words.
        verified_utc: When.
        verified_by: The version that looked.
    """

    run_id: str
    bundle_sha256: str
    rules: tuple[str, ...]
    findings: tuple[str, ...]
    verified_utc: str
    verified_by: str

    def __str__(self) -> str:
        """One line."""
        return f"refused: {self.findings[0]}" if self.findings else "refused"


def refusal_file(root: Path, run_id: str) -> Path:
    """Where a refusal is written down."""
    return root / REFUSALS / f"{run_id}.json"


def refuse(root: Path, run_id: str, bundle_sha256: str, findings: Sequence[Finding]) -> Refusal:
    """Write down why a bundle is no row."""
    refusal = Refusal(
        run_id,
        bundle_sha256,
        tuple(dict.fromkeys(finding.rule for finding in findings)),
        tuple(str(finding)[:300] for finding in findings),
        datetime.now(UTC).isoformat(timespec="seconds"),
        f"membench {__version__}",
    )
    path = refusal_file(root, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_json(path, asdict(refusal))
    return refusal


def refusal_of(root: Path, run_id: str, bundle_sha256: str) -> Refusal | None:
    """Why this content was refused; None if it was not."""
    path = refusal_file(root, run_id)
    if not path.is_file():
        return None
    stored = orjson.loads(path.read_bytes())
    if stored["bundle_sha256"] != bundle_sha256:
        return None
    lists = {name: tuple(stored[name]) for name in ("rules", "findings")}
    return Refusal(**{**stored, **lists})


def forget_refusal(root: Path, run_id: str) -> None:
    """Take a refusal back, once the bundle is accepted."""
    refusal_file(root, run_id).unlink(missing_ok=True)
