"""`membench leaderboard --export DIR`: the same board as files, for any web server or none.

HTML and JSON, with the chart library copied beside them; a content policy forbids every outside
request. Words of datasets are never in it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from membench.domain.labels import JsonObject, JsonView

from membench.domain.errors import RunStateError
from membench.experiments.compare import adjustment_text
from membench.leaderboard.rendering import charts, html
from membench.leaderboard.site.report import body as run_body
from membench.leaderboard.store.index import Index, refresh
from membench.leaderboard.store.store import Store
from membench.leaderboard.validation import RULES
from membench.leaderboard.views import amortisation, claims, compare
from membench.leaderboard.views import run as run_view
from membench.leaderboard.views.board import Board, Choice, board, divisions, listed, tasks
from membench.leaderboard.views.catalogue import system_records, task_records
from membench.leaderboard.views.tables import board_records, frontier_records, to_csv, to_json
from membench.records.costs import COSTS, MAIN_COSTS

WORDS = Path(__file__).parents[1] / "app"
LINKS = {
    "Leaderboard": "index.html",
    "Systems": "systems.html",
    "Tasks": "tasks.html",
    "Published claims": "claims.html",
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
        self.write(name, html.page(title, body, {w: up + to for w, to in LINKS.items()}, head))


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
    runs = [str(run) for run in site.index.runs["run_id"]]
    for run_id in runs:
        write_run(site, run_id)
    copy_library(to)
    return len(runs)


def choices(index: Index) -> Iterator[Choice]:
    """Every board there is: task, division, group."""
    for task in tasks(index):
        for division in divisions(index, task):
            groups = board(index, Choice(task=task, division=division)).groups
            for group in groups:
                yield Choice(task=task, division=division, group=group)


def slug(choice: Choice) -> str:
    """File name of a board."""
    return f"{choice.task.replace(':', '-')}-{choice.division}-{choice.group}"


def write_board(site: SiteFolder, choice: Choice) -> Board:
    """The page of one board: a chart and a table for every cost it knows."""
    shown = board(site.index, choice)
    name = slug(choice)
    parts = [html.note(f"Protocol: {shown.groups.get(choice.group, '')}.")]
    records: JsonObject = {}
    for axis in MAIN_COSTS:
        view = board(site.index, replace(choice, axis=axis.id))
        if charts.drawable(view):
            parts.append(axis_section(view))
            records[axis.id] = board_records(view)
    if not records:
        records[shown.choice.axis] = board_records(shown)
        parts.append(html.section("Rows", html.table(board_records(shown))))
    parts += [amortised(site, choice), compared(site, shown)]
    site.page(f"boards/{name}.html", title_of(choice), "".join(parts), script())
    site.write(f"data/{name}.json", json.dumps(records, ensure_ascii=False, indent=1))
    site.write(f"data/{name}.csv", to_csv(next(iter(records.values()))))
    return shown


def title_of(choice: Choice) -> str:
    """Task, split and division."""
    task, _, split = choice.task.partition(":")
    return f"{task} ({split}), division {choice.division}"


def script() -> str:
    """The chart library beside the pages."""
    return '<script src="../assets/plotly.min.js"></script>'


def axis_section(view: Board) -> str:
    """Chart, frontier and table of one kind of cost."""
    axis = COSTS[view.choice.axis]
    links = {"run": "../runs/{}.html"}
    return html.section(
        axis.title,
        drawn(charts.scatter(view)),
        html.note(charts.alt_text(view)),
        html.table(frontier_records(view), "The frontier, cheapest first"),
        html.table(board_records(view), "Rows", links),
    )


def drawn(figure: object) -> str:
    """A chart as HTML; it has its data in it."""
    import plotly.io

    return str(
        plotly.io.to_html(figure, full_html=False, include_plotlyjs=False, config=charts.CONFIG)
    )


def amortised(site: SiteFolder, choice: Choice) -> str:
    """Amortisation of time."""
    page = amortisation.amortisation(board(site.index, replace(choice, axis="seconds")))
    if not page.lines:
        return ""
    return html.section(
        "Amortisation",
        drawn(charts.amortised_lines(page)),
        html.table(amortisation.records(page), "Cost per history, question and correct answer"),
    )


def compared(site: SiteFolder, shown: Board) -> str:
    """The best rows against each other."""
    best = [row.run_id for row in shown.rows if not row.why][: compare.MOST]
    if len(best) < 2:
        return ""
    comparison = compare.compare(site.store, site.index, best, shown.choice.metric)
    return html.section(
        "The best rows compared",
        html.note(f"First: {next(iter(comparison.labels.values()))}."),
        html.note(adjustment_text(comparison.pairs)),
        html.table(compare.summary_records(comparison), "The first against each of the others"),
        html.table(compare.category_records(comparison), "By category"),
        html.table(compare.ratio_records(comparison), "Costs"),
    )


def write_index(site: SiteFolder, boards: list[Board]) -> None:
    """The list of boards, with the head of each."""
    parts = [html.note("How well does a memory system remember, and what does that cost?")]
    if not boards:
        parts.append(html.note("There is no result yet."))
    for shown in boards:
        address = f"boards/{slug(shown.choice)}.html"
        link = f'<p><a href="{html.escaped(address)}">Charts, costs and all rows</a></p>'
        links = {"run": "runs/{}.html"}
        top = html.table(board_records(shown)[:10], shown.groups[shown.choice.group], links)
        parts.append(html.section(title_of(shown.choice), top, link))
    site.page("index.html", "membench leaderboard", "".join(parts))
    names = [slug(shown.choice) for shown in boards]
    site.write("board.json", json.dumps({"boards": names}, indent=1))


def write_words(site: SiteFolder) -> None:
    """Systems, tasks, claims, method, submit."""
    systems, the_tasks = system_records(site.index), task_records(site.index)
    site.page("systems.html", "Systems", html.table(systems))
    site.page("tasks.html", "Tasks", html.table(the_tasks))
    site.write("data/systems.json", to_json(systems))
    site.write("data/tasks.json", to_json(the_tasks))
    site.page("claims.html", "Published claims (not measured here)", claims_body(site.index))
    site.page("method.html", "Method", html.from_markdown((WORDS / "method.md").read_text("utf-8")))
    rules = [
        {"rule": rule.id, "what it asks for": rule.title, "if it is broken": rule.remedy}
        for rule in RULES.values()
    ]
    words = html.from_markdown((WORDS / "submit.md").read_text("utf-8"))
    site.page("submit.html", "Submit", words + html.section("Rules", html.table(rules)))


def claims_body(index: Index) -> str:
    """Claims about the tasks on the board, source by source."""
    runs = listed(index.runs)
    names = sorted(runs["task"].unique()) if len(runs) else []
    parts = [html.note(claims.NOTICE)]
    for task in names:
        parts += [
            html.section(f"{task}: {source}", html.table(claims.records(task, source)))
            for source in claims.sources(task)
        ]
    return "".join(parts)


def write_run(site: SiteFolder, run_id: str) -> None:
    """The page of one run, or its tombstone."""
    page = run_view.run_page(site.store, run_id)
    parts: list[str] = []
    if page.withdrawn is not None:
        parts.append(html.note(f"Withdrawn {page.withdrawn.when_utc}: {page.withdrawn.why}"))
    if page.loaded is not None:
        parts.append(run_body(page.loaded))
        site.write(f"data/runs/{run_id}.json", run_json(page.loaded.summary, page.loaded.badge))
    if page.adjudications:
        decisions = run_view.adjudication_records(page)
        parts.append(html.section("Decisions", html.table(decisions)))
    site.page(f"runs/{run_id}.html", f"Run {run_id}", "".join(parts))


def run_json(summary: JsonView, badge: JsonView | None) -> str:
    """Figures of a run and what the board says of them."""
    found = {key: value for key, value in (badge or {}).items() if key != "summary"}
    return json.dumps({"summary": summary, "badge": found}, ensure_ascii=False, indent=1)


def copy_library(to: Path) -> None:
    """Plotly's script, from the installed package."""
    import plotly

    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    (to / "assets").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to / "assets" / "plotly.min.js")
