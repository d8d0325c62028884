"""The board in a real Chromium: every page, permalinks, clicks, and silence towards the world."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

from membench.leaderboard.site.export import export
from membench.leaderboard.store.store import Store
from membench.leaderboard.validation import verify
from membench.testing.boards import BoardPlan, write_store
from membench.testing.browsing import served_board

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium"),
    pytest.mark.filterwarnings("ignore"),
]

ROOT = Path(__file__).parents[2]
PAGES = (
    "", "amortisation", "compare", "run", "question", "systems", "profiles", "tasks", "glossary",
    "method", "submit",
)  # fmt: skip
TITLES = {"": "Leaderboard"}
DRAWN = """() => !document.querySelector('[data-testid="stStatusWidget"], [data-stale="true"]')
    && document.getAnimations().every(
        (one) => one.playState !== "running" || one.effect.getComputedTiming().endTime === Infinity
    )"""
KNOWN_404 = ("_stcore/health", "_stcore/host-config")


@dataclass
class Board:
    """A served store and what a browser saw of it."""

    address: str
    browser: Any
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def open(self, path: str = "", **options: Any) -> Any:
        """A page, drawn to the end."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 1100}, **options)
        page = context.new_page()
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("console", self.note)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(self.address + path)
        title = TITLES.get(path.partition("?")[0], path.partition("?")[0].capitalize())
        page.get_by_role("heading", name=title, exact=True).first.wait_for(timeout=60_000)
        self.settle(page)
        return page

    def note(self, message: Any) -> None:
        """Keep errors, but for the two requests that Streamlit makes on every sub-page."""
        where = (message.location or {}).get("url", "")
        if message.type == "error" and not where.endswith(KNOWN_404):
            self.errors.append(f"{message.text} at {where}")

    def settle(self, page: Any) -> None:
        """Wait until the script has run and nothing is faded any more.

        While a script runs again, Streamlit shows what it has not drawn yet at a third of its
        opacity, and fades it back: such a moment is no fault of contrast.
        """
        page.wait_for_timeout(500)
        page.wait_for_function(DRAWN, timeout=60_000)
        page.wait_for_timeout(300)
        page.wait_for_function(DRAWN, timeout=60_000)

    def chip(self, page: Any, name: str) -> Any:
        """The chip that holds a control."""
        return page.get_by_role("button", name=re.compile(f"^{name}: "))

    def check(self) -> None:
        """Nothing went wrong, and nothing left the machine."""
        assert self.errors == []
        assert {host for host in self.hosts if host} <= {urlsplit(self.address).netloc}


@pytest.fixture(scope="module")
def empty(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    with served_board(tmp_path_factory.mktemp("empty")) as served:
        yield Board(served.address, browser)


@pytest.fixture(scope="module")
def one(browser: Any, honest: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    store = Store(tmp_path_factory.mktemp("one"))
    store.add(honest, verify(honest))
    with served_board(store.root) as served:
        yield Board(served.address, browser)


@pytest.fixture(scope="module")
def many(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Five hundred made-up runs, half of them without joules."""
    root = tmp_path_factory.mktemp("many")
    write_store(root, BoardPlan(runs=500, questions=40, systems=40))
    with served_board(root) as served:
        yield Board(served.address, browser)


@pytest.fixture(scope="module")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of twenty made-up runs, and the profiles of results/."""
    root = tmp_path_factory.mktemp("twenty")
    write_store(root, BoardPlan(runs=20, questions=40, systems=8, measured=1.0))
    shutil.copytree(ROOT / "results" / "profiles", root / "profiles")
    return root


@pytest.fixture(scope="module")
def published(browser: Any, twenty: Path) -> Iterator[Board]:
    with served_board(twenty) as served:
        yield Board(served.address, browser)


@pytest.fixture(scope="module")
def site(twenty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as files."""
    folder = tmp_path_factory.mktemp("exported") / "site"
    export(Store(twenty), folder)
    return folder


@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_an_empty_store(empty: Board, path: str) -> None:
    page = empty.open(path)
    assert page.locator('[data-testid="stException"]').count() == 0
    empty.check()


@pytest.mark.parametrize("path", PAGES)
def test_every_page_with_one_run(one: Board, path: str) -> None:
    query = {"run": "?run=story", "question": "?runs=story", "compare": "?runs=story"}
    page = one.open(path + query.get(path, ""))
    assert page.locator('[data-testid="stException"]').count() == 0
    one.check()


@pytest.mark.parametrize("path", PAGES)
def test_every_page_with_five_hundred_runs(many: Board, path: str) -> None:
    page = many.open(path)
    assert page.locator('[data-testid="stException"]').count() == 0
    many.check()


def test_a_page_without_joules_says_so(one: Board) -> None:
    page = one.open("?axis=Energy+(J)")
    assert page.get_by_text("there is no chart").count() == 1
    one.check()


def test_a_permalink_brings_back_the_view(many: Board) -> None:
    page = many.open("")
    many.chip(page, "Cost").click()
    page.get_by_label("Cost", exact=True).first.click()
    page.get_by_role("option", name="Time (s)", exact=True).click()
    many.settle(page)
    page.keyboard.press("Escape")
    many.chip(page, "Limits").click()
    slider = page.get_by_role("slider").nth(1)
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        many.settle(page)
    address = page.url
    assert "axis=" in address and "least=3" in address
    again = many.open(address.removeprefix(many.address))
    assert again.url == address
    assert many.chip(again, "Cost").inner_text().startswith("Cost: Time (s)")
    assert many.chip(again, "Limits").inner_text().startswith("Limits: ≥ 3 %")
    many.check()


def test_a_click_on_a_point_opens_the_run(many: Board) -> None:
    page = many.open("?least=1")
    point = page.locator(".scatterlayer .points path").last
    point.wait_for(state="attached", timeout=60_000)
    box = point.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url("**/run?run=*", timeout=30_000)
    page.get_by_role("heading", name="Run", exact=True).wait_for()
    many.check()


def test_selected_rows_open_the_comparison(many: Board) -> None:
    page = many.open("")
    table = page.locator('.st-key-rows [data-testid="stDataFrame"] canvas').first
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    assert box is not None
    for row in range(2):
        page.mouse.click(box["x"] + 17, box["y"] + 52 + 35 * row)
        many.settle(page)
    link = page.get_by_text("Compare 2 runs")
    link.wait_for(timeout=30_000)
    link.click()
    page.get_by_role("heading", name="By category").wait_for(timeout=60_000)
    assert page.url.count("runs=") == 2
    many.check()


def test_the_csv_is_what_the_table_shows(many: Board) -> None:
    page = many.open("?least=30")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).first.click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert rows
    assert len({row["system"].partition(" ")[0] for row in rows}) == len(rows)
    many.check()


@pytest.mark.parametrize("path", ["", "run?run=story", "question?runs=story", "method"])
def test_a_phone_shows_every_page_without_sideways_scrolling(one: Board, path: str) -> None:
    page = one.open(path, is_mobile=True, has_touch=True)
    page.set_viewport_size({"width": 390, "height": 844})
    one.settle(page)
    needs_no_scrolling_sideways(page, 399)
    one.check()


def test_the_first_screen_shows_the_answer_the_chart_and_rows(many: Board) -> None:
    page = many.open("")
    page.set_viewport_size({"width": 1400, "height": 900})
    many.settle(page)
    page.locator(".scatterlayer .points path").first.wait_for(state="attached", timeout=60_000)
    tops = [
        page.locator(place).first.bounding_box()["y"]
        for place in (".mb-answer", ".js-plotly-plot", '.st-key-rows [data-testid="stDataFrame"]')
    ]
    assert tops == sorted(tops)
    assert tops[-1] < 800, tops
    many.check()


def test_a_phone_shows_answer_chart_and_cards(many: Board) -> None:
    page = many.open("", is_mobile=True, has_touch=True)
    page.set_viewport_size({"width": 390, "height": 844})
    many.settle(page)
    assert page.locator(".mb-answer").is_visible()
    assert page.locator(".js-plotly-plot:visible").first.bounding_box()["y"] < 500
    card = page.locator(".mb-cards li").first
    assert "%" in card.inner_text()
    assert "/ question" in card.inner_text()
    assert not page.locator('.st-key-rows [data-testid="stDataFrame"]').is_visible()
    many.check()


WIDTHS = (1400, 768, 390)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_checker_of_accessibility_finds_nothing(published: Board, path: str, scheme: str) -> None:
    page = published.open(path, color_scheme=scheme, bypass_csp=True)
    for width in WIDTHS:
        as_tall_as_the_page(page, width, "document.querySelector('[data-testid=\"stMain\"]')")
        published.settle(page)
        assert violations(page) == [], width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_same_of_every_page_of_an_export(browser: Any, site: Path, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    tops = sorted(site.glob("*.html"))
    of_each = [sorted((site / folder).glob("*.html"))[0] for folder in ("boards", "runs")]
    for file in (*tops, *of_each):
        page = context.new_page()
        page.goto(file.as_uri())
        for width in WIDTHS:
            as_tall_as_the_page(page, width, "document.documentElement")
            needs_no_scrolling_sideways(page, width)
            assert violations(page) == [], (file.name, width)
        page.close()
    context.close()


def test_an_export_reads_joules_in_another_unit(browser: Any, site: Path) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto((site / "index.html").as_uri())
    cell = page.locator('th[data-id="J / question"]').first
    column = cell.evaluate("node => node.cellIndex")
    figure = page.locator(f"table[data-sortable] tbody td:nth-child({column + 1})").filter(
        has_text="measured"
    )
    joules = float(figure.first.inner_text().split(" ")[0].replace(",", ""))
    page.get_by_label("Energy in").select_option("kWh")
    assert cell.inner_text() == "Energy (kWh) / million questions"
    shown = float(figure.first.inner_text().split(" ")[0].replace(",", ""))
    assert shown == pytest.approx(joules / 3.6, rel=0.01)
    assert "kWh (measured) per million questions" in page.locator(".mb-answer").inner_text()
    axis = page.locator(".js-plotly-plot:visible .xtitle").first
    axis.get_by_text("Energy (kWh) per million questions").wait_for(state="attached")
    page.get_by_label("Energy in").select_option("J")
    assert float(figure.first.inner_text().split(" ")[0].replace(",", "")) == joules
    page.close()


def test_tables_of_an_export_are_sorted_and_searched(browser: Any, site: Path) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto((site / "profiles.html").as_uri())
    page.get_by_role("button", name="prompt tokens / turn").first.click()
    page.get_by_role("button", name="prompt tokens / turn").first.click()
    assert page.locator("th[aria-sort=descending]").count() == 1
    column = page.locator("table[data-sortable]").first.locator("tbody tr td:nth-child(4)")
    tokens = [float(text.replace(",", "")) for text in column.all_inner_texts() if text != "–"]
    assert tokens == sorted(tokens, reverse=True) and tokens[0] > tokens[-1]
    page.get_by_label("Rows that contain").first.fill("mem0")
    names = page.locator("table[data-sortable]").first.locator("tbody tr:visible td:first-child")
    assert sorted(names.all_inner_texts()) == ["mem0", "mem0-raw"]
    page.close()


def as_tall_as_the_page(page: Any, width: int, scrolled: str) -> None:
    """Make the window so tall that nothing has to be scrolled to, within reason."""
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function("() => innerHeight === 900", timeout=60_000)
    height = min(int(page.evaluate(f"{scrolled}.scrollHeight")), 8000)
    page.set_viewport_size({"width": width, "height": max(height, 900)})
    page.wait_for_function("wanted => innerWidth === wanted", arg=width, timeout=60_000)


def needs_no_scrolling_sideways(page: Any, width: int) -> None:
    """Wait until the page fits: charts are drawn anew some time after the window has changed.

    A page that stays wider ends in Playwright's timeout.
    """
    fits = "wanted => document.documentElement.scrollWidth <= wanted + 1"
    page.wait_for_function(fits, arg=width, timeout=60_000)


def violations(page: Any) -> list[str]:
    """What axe-core finds wrong, from trifles to what shuts readers out."""
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]}"
        for rule in Axe().run(page).response["violations"]
        for node in rule["nodes"]
    ]


def test_dark_mode_follows_the_reader(one: Board) -> None:
    page = one.open("", color_scheme="dark")
    colour = page.evaluate(
        "getComputedStyle(document.querySelector('[data-testid=\"stApp\"]')).backgroundColor"
    )
    red = int(colour.partition("(")[2].split(",")[0])
    assert red < 60, colour
    one.check()


def test_the_pages_are_reached_by_keyboard(one: Board) -> None:
    page = one.open("")
    seen = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement?.innerText || ''").strip())
    assert {"Amortisation", "Compare", "Run"} <= seen
    one.check()
