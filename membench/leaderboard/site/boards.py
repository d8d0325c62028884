"""Pages of boards, and the page that the site opens on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from membench.domain.labels import JsonObject
from membench.experiments.adjust import adjustment_text
from membench.leaderboard.rendering import html
from membench.leaderboard.rendering.cards import answer_html, cards_html
from membench.leaderboard.rendering.charts.layout import NARROW, WIDE
from membench.leaderboard.rendering.charts.lines import amortised_lines
from membench.leaderboard.rendering.charts.notes import chart_notes, why_no_chart
from membench.leaderboard.rendering.charts.scatter import alt_text, scatter
from membench.leaderboard.rendering.charts.selection import drawable
from membench.leaderboard.rendering.html import Sorting
from membench.leaderboard.rendering.remarks import board_remarks, brackets, showing
from membench.leaderboard.site.charts import drawn
from membench.leaderboard.site.data import board_data, question_data
from membench.leaderboard.site.folder import SiteFolder, download_links
from membench.leaderboard.site.naming import BoardName, chips, slug
from membench.leaderboard.store.index import Index
from membench.leaderboard.views import amortisation, compare
from membench.leaderboard.views.board.board import Board, board, limited
from membench.leaderboard.views.board.query import BoardQuery, RowFilter
from membench.leaderboard.views.cost_origin import origin_help, origin_note
from membench.leaderboard.views.tables import (
    GAIN,
    board_records,
    column_words,
    frontier_records,
    to_csv,
)
from membench.records.costs import COSTS, MAIN_COSTS

INTRODUCTION = (
    '<p>membench tells memory systems long <a href="glossary.html#history">histories</a>, asks '
    "them questions about these, and measures how much they remember and what a question costs. "
    "Choose a benchmark and a "
    '<a href="glossary.html#division">division</a> (what a run may use); each board sorts its '
    'systems by score, gives every row a <a href="glossary.html#rank-range">range of ranks</a> '
    'that the data allow, and marks the <a href="glossary.html#frontier">frontier</a>: the rows '
    "that nothing beats for less.</p>"
)
TERMS = (
    "division",
    "kind",
    "reader",
    "judge",
    "k",
    "redraw",
    "meter",
)
"""Words on a board that are explained in the glossary."""

EVERY = "Every configuration, other costs, amortisation and comparisons of this board"


@dataclass(frozen=True)
class Place:
    """Where a part of a board's page stands.

    Attributes:
        names: Every board.
        up: From the page to the folder of the site.
    """

    names: Mapping[str, BoardName]
    up: str


WITHIN_TABLE = "p is corrected for the lines of this table, not for all pairs as the ranks are"
"""Which family of tests a table's p values are of."""


def write_board(site: SiteFolder, shown: Board, names: Mapping[str, BoardName]) -> None:
    """The page of one board: the answer, a chart for every cost it knows, and every row."""
    name = slug(shown.choice)
    views = cost_views(site.index, shown)
    records: JsonObject = {axis: board_records(view) for axis, view in views.items()}
    if not records:
        records[shown.choice.axis] = board_records(shown)
    site.json(f"{name}.json", records)
    site.write(f"data/{name}.csv", to_csv(next(iter(records.values()))))
    first, *others = views.values() or [shown]
    place = Place(names, "../")
    parts = [ways(place, name), landing(first, place), *map(axis_section, others)]
    parts += [amortised(site, shown.choice), compared(site, shown)]
    site.page(f"boards/{name}.html", names[name].title, "".join(parts))
    site.data(f"boards/{name}", board_data(site.index, shown, views))
    site.data(f"questions/{name}", question_data(site.store, shown))


def write_index(site: SiteFolder, boards: list[Board], names: Mapping[str, BoardName]) -> None:
    """The landing page: what this is, and the first board as the app opens it."""
    parts = [html.note("There is no result yet.")]
    if boards:
        first = boards[0]
        name = names[slug(first.choice)]
        views = cost_views(site.index, first)
        shown = next(iter(views.values()), first)
        shown = limited(shown, None, rows=RowFilter(every=False))
        every = f'<p><a href="boards/{html.escaped(name.slug)}.html">{EVERY}</a></p>'
        title = f"<h2>{html.escaped(name.title)}</h2>"
        parts = [INTRODUCTION, chips(names, name.slug, ""), title]
        parts += [landing(shown, Place(names, "")), every]
    site.page("index.html", "membench leaderboard", "".join(parts))
    site.write("board.json", json.dumps({"boards": list(names)}, indent=1))


def ways(place: Place, here: str) -> str:
    """From a board's page back, to its siblings, and to every other board."""
    mine = {name: it for name, it in place.names.items() if it.task == place.names[here].task}
    shown = chips(mine, here, place.up)
    if len(place.names) > len(mine):
        every = chips(place.names, here, place.up)
        shown += html.folded(f"All {len(place.names)} boards", every)
    return shown


def cost_views(index: Index, shown: Board) -> dict[str, Board]:
    """The board on every cost that it knows, the one it opens on first."""
    axes = dict.fromkeys([shown.choice.axis, *(cost.id for cost in MAIN_COSTS)])
    views = {axis: board(index, replace(shown.choice, axis=axis, machine="")) for axis in axes}
    return {axis: view for axis, view in views.items() if drawable(view)}


def landing(view: Board, place: Place) -> str:
    """What a visitor sees first: the answer, the chart, the rows, and how to read them."""
    address = f"{place.up}runs/{{}}.html".format
    chart = charts_of(view) if drawable(view) else html.note(why_no_chart(view))
    words = column_words(view)
    name = slug(view.choice)
    files = {"CSV": f"{name}.csv", "JSON, every cost": f"{name}.json"}
    return "".join(
        [
            answer_html(view, address),
            chart,
            html.note(" ".join(chart_notes(view))),
            "<h2>Rows</h2>",
            html.note(showing(view)),
            f'<div class="narrow">{cards_html(view, address)}</div>',
            f'<div class="wide-only">{rows_table(view, "Rows", place.up)}</div>',
            html.meanings(board_records(view), words),
            download_links(place.up, files),
            *map(html.note, board_remarks(view)),
            glossary_words(place.up),
            html.folded("The frontier as text", html.table(frontier_records(view), words=words)),
        ]
    )


def glossary_words(up: str) -> str:
    """Words that the rows and the protocol use, and where they are explained."""
    links = ", ".join(f'<a href="{up}glossary.html#{word}">{word}</a>' for word in TERMS)
    return f'<p class="note">In the glossary: {links}.</p>'


def rows_table(view: Board, caption: str, up: str) -> str:
    """The rows of a board under titles, each run a link; rank and system stay in sight."""
    links = {"system": html.leading(f"{up}runs/{{}}.html", "run")}
    records = board_records(view)
    score = [] if view.choice.lower else [view.choice.metric]
    high = frozenset({GAIN, "n", "attempts", "date", *score})
    ranked = bool(records) and "rank" in records[0]
    sorting = Sorting("rank" if ranked else "", high, 2 if ranked else 1)
    return html.table(records, caption, links, column_words(view), sorting)


def charts_of(view: Board) -> str:
    """The chart with names for wide screens, and one with names for narrow ones."""
    wide, narrow = (drawn(scatter(view, width)) for width in (WIDE, NARROW))
    words = html.escaped(alt_text(view))
    return (
        f'<div class="wide-only" role="group" aria-label="{words}">{wide}</div>'
        f'<div class="narrow" role="group" aria-label="{words}">{narrow}</div>'
    )


def axis_section(view: Board) -> str:
    """Chart and rows of a further kind of cost."""
    axis = COSTS[view.choice.axis]
    words = column_words(view)
    rows = rows_table(view, f"Rows by {axis.title.lower()}", "../")
    return html.section(
        axis.title,
        charts_of(view),
        html.note(" ".join(chart_notes(view))),
        html.folded("Rows", rows + html.note(brackets(view))),
        html.folded("The frontier as text", html.table(frontier_records(view), words=words)),
    )


def amortised(site: SiteFolder, choice: BoardQuery) -> str:
    """Amortisation of energy where rows have any, else of time."""
    views = (board(site.index, replace(choice, axis=axis)) for axis in ("joules", "seconds"))
    pages = (amortisation.amortisation(view) for view in views)
    page = next((page for page in pages if page.lines), None)
    if page is None:
        return ""
    records, words = amortisation.records(page), amortisation.column_words(page)
    return html.section(
        "Amortisation",
        drawn(amortised_lines(page)),
        html.table(records, amortisation.TABLE, words=words, sorting=Sorting()),
        html.meanings(records, words),
        site.downloads(f"amortisation-{slug(choice)}", records, "../"),
        html.note(page.left_out),
        html.note("" if page.accuracy else amortisation.NO_ACCURACY),
        html.note(origin_help(COSTS[page.axis])),
    )


def compared(site: SiteFolder, shown: Board) -> str:
    """The best rows against each other."""
    best = [row.run_id for row in shown.rows if not row.why][: compare.MOST]
    if len(best) < 2:
        return ""
    comparison = compare.compare(site.store, site.index, best, shown.choice.metric)

    def readable(records: Callable[[compare.ComparisonView], list[JsonObject]]) -> list[JsonObject]:
        return compare.readable(records(comparison), comparison)

    address = f"../compare.html?board={slug(shown.choice)}"
    return html.section(
        "The best rows compared",
        html.note(f"First: {next(iter(comparison.labels.values()))}."),
        html.note(adjustment_text(comparison.pairs)),
        html.table(
            readable(compare.summary_records),
            f"The first against each of the others: {WITHIN_TABLE}",
        ),
        html.table(readable(compare.category_records), f"By category: {WITHIN_TABLE}"),
        html.table(readable(compare.ratio_records), "Costs"),
        html.note(origin_note()),
        f"<p>{html.anchor(address, 'Any two rows of this board, question by question')}</p>",
    )
