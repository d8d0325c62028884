"""The static site and a report in a real Chromium: phones, keyboards, sorting, charts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from membench.harness.run import start
from membench.leaderboard.site.export import export
from membench.leaderboard.site.report import write_report
from membench.leaderboard.store.store import Store
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.boards import BoardPlan, write_store

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium"),
    pytest.mark.filterwarnings("ignore"),
]

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    write_store(root, BoardPlan(runs=40, questions=40, systems=8))
    folder = tmp_path_factory.mktemp("exported") / "site"
    export(Store(root), folder)
    return folder


def opened(browser: Any, file: Path, size: dict[str, int], query: str = "") -> Any:
    """A page whose errors fail the test that looks at `page.failures`."""
    page = browser.new_page(viewport=size)
    page.failures = []
    page.on("pageerror", lambda error: page.failures.append(str(error)))
    page.goto(file.as_uri() + query)
    return page


def board_file(site: Path) -> Path:
    """The page of the first board."""
    return min((site / "boards").iterdir())


def run_file(site: Path) -> Path:
    """The page of the first run."""
    return min((site / "runs").glob("*.html"))


def test_bars_on_a_phone_are_as_long_as_their_scores(browser: Any, tmp_path: Path) -> None:
    options = ExecOptions(out=tmp_path, run_id="mine", energy="none")
    start(RunSpec("bm25", "locomo", split="sample"), options)
    write_report(tmp_path / "mine", tmp_path / "mine.html")
    page = opened(browser, tmp_path / "mine.html", PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    tracks = page.locator(".mb-track")
    assert tracks.count() > 1
    for number in range(tracks.count()):
        box = tracks.nth(number).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
        assert box["width"] > 300
    heading = page.get_by_role("heading", level=1).inner_text()
    assert "locomo (sample)" in heading and "run mine" in heading
    page.close()


def test_every_row_of_a_board_is_reached_on_a_phone(browser: Any, site: Path) -> None:
    page = opened(browser, board_file(site), PHONE)
    more = page.locator(".mb-cards + details")
    assert more.count() == 1
    more.locator("summary").first.click()
    assert page.locator(".mb-cards > li:visible").count() == 40
    assert page.failures == []
    page.close()


def test_rank_and_system_stay_when_a_table_is_scrolled(browser: Any, site: Path) -> None:
    page = opened(browser, board_file(site), {"width": 820, "height": 900})
    box = page.locator(".scroll").first
    link = box.locator("tbody a").first
    before = link.bounding_box()["x"]
    box.evaluate("node => { node.scrollLeft = 400; }")
    assert box.evaluate("node => node.scrollLeft") > 100
    assert link.bounding_box()["x"] == before
    page.close()


def test_what_is_unknown_comes_last_whichever_way_a_table_is_sorted(
    browser: Any, site: Path
) -> None:
    page = opened(browser, board_file(site), DESKTOP)
    head = page.locator("th[data-id='J / question']").first
    number = head.evaluate("node => node.cellIndex") + 1
    table = page.locator("table[data-sortable]").first
    cells = table.locator(f"tbody td:nth-child({number})")
    button = head.locator("button")
    for _ in range(2):
        button.click()
        texts = cells.all_inner_texts()
        dashes = [number for number, text in enumerate(texts) if text == "–"]
        assert dashes == list(range(len(texts) - len(dashes), len(texts)))
        assert 0 < len(dashes) < len(texts)
    assert head.get_attribute("aria-sort") == "descending"
    page.close()


def test_the_best_score_comes_first_at_the_first_click(browser: Any, site: Path) -> None:
    page = opened(browser, board_file(site), DESKTOP)
    head = page.locator("table[data-sortable] th[data-first=descending]").first
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    number = head.evaluate("node => node.cellIndex") + 1
    texts = page.locator("table[data-sortable]").first.locator(f"tbody td:nth-child({number})")
    scores = [float(text.split()[0]) for text in texts.all_inner_texts() if text != "–"]
    assert scores == sorted(scores, reverse=True)
    page.close()


def test_the_chart_library_is_loaded_when_a_chart_is_seen(browser: Any, site: Path) -> None:
    assert "plotly" not in board_file(site).read_text().partition("<body")[0]
    page = opened(browser, board_file(site), DESKTOP)
    page.locator(".js-plotly-plot:visible").first.wait_for(timeout=30_000)
    drawn, there = (page.locator(name).count() for name in (".js-plotly-plot", ".mb-chart"))
    assert 0 < drawn < there, "those further down wait"
    assert page.get_by_title("Share chart...").count() == 0
    assert page.failures == []
    page.close()


def test_no_chart_of_compare_is_sent_anywhere_and_its_axis_has_a_title(
    browser: Any, site: Path
) -> None:
    page = opened(browser, site / "compare.html", DESKTOP)
    page.locator(".js-plotly-plot .ytitle").first.wait_for(state="attached", timeout=30_000)
    tools = page.locator(".modebar-btn").evaluate_all("all => all.map(n => n.dataset.title)")
    assert tools and not any("hare" in (tool or "") for tool in tools)
    assert page.get_by_role("heading", name="Scores and costs").count() == 1
    assert page.failures == []
    page.close()


def test_the_control_that_was_used_keeps_the_focus(browser: Any, site: Path) -> None:
    page = opened(browser, site / "compare.html", DESKTOP)
    second = page.get_by_label("Second")
    second.wait_for(timeout=30_000)
    second.focus()
    values = second.evaluate("node => [...node.options].map((one) => one.value)")
    other = next(value for value in values[2:] if value != second.input_value())
    second.select_option(other)
    page.wait_for_function(
        "other => location.search.includes(encodeURIComponent(other))", arg=other
    )
    page.wait_for_function("() => document.activeElement.dataset.control === 'Second'")
    assert "Compared: " in page.get_by_role("status").inner_text()
    page.close()


def test_next_can_be_pressed_again_and_again(browser: Any, site: Path) -> None:
    page = opened(browser, site / "question.html", DESKTOP)
    page.get_by_role("button", name="Next").wait_for(timeout=30_000)
    page.get_by_role("button", name="Next").focus()
    for number in (2, 3):
        page.keyboard.press("Enter")
        page.get_by_text(f"Question {number} of 40").wait_for(timeout=30_000)
        assert page.evaluate("document.activeElement.textContent") == "Next"
    assert page.get_by_role("heading", name="Scores").count() == 1
    page.close()


def test_a_run_leads_to_its_board_its_comparison_and_its_questions(
    browser: Any, site: Path
) -> None:
    page = opened(browser, run_file(site), DESKTOP)
    assert page.evaluate("document.documentElement.scrollHeight") < 6000
    page.get_by_role("link", name="Compare with another row").click()
    page.get_by_label("First").wait_for(timeout=30_000)
    assert page.get_by_label("First").input_value() == run_file(site).stem
    page.go_back()
    page.locator("main a").first.click()
    assert "/boards/" in page.url
    page.close()


def test_the_count_of_a_systems_runs_leads_to_them(browser: Any, site: Path) -> None:
    page = opened(browser, site / "runs.html", DESKTOP, "?contains=zzz")
    assert page.locator("tbody tr:visible").count() == 0
    assert page.get_by_label("Rows that contain").input_value() == "zzz"
    page.close()
