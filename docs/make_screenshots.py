"""Take the pictures of docs/leaderboard.md, from the board over results/, in Chromium.

Usage: python docs/make_screenshots.py
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import sync_playwright

from membench.testing.browsing import CHROMIUM_FLAGS, served_board

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "img"
DESKTOP = {"width": 1400, "height": 900}
CHART = ".js-plotly-plot .main-svg"
TABLE = '[data-testid="stDataFrame"] canvas'
DRAWN = {"run": TABLE, "question": TABLE, "glossary": ".scroll table", "profiles": TABLE}
"""What must be there before a picture is taken; a chart where nothing is named."""

COLOURS = 128
"""Colours of a picture: they are kept in the repository, so they are small."""

PHONE = {"width": 390, "height": 844}


@dataclass(frozen=True)
class Shot:
    """One picture: its name, the address, how the page is looked at, and whether it is as tall as
    the page or shows the first screen."""

    name: str
    address: str
    viewport: dict[str, int]
    scheme: str = "light"
    tall: bool = False


def shots() -> Iterator[Shot]:
    """Every picture, over the rows that are there."""
    names = {path.name.rsplit("-r", 1)[0]: path.name for path in ROOT.glob("results/locomo/*")}
    dense = next(run for name, run in names.items() if name.startswith("embedding-locomo-dense"))
    lexical = [run for name, run in names.items() if name.startswith("lexical-locomo-bm25")][:2]
    runs = [("runs", run) for run in (dense, *lexical)]
    made = sorted(path.name for path in ROOT.glob("results/synthetic/*"))
    generated = [("runs", run) for run in made[:2]]  # its words may be shown
    yield Shot("leaderboard", "", DESKTOP)
    yield Shot("dark", "", DESKTOP, "dark")
    yield Shot("phone", "", PHONE)
    yield Shot("amortisation", "amortisation", DESKTOP)
    yield Shot("compare", f"compare?{urlencode(runs)}", DESKTOP)
    yield Shot("run", f"run?run={lexical[0]}", DESKTOP)
    yield Shot("question", f"question?{urlencode(generated)}", DESKTOP)
    yield Shot("glossary", "glossary", DESKTOP)
    yield Shot("profiles", "profiles", DESKTOP)


def take(browser: Any, address: str, shot: Shot) -> None:
    """Take one picture of the first screen, or as tall as the page but not endless."""
    page = browser.new_page(viewport=shot.viewport, color_scheme=shot.scheme)
    page.goto(address + shot.address)
    page.get_by_role("heading").first.wait_for(timeout=60_000)
    running = "() => !document.querySelector('[data-testid=\"stStatusWidget\"]')"
    page.wait_for_function(running, timeout=60_000)
    drawn = DRAWN.get(shot.name, CHART)
    page.wait_for_selector(drawn, state="attached", timeout=120_000)
    page.wait_for_function(running, timeout=60_000)
    page.wait_for_timeout(3_000)  # charts are drawn after the page says that it is ready
    if shot.tall:
        height = page.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollHeight")
        page.set_viewport_size({**shot.viewport, "height": min(int(height) + 40, 1800)})
        page.wait_for_timeout(1_000)
    path = IMAGES / f"{shot.name}.png"
    page.screenshot(path=path)
    page.close()
    small = Image.open(path).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def main() -> None:
    """Take them all."""
    with served_board(ROOT / "results") as board, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM_FLAGS)
        )
        for shot in shots():
            take(browser, board.address, shot)
        browser.close()


if __name__ == "__main__":
    main()
