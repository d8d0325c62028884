"""What a pull request with a result may change: one new bundle, and nothing else.

::

    A  results/locomo/20260101T000000Z-1f924ee1/manifest.json     one folder, every file added
    A  results/badges/20260101T000000Z-1f924ee1.json              refused: a badge of one's own
    M  results/locomo/other/summary.json                          refused: another's bundle
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from membench.domain.errors import UsageError, UserError
from membench.leaderboard.store.store import RESERVED, BundleEntry, Store, in_its_place
from membench.leaderboard.validation import Verification
from membench.leaderboard.validation.apart import verify_apart

REMEDY = "Put the folder that `membench submit RUN --pr DIR` made into the checkout, alone."


@dataclass(frozen=True)
class CheckedRequest:
    """A pull request that may be merged.

    Attributes:
        place: Where its bundle lies, `<task>/<run_id>`.
        verification: What the verifier says of it.
    """

    place: str
    verification: Verification


def check_request(results: Path, base: str, data: Path | None = None) -> CheckedRequest:
    """Check what a checkout adds to `base`.

    Args:
        results: The folder of bundles in the checkout.
        base: The branch that the request is to be merged into.
        data: The board's benchmark data; None looks where `run` does.

    Raises:
        UserError: It changes more than one new bundle.
        Rejected: The bundle breaks a rule.
    """
    entry = added_bundle(results, changes(results, base))
    store = Store(results)
    twice = [other for other in store.entries() if other.run_id == entry.run_id]
    if len(twice) > 1:
        raise UserError(f"the run id {entry.run_id} is taken", "Make a new run.")
    verification = in_its_place(entry, verify_apart(entry.path, data))
    verification.accept()
    return CheckedRequest(f"{entry.task}/{entry.run_id}", verification)


def changes(results: Path, base: str) -> list[tuple[str, Path]]:
    """Kind of change (`A`, `M`, `D`, ...) and path, below the root of the checkout.

    Raises:
        UsageError: It is no checkout, or has no such branch.
    """
    command = ["git", "-C", str(results), "diff", "--name-status", "--no-renames", "-z"]
    done = subprocess.run([*command, f"{base}...HEAD"], capture_output=True, check=False)
    if done.returncode:
        problem = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise UsageError(
            f"git cannot compare with {base}: {''.join(problem)}", "Name a branch with --base."
        )
    parts = done.stdout.decode("utf-8", "replace").split("\0")
    return [(kind, Path(path)) for kind, path in zip(parts[::2], parts[1::2], strict=False)]


def added_bundle(results: Path, changed: list[tuple[str, Path]]) -> BundleEntry:
    """The one bundle that is added.

    Raises:
        UserError: Something else changed, or nothing.
    """
    folder = results.name
    found = set()
    for kind, path in changed:
        if kind != "A" or not is_of_a_bundle(path, folder):
            raise UserError(
                f"{path}: {KINDS.get(kind, 'is changed')}, and a request adds one bundle alone",
                REMEDY,
            )
        found.add((path.parts[1], path.parts[2]))
    if len(found) != 1:
        raise UserError(f"the request adds {len(found)} bundles, not one", REMEDY)
    ((task, run_id),) = found
    return BundleEntry(run_id, task, results / task / run_id)


KINDS = {"A": "is added", "M": "is changed", "D": "is removed", "T": "is of another type"}


def is_of_a_bundle(path: Path, folder: str) -> bool:
    """Whether a path is `<folder>/<task>/<run_id>/<file>`."""
    parts = path.parts
    return len(parts) == 4 and parts[0] == folder and parts[1] not in (*RESERVED, "suites")
