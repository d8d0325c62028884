"""How fast the board is: in a real browser, on made-up stores.

    python benchmarks/board.py [--runs 500 --questions 2000] [--keep DIR]

Prints one JSON line: seconds from navigation to the first drawn chart (browser cache cold, then
warm), seconds from moving a limit to the redrawn table, CPU seconds that server and browser spend
on a cold and on a warm page (on a machine that others use, seconds say little), load average, peak
memory of the server.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from membench.testing.boards import BoardPlan, write_store
from membench.testing.browsing import CHROMIUM_FLAGS, served_board

REPEATS = 5
INDEXED_S = 3600.0
"""How long the first index of a large store may take."""


def main() -> None:
    """Measure and print."""
    given = arguments()
    root = Path(given.keep or tempfile.mkdtemp(prefix="membench-board-"))
    plan = BoardPlan(given.runs, given.questions, groups=given.groups, systems=given.systems)
    if not (root / "locomo").exists():
        write_store(root, plan)
    began = time.perf_counter()
    with served_board(root, INDEXED_S) as server:
        started = time.perf_counter() - began
        figures = browse(server.address)
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
    parser.add_argument("--keep", default="")
    return parser.parse_args()


def browse(address: str) -> dict[str, Any]:
    """Times as a reader has them."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=shutil.which("chromium"),
            headless=True,
            args=list(CHROMIUM_FLAGS),
            viewport={"width": 1280, "height": 1100},
        )
        page = context.new_page()
        before = cpu_of_descendants()
        cold = first_chart(page, address)
        used = cpu_of_descendants()
        used_cold = used - before
        warm = [first_chart(page, address) for _ in range(REPEATS)]
        used = (cpu_of_descendants() - used) / REPEATS
        filters = [change_filter(page, step) for step in range(REPEATS)]
        context.close()
    return {
        "first_chart_cold_s": cold,
        "first_chart_cold_cpu_s": used_cold,
        "first_chart_warm_s": statistics.median(warm),
        "first_chart_warm_all_s": warm,
        "first_chart_warm_cpu_s": used,
        "load_average": os.getloadavg()[0],
        "filter_s": statistics.median(filters),
        "filter_all_s": filters,
    }


def cpu_of_descendants() -> float:
    """CPU seconds so far of the processes that this one started, and of theirs: server, browser."""
    parents, used = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(path.parent.name)
        parents[pid], used[pid] = int(fields[1]), int(fields[11]) + int(fields[12])
    mine = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= more
    ticks = sum(used[pid] for pid in mine - {os.getpid()} if pid in used)
    return ticks / os.sysconf("SC_CLK_TCK")


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
    if step == 0:
        page.get_by_role("button", name=re.compile("^Limits: ")).click()
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
