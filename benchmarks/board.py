"""How fast the board is: in a real browser, on made-up stores.

    python benchmarks/board.py [--runs 500 --questions 2000] [--port 8597] [--keep DIR]

Prints one JSON line: seconds from navigation to the first drawn chart (browser cache cold, then
warm), seconds from moving a limit to the redrawn table, peak memory of the server.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from membench.testing.boards import Plan, write_store

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
REPEATS = 5


def main() -> None:
    """Measure and print."""
    given = arguments()
    root = Path(given.keep or tempfile.mkdtemp(prefix="membench-board-"))
    plan = Plan(given.runs, given.questions, groups=given.groups, systems=given.systems)
    if not (root / "locomo").exists():
        write_store(root, plan)
    began = time.perf_counter()
    with served(root, given.port) as server:
        started = time.perf_counter() - began
        figures = browse(f"http://127.0.0.1:{given.port}/")
        figures["peak_rss_mb"] = peak_rss_mb(server.pid)
    size = {"runs": given.runs, "questions": given.questions, "start_s": started}
    print(json.dumps(size | figures))
    if not given.keep:
        shutil.rmtree(root)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--groups", type=int, default=1)
    parser.add_argument("--systems", type=int, default=50)
    parser.add_argument("--port", type=int, default=8597)
    parser.add_argument("--keep", default="")
    return parser.parse_args()


@contextmanager
def served(root: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A board in a process of its own."""
    command = [sys.executable, "-m", "membench", "leaderboard", "--results", str(root)]
    server = subprocess.Popen([*command, "--port", str(port)], env=dict(os.environ))
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield server
    finally:
        server.terminate()
        server.wait(20)


def wait_for(address: str, timeout_s: float = 3600.0) -> None:
    """Until the server answers."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(address)


def browse(address: str) -> dict[str, Any]:
    """Times as a reader has them."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=shutil.which("chromium"),
            headless=True,
            args=list(FLAGS),
            viewport={"width": 1280, "height": 1100},
        )
        page = context.new_page()
        cold = first_chart(page, address)
        warm = [first_chart(page, address) for _ in range(REPEATS)]
        filters = [change_filter(page, step) for step in range(REPEATS)]
        context.close()
    return {
        "first_chart_cold_s": cold,
        "first_chart_warm_s": statistics.median(warm),
        "first_chart_warm_all_s": warm,
        "filter_s": statistics.median(filters),
        "filter_all_s": filters,
    }


def first_chart(page: Any, address: str) -> float:
    """From navigation to drawn points."""
    page.goto("about:blank")
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(".scatterlayer .points path", state="attached", timeout=120_000)
    return time.perf_counter() - began


def change_filter(page: Any, step: int) -> float:
    """From a key press on the score limit to the words that say what is shown."""
    page.wait_for_timeout(1500)
    slider = page.get_by_role("slider").nth(1)
    slider.focus()
    began = time.perf_counter()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "value => new URL(location).searchParams.get('least') === value", arg=str(step + 1)
    )
    page.get_by_text("the cheapest setting of each system").wait_for(timeout=60_000)
    page.wait_for_function(
        "() => !document.querySelector('[data-testid=\"stStatusWidget\"]')", timeout=60_000
    )
    return time.perf_counter() - began


def peak_rss_mb(pid: int) -> float:
    """Peak resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


if __name__ == "__main__":
    main()
