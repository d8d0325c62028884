"""Accuracy against cost as a picture: what `leaderboard.rendering.plot` promises."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest
from records.summaries import summary_of

from membench.domain.errors import UnknownName, UsageError
from membench.domain.score import Score
from membench.experiments.finished_run import FinishedRun
from membench.leaderboard.rendering import plot
from membench.leaderboard.rendering.plot import PlottedRun, figure, mark, marks, write_plot


def run(
    name: str,
    value: float | None,
    tokens: dict[str, float],
    granted: bool = False,
    joules: float | None = None,
) -> FinishedRun:
    scores = [
        Score(case, f"{case}/q{i}", "question", None, "scored", {"hit": 1.0})
        for case in ("a", "b", "c")
        for i in range(4)
    ]
    summary = summary_of(
        run_id=name,
        metrics={"hit": {"value": value, "ci95": [0.2, 0.6], "n": 12, "clusters": 3}},
        counts={"questions": 12, "cases": 3},
        time_s={phase: {"total": 6.0} for phase in ("ingest", "recall", "answer")},
        context_tokens={"mean": sum(tokens.values()) / 12},
        energy={
            "phases": {
                "recall": {"joules": joules},
                "answer": {"joules": 0.0},
                "ingest": {"joules": 120.0},
            }
        },
    )
    seconds = {"a": 1.0, "b": 3.0, "c": 2.0}
    costs = {
        "recall.context_tokens": tokens,
        "answer.context_tokens": dict.fromkeys("abc", 0.0),
        "recall.seconds": seconds,
        "answer.seconds": seconds,
    }
    return FinishedRun(summary, scores, costs, granted)


RUN = run("one", 0.4, {"a": 40.0, "b": 80.0, "c": 60.0})


def test_a_mark_is_cost_per_question_with_an_interval_above_zero() -> None:
    found = mark(RUN, "hit", "context_tokens")
    assert found is not None
    assert found.cost == pytest.approx(15.0)
    assert found.cost_ci95 is not None
    assert 0 < found.cost_ci95[0] < 15 < found.cost_ci95[1]
    assert (found.accuracy, found.accuracy_ci95) == (0.4, (0.2, 0.6))


def test_a_unit_alone_means_recall_and_answer_together() -> None:
    found = mark(RUN, "hit", "seconds")
    assert found is not None
    assert found.cost == pytest.approx(1.0)


def test_joules_have_no_interval_and_ingestion_is_no_cost_of_a_question() -> None:
    found = mark(run("lit", 0.4, {}, joules=24.0), "hit", "joules")
    assert found is not None
    assert (found.cost, found.cost_ci95) == (2.0, None)


def test_the_cost_of_building_a_memory_is_per_history() -> None:
    found = mark(run("lit", 0.4, {}, joules=24.0), "hit", "setup.joules")
    assert found is not None
    assert found.cost == pytest.approx(40.0)
    assert "per history" in figure([found], "hit", "setup.joules").layout.xaxis.title.text


def test_two_cases_have_no_error_bar() -> None:
    two = dataclasses.replace(RUN, costs={n: {"a": 1.0, "b": 3.0} for n in RUN.costs})
    found = mark(two, "hit", "seconds")
    assert found is not None
    assert found.cost_ci95 is None


def test_a_cost_of_zero_or_unknown_is_not_drawn() -> None:
    free = run("free", 0.4, dict.fromkeys("abc", 0.0))
    assert mark(free, "hit", "context_tokens") is None
    assert mark(run("dark", 0.4, {}), "hit", "recall.joules") is None
    assert [m.name for m in marks([RUN, free], "hit", "context_tokens")] == ["toy (one)"]


def test_unknown_metrics_and_costs_are_refused() -> None:
    with pytest.raises(UnknownName, match="metric"):
        marks([RUN], "hits", "context_tokens")
    with pytest.raises(UnknownName, match="cost"):
        marks([RUN], "hit", "context_token")


MARKS = [
    PlottedRun("cheap", "a", 10.0, (8.0, 12.0), 0.3, (0.2, 0.4)),
    PlottedRun("worse", "b", 20.0, None, 0.2, None),
    PlottedRun("dear", "c", 100.0, (90.0, 111.0), 0.5, (0.4, 0.6)),
    PlottedRun("told", "d", 1.0, None, 0.9, None, ceiling=True),
]


def test_the_step_frontier_joins_what_nothing_dominates() -> None:
    pytest.importorskip("plotly")
    line = figure(MARKS, "hit", "context_tokens").data[0]
    assert line.line.shape == "hv"
    assert list(zip(line.x, line.y, strict=True)) == [(10.0, 0.3), (100.0, 0.5), (100.0, 0.5)]


def test_cost_is_on_a_log_axis_and_both_have_error_bars() -> None:
    pytest.importorskip("plotly")
    drawing = figure(MARKS, "hit", "context_tokens")
    assert drawing.layout.xaxis.type == "log"
    cheap = next(trace for trace in drawing.data if trace.name == "cheap")
    assert (cheap.error_x.array[0], cheap.error_x.arrayminus[0]) == (2.0, 2.0)
    assert cheap.error_y.array[0] == pytest.approx(0.1)


def test_html_needs_nothing_from_outside(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    write_plot(tmp_path / "plot.html", MARKS, "hit", "context_tokens")
    page = (tmp_path / "plot.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']http", page)
    assert "cheap" in page


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.gif"):
        write_plot(tmp_path / "plot.gif", MARKS, "hit", "context_tokens")


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    with pytest.raises(UsageError, match="No such file"):
        write_plot(tmp_path / "nowhere" / "plot.html", MARKS, "hit", "context_tokens")


def test_without_a_browser_a_picture_is_refused_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UsageError, match="Chromium") as caught:
        write_plot(tmp_path / "plot.png", MARKS, "hit", "context_tokens")
    assert ".html" in caught.value.remedy


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize(("name", "magic"), [("p.png", b"\x89PNG"), ("p.svg", b"<svg")])
def test_a_browser_draws_pictures(tmp_path: Path, name: str, magic: bytes) -> None:
    pytest.importorskip("plotly")
    if not any(map(shutil.which, plot.BROWSERS)):
        pytest.skip("no browser")
    write_plot(tmp_path / name, MARKS, "hit", "context_tokens")
    content = (tmp_path / name).read_bytes()
    assert content.startswith(magic)
    assert len(content) > 5_000
