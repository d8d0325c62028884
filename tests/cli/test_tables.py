"""Tables: nothing is lost in a narrow terminal, and a row stays a line in a pipe."""

import pytest
from rich.console import Console
from rich.table import Table

from membench.cli.output import console
from membench.cli.output.console import columns_needed, paragraphs, show
from membench.cli.output.verified import say_origins

LONG = "Cosine similarity of embeddings over turns, sessions or windows, with any embedder."


def table() -> Table:
    made = Table(box=None, pad_edge=False)
    made.add_column("system", no_wrap=True)
    made.add_column("recall@\n10", no_wrap=True, justify="right")
    made.add_column("what it is", overflow="fold")
    made.add_row("full_context", "0.500", LONG)
    made.add_row("none", "", "Nothing.")
    return made


def shown(monkeypatch, capsys, width: int) -> str:
    monkeypatch.setattr(console, "out", lambda: Console(highlight=False, width=width))
    show(table())
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [20, 30, 44, 60, 80, 200])
def test_every_word_is_shown_within_the_width(monkeypatch, capsys, width):
    text = shown(monkeypatch, capsys, width)
    assert max(map(len, text.splitlines())) <= width
    words = set(text.replace(",", " ").split())
    assert {"full_context", "0.500", "Cosine", "embedder."} <= words
    assert "…" not in text


def test_a_wide_place_has_one_line_per_row_without_trailing_spaces(monkeypatch, capsys):
    lines = shown(monkeypatch, capsys, 10_000).splitlines()
    assert len(lines) == 4
    assert [line.rstrip() for line in lines] == lines


def test_a_table_that_does_not_fit_becomes_a_paragraph_per_row():
    assert columns_needed(table()) == len("full_context") + len("recall@") + 20 + 4
    rows = "".join(paragraphs(table(), 30)).splitlines()
    assert rows[0] == "full_context"
    assert rows[1].startswith("  recall@10 0.500, what it is")
    assert rows[-2:] == ["none", "  what it is Nothing."]


def runs_table() -> Table:
    made = Table(box=None, pad_edge=False)
    for name in ("run", "created", "task", "headline"):
        made.add_column(name, no_wrap=True)
    made.add_column("n", no_wrap=True, justify="right")
    for system, n in (("bm25", "1,986"), ("recent", "40")):
        run = f"20261201T030014Z-locomo-{system}-f7d9a170"
        made.add_row(run, "2026-12-01 03:00", "locomo (locomo10)", "evidence.recall@10 0.7", n)
    return made


@pytest.mark.parametrize("width", [66, 80, 100, 10_000])
def test_columns_stay_below_each_other_in_a_narrow_terminal(monkeypatch, capsys, width):
    monkeypatch.setattr(console, "out", lambda: Console(highlight=False, width=width))
    show(runs_table(), spare=("created",))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= min(width, console.WIDEST)
    (head,) = (line for line in lines if line.startswith("run"))
    first, second = (next(line for line in lines if n in line) for n in ("1,986", " 40"))
    end = head.index(" n") + 2
    assert first.endswith("1,986") and len(first) == len(second) == end
    assert ("created" in head) == (width >= 80)
    assert ("(no room for: created)" in lines) == (width < 80)


def test_no_table_in_a_pipe_is_wider_than_a_screen(monkeypatch, capsys):
    monkeypatch.setattr(console, "out", lambda: Console(highlight=False, width=console.UNBOUNDED))
    wide = Table(box=None, pad_edge=False)
    for n in range(12):
        wide.add_column(f"column {n}", no_wrap=True)
    wide.add_row(*["some words that are long"] * 12)
    show(wide)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 200
    assert lines[0].split("  ")[0] == "column 0"


def test_data_that_cannot_be_fetched_is_not_offered():
    from membench.cli.output.data import how_to_get
    from membench.tasks.download import status
    from membench.tasks.registry import get_task

    tasks = [get_task(name) for name in ("beam", "locomo")]
    told = {(each.task, each.split): how_to_get(each) for each in status(tasks)}
    assert told["beam", "1M"] == "name your own copy with --data PATH"
    assert told["locomo", "locomo10"] == "membench data get locomo"


def test_the_metrics_of_a_bundle_are_counted_and_folded(capsys):
    names = {f"evidence.turn.recall@{n}": "re-scored" for n in range(40)}
    say_origins({**names, "judged.accuracy": "judged"})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("re-scored, 40 metrics: evidence.turn.recall@0, ")
    assert lines[-1] == "judged, 1 metric: judged.accuracy"
    assert max(map(len, lines)) <= 100
