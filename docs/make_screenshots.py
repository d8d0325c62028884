"""Take the pictures of docs/leaderboard.md, from the board over results/, in Chromium.

Usage: python docs/make_screenshots.py
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "img"
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
DESKTOP = {"width": 1280, "height": 1100}
PHONE = {"width": 390, "height": 844}


@dataclass(frozen=True)
class Shot:
    """One picture: its name, the address, and how the page is looked at."""

    name: str
    address: str
    viewport: dict[str, int]
    scheme: str = "light"


def shots() -> Iterator[Shot]:
    """Every picture, over the rows that are there."""
    names = {path.name.rsplit("-r", 1)[0]: path.name for path in ROOT.glob("results/locomo/*")}
    dense = next(run for name, run in names.items() if name.startswith("embedding-locomo-dense"))
    lexical = [run for name, run in names.items() if name.startswith("lexical-locomo-bm25")][:2]
    runs = ",".join([dense, *lexical])
    yield Shot("leaderboard", "", DESKTOP)
    yield Shot("dark", "", DESKTOP, "dark")
    yield Shot("phone", "", PHONE)
    yield Shot("amortisation", "amortisation", DESKTOP)
    yield Shot("compare", f"compare?{urlencode({'runs': runs}, quote_via=quote)}", DESKTOP)
    yield Shot("run", f"run?run={dense}", DESKTOP)
    yield Shot("systems", "systems", DESKTOP)


@contextmanager
def board() -> Iterator[str]:
    """The board over results/; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "membench", "leaderboard", "--results", "results"]
    server = subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(30)


def wait_for(address: str) -> None:
    """Wait until the board answers."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(address)


def take(browser: Any, address: str, shot: Shot) -> None:
    """Take one picture, as tall as the page but not endless."""
    page = browser.new_page(viewport=shot.viewport, color_scheme=shot.scheme)
    page.goto(address + shot.address)
    page.get_by_role("heading").first.wait_for(timeout=60_000)
    running = "() => !document.querySelector('[data-testid=\"stStatusWidget\"]')"
    page.wait_for_function(running, timeout=60_000)
    page.wait_for_timeout(3_000)  # charts are drawn after the page says that it is ready
    height = page.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollHeight")
    page.set_viewport_size({**shot.viewport, "height": min(int(height) + 40, 1800)})
    page.wait_for_timeout(1_000)
    page.screenshot(path=IMAGES / f"{shot.name}.png")
    page.close()


def main() -> None:
    """Take them all."""
    with board() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        for shot in shots():
            take(browser, address, shot)
        browser.close()


if __name__ == "__main__":
    main()
