"""Tables: nothing is lost in a narrow terminal, and a row stays a line in a pipe."""

import pytest
from rich.console import Console
from rich.table import Table

from membench.cli.output import console
from membench.cli.output.console import columns_needed, paragraphs, show

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


def test_data_that_cannot_be_fetched_is_not_offered():
    from membench.cli.output.data import how_to_get
    from membench.tasks.download import status
    from membench.tasks.registry import get_task

    tasks = [get_task(name) for name in ("beam", "locomo")]
    told = {(each.task, each.split): how_to_get(each) for each in status(tasks)}
    assert told["beam", "1M"] == "name your own copy with --data PATH"
    assert told["locomo", "locomo10"] == "membench data get locomo"
