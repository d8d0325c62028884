"""Answers that others published stand on the board beside what was printed of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from membench.experiments.external import External, score_external
from membench.leaderboard.rendering.catalogue import repository_link
from membench.leaderboard.site.export import export
from membench.leaderboard.store.index import refresh
from membench.leaderboard.store.store import Store
from membench.leaderboard.submission.submission import submit_to
from membench.leaderboard.views import published
from membench.leaderboard.views.board.board import Board, board
from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.board.rows import energy_wanted
from membench.leaderboard.views.tables import board_records
from membench.tasks.find import find_source
from membench.tasks.record_fields import RecordFields
from membench.tasks.registry import get_task
from tests.leaderboard.test_app import drawn
from tests.tasks.playing import OPAQUE

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

STATED = {"run_by": "its vendor", "reader": "some-model", "claimed": "judged 90 %"}


def hand_in(folder: Path, name: str, answer: str, *, right: bool) -> None:
    """A file that says the same to every question of LoCoMo's sample, on a board."""
    task = get_task("locomo")
    asked = [
        {"asked": case.timeline[event].question.text, "said": answer, "right": right}
        for case, gold in task().cases(find_source(task, "sample", None), OPAQUE)
        for event in gold.questions
    ]
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"results": asked}))
    fields = RecordFields(question="asked", answer="said", verdict="right")
    named = {"name": name, "version": "1", **STATED}
    given = External("locomo", "sample", None, file, fields=fields, set=named)
    made = score_external(given, {}, folder / "runs").summary.run_id
    submit_to(folder / "runs" / made, folder / "board")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with two published files, of which the second has the better verdicts."""
    folder = tmp_path_factory.mktemp("published")
    hand_in(folder, "low", "Quarry Lane", right=False)
    hand_in(folder, "high", "not mentioned", right=True)
    return folder / "board"


def test_files_stand_with_what_their_source_says_the_best_on_top(store: Path) -> None:
    opened = Store(store)
    first, second = published.records(opened, refresh(opened), "locomo")
    assert (first["system"], second["system"]) == ("high 1", "low 1")
    assert first["claimed"] == "judged 90 %"
    assert first["judge"] == "not stated"
    assert first["Judged accuracy (%)"].startswith("100.0")
    assert second["Answer F1 (%)"] != first["Answer F1 (%)"]


def test_a_figure_that_one_file_lacks_is_a_dash_and_comes_last(tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        hand_in(tmp_path, name, "Quarry Lane", right=name == "third")
    opened = Store(tmp_path / "board")
    index = refresh(opened)
    figures = index.figures
    lost = figures["run_id"].str.contains("third") & (figures["name"] == "judged.accuracy")
    *_, last = published.records(opened, replace(index, figures=figures[~lost]), "locomo")
    assert last["system"] == "third 1"
    assert last["Judged accuracy (%)"] == "–"


def test_a_benchmark_without_such_files_has_none(store: Path) -> None:
    opened = Store(store)
    assert published.records(opened, refresh(opened), "longmemeval") == []


def board_of(store: Path) -> Board:
    return board(refresh(Store(store)), BoardQuery("locomo:sample", "open"))


def test_nobody_is_told_to_measure_joules_of_what_ran_elsewhere(store: Path) -> None:
    rows = board_of(store).all_rows
    assert rows
    assert energy_wanted(rows) == ""
    assert {record["kind"] for record in board_records(board_of(store))} == {"handed in"}
    assert "--energy" in energy_wanted([replace(row, why="") for row in rows])


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("a/b@0123abc:c/d e.json", "https://github.com/a/b/tree/0123abc"),
        ("a/b@0123abc:c/d.json", "https://github.com/a/b/blob/0123abc/c/d.json"),
        ("https://example.org/x.json", "https://example.org/x.json"),
        ("my disk", ""),
    ],
)
def test_a_file_leads_to_where_it_was_published(source: str, address: str) -> None:
    assert repository_link("file")({"file": source}) == address


def test_site_and_app_show_them(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(Store(store), tmp_path / "site")
    page = (tmp_path / "site" / "claims.html").read_text()
    assert "Published answers, scored again" in page
    assert "judged 90 %" in page
    assert (tmp_path / "site" / "data" / "published-locomo.csv").is_file()
    app = drawn("leaderboard", store, monkeypatch, task="locomo:sample", division="open")
    assert published.NOTICE in [each.value for each in app.caption]
