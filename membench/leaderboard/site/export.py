"""`membench leaderboard --export DIR`: the same board as files, for any web server or none.

HTML and JSON, with the chart library copied beside them; a content policy forbids every outside
request. Words of datasets are never in it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from membench.domain.errors import RunStateError
from membench.domain.labels import JsonObject, JsonView
from membench.energy.carbon import intensities
from membench.experiments.adjust import adjustment_text
from membench.leaderboard.rendering import html
from membench.leaderboard.rendering.cards import (
    CARD_STYLE,
    answer_html,
    cards_html,
    record_cards,
)
from membench.leaderboard.rendering.charts.layout import CONFIG, NARROW, WIDE
from membench.leaderboard.rendering.charts.lines import amortised_lines
from membench.leaderboard.rendering.charts.notes import chart_notes, why_no_chart
from membench.leaderboard.rendering.charts.scatter import alt_text, scatter
from membench.leaderboard.rendering.charts.selection import drawable
from membench.leaderboard.rendering.standing import STANDING_STYLE, standing_html
from membench.leaderboard.site.data import (
    answer_data,
    board_data,
    compared_rows,
    question_data,
    script_of,
)
from membench.leaderboard.site.report import body as run_body
from membench.leaderboard.store.index import Index, refresh
from membench.leaderboard.store.rows import task_class
from membench.leaderboard.store.store import Store
from membench.leaderboard.validation import RULES
from membench.leaderboard.views import amortisation, claims, compare, glossary, profiles
from membench.leaderboard.views import run as run_view
from membench.leaderboard.views.board.board import Board, board, limited
from membench.leaderboard.views.board.choices import divisions, listed, tasks
from membench.leaderboard.views.board.query import BoardQuery, RowFilter
from membench.leaderboard.views.catalogue import system_records, task_records
from membench.leaderboard.views.cost_origin import origin_help, origin_note
from membench.leaderboard.views.reproduce import command_of
from membench.leaderboard.views.standing import standing
from membench.leaderboard.views.tables import (
    board_records,
    column_words,
    frontier_records,
    to_csv,
    to_json,
)
from membench.records.costs import COSTS, MAIN_COSTS
from membench.records.summary import Summary

SCRIPTS = ("site.js", "tables.js")
WORDS = Path(__file__).parents[1] / "app"
LINKS = {
    "Leaderboard": "index.html",
    "Compare": "compare.html",
    "Question": "question.html",
    "Systems": "systems.html",
    "Profiles": "profiles.html",
    "Tasks": "tasks.html",
    "Published claims": "claims.html",
    "Glossary": "glossary.html",
    "Method": "method.html",
    "Submit": "submit.html",
}


@dataclass(frozen=True)
class SiteFolder:
    """Where the site goes and what it is made of."""

    root: Path
    store: Store
    index: Index

    def write(self, name: str, text: str) -> None:
        """Write one file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def page(self, name: str, title: str, body: str, head: str = "") -> None:
        """Write one page; pages in a folder point one up."""
        up = "../" * name.count("/")
        scripts = f"<style>{CARD_STYLE}{STANDING_STYLE}</style>"
        scripts += "".join(f'<script src="{up}assets/{name}"></script>' for name in SCRIPTS)
        links = {words: up + to for words, to in LINKS.items()}
        self.write(name, html.page(title, body, links, head + scripts, up))


def export(store: Store, to: Path) -> int:
    """Write the whole site.

    Returns:
        How many pages of runs it has.

    Raises:
        RunStateError: `to` exists and is not an export.
    """
    if to.exists() and any(to.iterdir()) and not (to / "board.json").exists():
        raise RunStateError(f"{to} is not empty and no export", "Name a new folder.")
    site = SiteFolder(to, store, refresh(store))
    boards = [write_board(site, choice) for choice in choices(site.index)]
    write_index(site, boards)
    write_words(site)
    write_interactive(site, boards)
    runs = [str(run) for run in site.index.runs["run_id"]]
    for run_id in runs:
        write_run(site, run_id)
    copy_library(to)
    return len(runs)


def choices(index: Index) -> Iterator[BoardQuery]:
    """Every board there is: task, division, group."""
    for task in tasks(index):
        for division in divisions(index, task):
            groups = board(index, BoardQuery(task=task, division=division)).groups
            for group in groups:
                yield BoardQuery(task=task, division=division, group=group)


def slug(choice: BoardQuery) -> str:
    """File name of a board."""
    return f"{choice.task.replace(':', '-')}-{choice.division}-{choice.group}"


def write_board(site: SiteFolder, choice: BoardQuery) -> Board:
    """The page of one board: the answer, a chart for every cost it knows, and every row."""
    shown = board(site.index, choice)
    name = slug(choice)
    views = cost_views(site.index, shown)
    records: JsonObject = {axis: board_records(view) for axis, view in views.items()}
    if not records:
        records[shown.choice.axis] = board_records(shown)
    first, *others = views.values() or [shown]
    parts = [landing(first, "../"), *map(axis_section, others)]
    parts += [amortised(site, choice), compared(site, shown)]
    site.page(f"boards/{name}.html", title_of(choice), "".join(parts), script("../"))
    site.write(f"data/{name}.json", json.dumps(records, ensure_ascii=False, indent=1))
    site.write(f"data/{name}.csv", to_csv(next(iter(records.values()))))
    write_data(site, f"boards/{name}", board_data(site.index, shown, views))
    write_data(site, f"questions/{name}", question_data(site.store, shown))
    return shown


def cost_views(index: Index, shown: Board) -> dict[str, Board]:
    """The board on every cost that it knows, the one it opens on first."""
    axes = dict.fromkeys([shown.choice.axis, *(cost.id for cost in MAIN_COSTS)])
    views = {axis: board(index, replace(shown.choice, axis=axis, machine="")) for axis in axes}
    return {axis: view for axis, view in views.items() if drawable(view)}


def write_data(site: SiteFolder, name: str, value: JsonObject | list[JsonObject]) -> None:
    """Write one data file for the scripts of the pages."""
    site.write(f"data/{name}.js", script_of(name, value))


def landing(view: Board, up: str, chips: str = "") -> str:
    """What a visitor sees first: the answer, the chart, the rows, and how to read them.

    Args:
        view: The board.
        up: From the page to the folder of the site.
        chips: Ways to other boards, as HTML.
    """
    address = f"{up}runs/{{}}.html".format
    words = view.choice.words if view.choice.metric else None
    reading = f"{words.titled}: {words.meaning}; {words.direction}." if words else ""
    chart = charts_of(view) if drawable(view) else html.note(why_no_chart(view))
    chart += html.note(" ".join(chart_notes(view)))
    remarks = [reading, origin_help(COSTS[view.choice.axis]), view.judge_wanted]
    table = rows_table(view, "Rows", up)
    return "".join(
        [
            answer_html(view, address),
            chips,
            chart,
            f'<div class="narrow">{cards_html(view, address)}</div>',
            f'<div class="wide-only">{table}</div>',
            *(html.note(remark) for remark in remarks if remark),
            html.note(f"Protocol: {view.groups.get(view.choice.group, '')}."),
            folded("The frontier as text", html.table(frontier_records(view))),
        ]
    )


def rows_table(view: Board, caption: str, up: str) -> str:
    """The rows of a board under titles, each run a link."""
    links = {"system": (f"{up}runs/{{}}.html", "run")}
    return html.table(board_records(view), caption, links, column_words(view), sortable=True)


def charts_of(view: Board) -> str:
    """The chart with names for wide screens, and one with names for narrow ones."""
    wide, narrow = (drawn(scatter(view, width)) for width in (WIDE, NARROW))
    words = html.escaped(alt_text(view))
    return (
        f'<div class="wide-only" role="group" aria-label="{words}">{wide}</div>'
        f'<div class="narrow" role="group" aria-label="{words}">{narrow}</div>'
    )


def folded(title: str, body: str) -> str:
    """A part that opens on demand."""
    return f"<details><summary>{html.escaped(title)}</summary>{body}</details>"


def title_of(choice: BoardQuery) -> str:
    """Task, split and division."""
    task, _, split = choice.task.partition(":")
    return f"{task_class(task).card.title} ({split}), {choice.division}"


def script(up: str) -> str:
    """The chart library beside the pages."""
    return f'<script src="{up}assets/plotly.min.js"></script>'


def axis_section(view: Board) -> str:
    """Chart and rows of a further kind of cost."""
    axis = COSTS[view.choice.axis]
    return html.section(
        axis.title,
        charts_of(view),
        html.note(" ".join(chart_notes(view))),
        folded("Rows", rows_table(view, f"Rows by {axis.title.lower()}", "../")),
        folded("The frontier as text", html.table(frontier_records(view))),
    )


def drawn(figure: object) -> str:
    """A chart as HTML; it has its data in it."""
    import plotly.io

    return str(plotly.io.to_html(figure, full_html=False, include_plotlyjs=False, config=CONFIG))


def amortised(site: SiteFolder, choice: BoardQuery) -> str:
    """Amortisation of energy where rows have any, else of time."""
    views = (board(site.index, replace(choice, axis=axis)) for axis in ("joules", "seconds"))
    pages = (amortisation.amortisation(view) for view in views)
    page = next((page for page in pages if page.lines), None)
    if page is None:
        return ""
    return html.section(
        "Amortisation",
        drawn(amortised_lines(page)),
        html.table(
            amortisation.records(page), amortisation.TABLE, words=amortisation.column_words(page)
        ),
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

    return html.section(
        "The best rows compared",
        html.note(f"First: {next(iter(comparison.labels.values()))}."),
        html.note(adjustment_text(comparison.pairs)),
        html.table(readable(compare.summary_records), "The first against each of the others"),
        html.table(readable(compare.category_records), "By category"),
        html.table(readable(compare.ratio_records), "Costs"),
        html.note(origin_note()),
    )


def write_index(site: SiteFolder, boards: list[Board]) -> None:
    """The landing page: the first board as the app opens it, and the way to the others."""
    if not boards:
        parts = [html.note("There is no result yet.")]
    else:
        first, *others = boards
        views = cost_views(site.index, first)
        shown = next(iter(views.values()), first)
        shown = limited(shown, None, rows=RowFilter(every=False))
        links = [board_link(other) for other in others]
        here = f"<strong>{html.escaped(title_of(first.choice))}</strong>"
        chips = f'<p class="chips">{here}{"".join(links)}</p>'
        every = f'<p><a href="boards/{html.escaped(slug(first.choice))}.html">{EVERY}</a></p>'
        parts = [landing(shown, "", chips), every]
    site.page("index.html", "membench leaderboard", "".join(parts), script(""))
    names = [slug(shown.choice) for shown in boards]
    site.write("board.json", json.dumps({"boards": names}, indent=1))


def board_link(shown: Board) -> str:
    """A link to a board's page."""
    words = html.escaped(title_of(shown.choice))
    return f'<a href="boards/{html.escaped(slug(shown.choice))}.html">{words}</a>'


EVERY = "Every configuration, other costs, amortisation and comparisons of this board"


def write_interactive(site: SiteFolder, boards: list[Board]) -> None:
    """Compare and Question: pages that a script fills from the data files."""
    listed_boards: list[JsonObject] = [
        {"slug": slug(shown.choice), "title": title_of(shown.choice)}
        for shown in boards
        if compared_rows(shown)
    ]
    write_data(site, "boards", listed_boards)
    grids = sorted(intensities().values(), key=lambda grid: grid.country)
    write_data(site, "grids", [asdict(grid) for grid in grids])
    for name, words in (
        ("compare", "Two rows of a board, paired question by question."),
        ("question", "One question, and what each row made of it."),
    ):
        waiting = "Loading." if listed_boards else "There is no result yet."
        body = html.note(words) + f'<div id="{name if listed_boards else "empty"}">{waiting}</div>'
        site.page(f"{name}.html", name.capitalize(), body, script(""))


def write_words(site: SiteFolder) -> None:
    """Systems, tasks, claims, method, submit."""
    systems, the_tasks = system_records(site.index), task_records(site.index)
    site.page("systems.html", "Systems", any_width(systems, "Systems"))
    site.page("tasks.html", "Tasks", any_width(the_tasks, "Tasks"))
    write_profiles(site)
    site.write("data/systems.json", to_json(systems))
    site.write("data/tasks.json", to_json(the_tasks))
    site.page("glossary.html", "Glossary", glossary_body())
    site.page("claims.html", "Published claims (not measured here)", claims_body(site.index))
    site.page("method.html", "Method", html.from_markdown((WORDS / "method.md").read_text("utf-8")))
    rules = [
        {"rule": rule.id, "what it asks for": rule.title, "if it is broken": rule.remedy}
        for rule in RULES.values()
    ]
    words = html.from_markdown((WORDS / "submit.md").read_text("utf-8"))
    site.page("submit.html", "Submit", words + html.section("Rules", any_width(rules, "Rules")))


def any_width(
    records: list[JsonObject], caption: str, words: Mapping[str, tuple[str, str]] | None = None
) -> str:
    """A table that can be sorted and searched, and the same as cards for narrow screens."""
    table = html.table(records, caption, words=words, sortable=True)
    return (
        f'<div class="wide-only">{table}</div>'
        f'<div class="narrow">{record_cards(records, words)}</div>'
    )


def write_profiles(site: SiteFolder) -> None:
    """What systems ask of models and of the machine."""
    made = profiles.stored_profiles(site.store).profiles
    if not made:
        site.page("profiles.html", "Profiles", html.note("There is no profile yet."))
        return
    records = profiles.profile_records(made)
    model = profiles.energy_models()[0]
    phases, joules = profiles.phase_records(made), profiles.energy_records(made)
    parts = [
        html.note(profiles.NOTICE),
        any_width(records, f"At the longest history; joules of {model}", profiles.WORDS),
        html.section("By phase and role", any_width(phases, "Of the longest history")),
        html.section("Joules by language model", any_width(joules, "Estimated")),
    ]
    site.page("profiles.html", "Profiles", "".join(parts))
    site.write("data/profiles.json", to_json(records))
    site.write("data/profiles.csv", to_csv(records))


def glossary_body() -> str:
    """Metrics, costs and badges."""
    return "".join(
        [
            html.section("Metrics", any_width(glossary.metric_records(), "Headline metrics")),
            html.section("Costs", any_width(glossary.cost_records(), "Costs")),
            html.section("Badges", any_width(glossary.badge_records(), "Badges")),
        ]
    )


def claims_body(index: Index) -> str:
    """Claims about the tasks on the board, source by source."""
    runs = listed(index.runs)
    names = sorted(runs["task"].unique()) if len(runs) else []
    parts = [html.note(claims.NOTICE)]
    for task in names:
        parts += [
            folded(f"{task}: {source}", html.table(claims.records(task, source), source))
            for source in claims.sources(task)
        ]
    return "".join(parts)


def write_run(site: SiteFolder, run_id: str) -> None:
    """The page of one run, or its tombstone."""
    page = run_view.run_page(site.store, run_id)
    parts: list[str] = []
    where = standing(site.index, run_id)
    if where is not None:
        parts.append(standing_html(where))
    if page.withdrawn is not None:
        parts.append(html.note(f"Withdrawn {page.withdrawn.when_utc}: {page.withdrawn.why}"))
    if page.loaded is not None:
        again = command_of(page.loaded.manifest)
        parts.append(html.section("The same run again", f"<pre>{html.escaped(again)}</pre>"))
        parts.append(run_body(page.loaded))
        write_data(site, f"answers/{run_id}", answer_data(page.loaded))
        site.write(f"data/runs/{run_id}.json", run_json(page.loaded.summary, page.loaded.badge))
    if page.adjudications:
        decisions = run_view.adjudication_records(page)
        parts.append(html.section("Decisions", html.table(decisions)))
    site.page(f"runs/{run_id}.html", f"Run {run_id}", "".join(parts))


def run_json(summary: Summary, badge: JsonView | None) -> str:
    """Figures of a run and what the board says of them."""
    found = {key: value for key, value in (badge or {}).items() if key != "summary"}
    return json.dumps({"summary": summary.to_json(), "badge": found}, ensure_ascii=False, indent=1)


def copy_library(to: Path) -> None:
    """Plotly's script, from the installed package."""
    import plotly

    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    (to / "assets").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to / "assets" / "plotly.min.js")
    for name in SCRIPTS:
        shutil.copyfile(Path(__file__).parent / name, to / "assets" / name)
