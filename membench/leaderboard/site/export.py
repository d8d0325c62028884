"""`membench leaderboard --export DIR`: the same board as files, for any web server or none.

HTML and JSON, with the chart library copied beside them; a content policy forbids every outside
request. Words of datasets are never in it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from membench.domain.errors import RunStateError
from membench.domain.labels import JsonObject
from membench.energy.carbon import intensities
from membench.leaderboard.rendering import html
from membench.leaderboard.site.boards import write_board, write_index
from membench.leaderboard.site.charts import LOCAL_TOOLS
from membench.leaderboard.site.data import compared_rows
from membench.leaderboard.site.folder import SCRIPTS, SiteFolder
from membench.leaderboard.site.naming import BoardName, board_names, slug
from membench.leaderboard.site.runs import run_ways, write_run
from membench.leaderboard.site.words import write_words
from membench.leaderboard.store.index import Index, refresh
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.board.board import Board, board
from membench.leaderboard.views.board.choices import divisions, tasks
from membench.leaderboard.views.board.query import BoardQuery


def export(store: Store, to: Path) -> Index:
    """Write the whole site.

    Returns:
        What it shows: a page for each of its runs, and which folders are left out.

    Raises:
        RunStateError: `to` exists and is not an export.
    """
    if to.exists() and any(to.iterdir()) and not (to / "board.json").exists():
        raise RunStateError(f"{to} is not empty and no export", "Name a new folder.")
    site = SiteFolder(to, store, refresh(store))
    boards = [board(site.index, choice) for choice in choices(site.index)]
    names = board_names(boards)
    for shown in boards:
        write_board(site, shown, names)
    write_index(site, boards, names)
    write_words(site, names)
    write_interactive(site, boards, names)
    ways = run_ways(site, names, {row.run_id for it in boards for row in compared_rows(it)})
    for run_id in site.index.runs["run_id"]:
        write_run(site, str(run_id), ways)
    copy_library(to)
    return site.index


def choices(index: Index) -> Iterator[BoardQuery]:
    """Every board there is: task, division, group."""
    for task in tasks(index):
        for division in divisions(index, task):
            groups = board(index, BoardQuery(task=task, division=division)).groups
            for group in groups:
                yield BoardQuery(task=task, division=division, group=group)


def write_interactive(
    site: SiteFolder, boards: Sequence[Board], names: Mapping[str, BoardName]
) -> None:
    """Compare and Question: pages that a script fills from the data files."""
    there = [names[slug(shown.choice)] for shown in boards if compared_rows(shown)]
    listed_boards: list[JsonObject] = [{"slug": it.slug, "title": it.title} for it in there]
    site.data("boards", listed_boards)
    grids = sorted(intensities().values(), key=lambda grid: grid.country)
    site.data("grids", [asdict(grid) for grid in grids])
    site.data("tools", LOCAL_TOOLS)
    for name, words in (
        ("compare", "Two rows of a board, paired question by question."),
        ("question", "One question, and what each row made of it."),
    ):
        waiting = "Loading." if listed_boards else "There is no result yet."
        place = name if listed_boards else "empty"
        said = '<p id="said" role="status" class="note"></p>'
        body = html.note(words) + said + f'<div id="{place}">{waiting}</div>'
        site.page(f"{name}.html", name.capitalize(), body)


def copy_library(to: Path) -> None:
    """Plotly's script, from the installed package."""
    import plotly

    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    (to / "assets").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to / "assets" / "plotly.min.js")
    for name in SCRIPTS:
        shutil.copyfile(Path(__file__).parent / name, to / "assets" / name)
