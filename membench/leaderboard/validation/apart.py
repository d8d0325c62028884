"""Checking a bundle in a process of its own, so that no bundle costs more than it may.

    verify_apart(Path("bundle"))  ->  the `Verification` that `verify` gives, without lines and rows

What ends the process (too much memory, CPU or time) is a finding of the bundle, `check.limits`.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson

from membench.domain.labels import JsonObject, JsonView
from membench.domain.temporary_folder import TemporaryFolder
from membench.leaderboard.validation import Verification, verify
from membench.leaderboard.validation.parsing import BundleHead
from membench.leaderboard.validation.rules import Finding


@dataclass(frozen=True)
class WorkLimits:
    """What checking one bundle may take.

    Attributes:
        memory_bytes: Private memory of the process.
        cpu_s: CPU seconds.
        wall_s: Seconds.
    """

    memory_bytes: int = 4 * 2**30
    cpu_s: int = 600
    wall_s: float = 1800.0


WORK_LIMITS = WorkLimits()


def verify_apart(
    path: Path, data: Path | None = None, limits: WorkLimits = WORK_LIMITS
) -> Verification:
    """Check a bundle as `verify` does, within limits.

    Args:
        path: A folder or a zip file.
        data: The verifier's benchmark data; None looks where `run` does.
        limits: What it may take.
    """
    command = [sys.executable, "-m", __name__, str(path), *([str(data)] if data else [])]
    with (
        TemporaryFolder("check") as folder,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(folder)},  # removed also when it is killed
        ) as child,
    ):
        resource.prlimit(child.pid, resource.RLIMIT_DATA, (limits.memory_bytes,) * 2)
        resource.prlimit(child.pid, resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 5))
        try:
            out, errors = child.communicate(timeout=limits.wall_s)
        except subprocess.TimeoutExpired:
            child.kill()
            return ended(f"took more than {limits.wall_s:g} seconds")
    if child.returncode:
        return ended(why_ended(child.returncode, errors))
    return from_json(orjson.loads(out))


def why_ended(code: int, errors: bytes) -> str:
    """Why a process ended, in words."""
    if code < 0:
        return f"the check was ended by {signal.Signals(-code).name}"
    last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
    return f"the check ended with {code}: {''.join(last)}"[:300]


def ended(problem: str) -> Verification:
    """The result of a check that did not come to its end."""
    return Verification((Finding("check.limits", "bundle", problem),))


def to_json(result: Verification) -> JsonObject:
    """A result without lines and rows."""
    bundle = result.bundle
    return {
        "findings": [[f.rule, f.location, f.problem] for f in result.findings],
        "bundle": bundle and [bundle.sha256, bundle.manifest, bundle.summary],
        "summary": result.summary,
        "origins": result.origins,
        "flags": result.flags,
    }


def from_json(stored: JsonView) -> Verification:
    """Read it back."""
    bundle = None
    if stored["bundle"] is not None:
        sha256, manifest, summary = stored["bundle"]
        bundle = BundleHead(sha256, manifest, summary)
    return Verification(
        findings=tuple(Finding(*entry) for entry in stored["findings"]),
        bundle=bundle,
        summary=stored["summary"],
        origins=stored["origins"],
        flags=tuple(stored["flags"]),
    )


def main(arguments: list[str]) -> int:
    """Check the bundle that is named, and print the result for the process that asked."""
    path, *data = map(Path, arguments)
    result = verify(path, data[0] if data else None)
    sys.stdout.buffer.write(orjson.dumps(to_json(result)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
