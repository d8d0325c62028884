"""The static site and the report: complete, self-contained, harmless."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from membench.domain.errors import RunStateError
from membench.harness.run import start
from membench.leaderboard.rendering import html
from membench.leaderboard.site.export import export
from membench.leaderboard.site.report import write_report
from membench.leaderboard.store.store import Store
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.registry import get_task, list_tasks
from membench.tasks.wording import headline_metrics, metric_words
from membench.testing.boards import BoardPlan, write_store

pytestmark = pytest.mark.slow

OUTSIDE = re.compile(r"""(?:src|href)=["'](?:https?:)?//""")
OUT = re.compile(r'<a rel="noreferrer" href="https://[^"]+">')
"""A link that a reader may follow out of the site: nothing is loaded from there."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    ids = write_store(root, BoardPlan(runs=4, questions=50))
    Store(root).withdraw(ids[0], "us", "wrong <b>data</b>", remove=True)
    target = tmp_path_factory.mktemp("site") / "site"
    assert len(export(Store(root), target).runs) == 4
    return target


def test_every_page_is_there_and_every_link_leads_somewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) >= 11
    for page in pages:
        for link in re.findall(r'href="([^"#?]+)["#?]', OUT.sub("", page.read_text())):
            assert (page.parent / link).resolve().is_file(), f"{page.name} -> {link}"


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        words = OUT.sub("", page.read_text())
        assert not OUTSIDE.search(words), page
        assert "default-src 'none'" in words


def test_strangers_words_are_escaped(site: Path) -> None:
    tombstone = next(
        p for p in (site / "runs").iterdir() if p.stem.endswith("made-up-00000")
    ).read_text()
    assert "wrong &lt;b&gt;data&lt;/b&gt;" in tombstone


def test_an_export_replaces_an_export_and_nothing_else(site: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(RunStateError, match="not empty"):
        export(Store(tmp_path / "store"), tmp_path)
    export(Store(tmp_path / "store"), site)


def test_an_empty_store_has_a_site(tmp_path: Path) -> None:
    assert len(export(Store(tmp_path / "store"), tmp_path / "site").runs) == 0
    assert "no result yet" in (tmp_path / "site/index.html").read_text()


def test_a_report_is_one_file_without_a_word_of_the_data(run_path: Path, tmp_path: Path) -> None:
    write_report(run_path, tmp_path / "report.html")
    words = (tmp_path / "report.html").read_text()
    assert not OUTSIDE.search(words)
    assert "pottery studio" not in words
    assert "evidence.turn.recall@10" in words


@pytest.mark.parametrize("task", list_tasks())
def test_every_task_has_a_report_that_names_its_metrics_for_people(
    task: str, tmp_path: Path
) -> None:
    options = ExecOptions(out=tmp_path, run_id="played", energy="none")
    summary = start(RunSpec("recent", task, "sample"), options).summary
    write_report(tmp_path / "played", tmp_path / "report.html")
    words, card = (tmp_path / "report.html").read_text(), get_task(task).card
    for name in set(headline_metrics(card)) & set(summary.metrics):
        assert html.escaped(metric_words(card, name).title) in words


def test_the_published_rows_have_a_site(published: Path, tmp_path: Path) -> None:
    rows = list(published.glob("*/*/manifest.json"))
    assert len(export(Store(published), tmp_path / "site").runs) == len(rows) > 1


@pytest.mark.parametrize("cases", [1, 2])
def test_rows_of_too_few_cases_differ_without_an_interval_or_a_test(
    tmp_path: Path, cases: int
) -> None:
    write_store(tmp_path / "store", BoardPlan(runs=4, questions=10, cases=cases, systems=4))
    out = tmp_path / "site"
    export(Store(tmp_path / "store"), out)
    found = [
        pair
        for file in (out / "data" / "boards").glob("*.js")
        for pair in json.loads(file.read_text().partition(" = ")[2].rstrip(";\n"))["pairs"]
    ]
    assert found
    assert all(isinstance(pair["value"], float) for pair in found)
    assert {(pair["low"], pair["high"], pair["p"]) for pair in found} == {(None, None, None)}


def test_a_cell_leads_where_another_column_says() -> None:
    records = [{"system": "mine", "run": "r-1"}]
    made = html.table(records, links={"system": html.leading("runs/{}.html", "run")})
    assert '<td><a href="runs/r-1.html">mine</a></td><td>r-1</td>' in made


def test_a_paragraph_in_a_table_is_its_beginning_until_it_is_opened() -> None:
    words = "a turn is kept whole; " * 20
    made = html.table([{"deviations": words, "run": "long-" * 60}])
    assert made.count(html.escaped(words)) == 1
    assert "<summary>a turn is kept whole; a turn" in made
    assert f"<td>{'long-' * 60}</td>" in made, "an id is no paragraph"


def test_markup_in_a_cell_stays_words() -> None:
    made = html.table([{"name": "<img src=x onerror=alert(1)>"}])
    assert "<img" not in made
