"""A board in a process of its own, for whatever looks at it with a real browser."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from membench.llm.upstreams.local.llama.program import free_port

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""A headless Chromium that asks nobody for anything but the page."""


@dataclass(frozen=True)
class ServedBoard:
    """A board that answers.

    Attributes:
        address: With the slash at its end.
        pid: Its process.
    """

    address: str
    pid: int


@contextmanager
def served_board(results: Path, timeout_s: float = 120.0) -> Iterator[ServedBoard]:
    """Serve a folder of bundles on a free port of loopback while the block lasts.

    Raises:
        TimeoutError: It did not answer in time.
    """
    port = free_port()
    command = [sys.executable, "-m", "membench", "leaderboard", "--results", str(results)]
    server = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}/"
        wait_for(f"{address}_stcore/health", timeout_s)
        yield ServedBoard(address, server.pid)
    finally:
        server.terminate()
        server.wait(30)


def wait_for(address: str, timeout_s: float) -> None:
    """Wait until something answers there.

    Raises:
        TimeoutError: Nothing did.
    """
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(address)
