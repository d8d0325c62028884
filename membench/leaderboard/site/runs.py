"""Pages of runs: where one stands, its figures, and the ways from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass

from membench.domain.labels import JsonView
from membench.leaderboard.rendering import html
from membench.leaderboard.rendering.cards import any_width
from membench.leaderboard.rendering.standing import energy_of, standing_html
from membench.leaderboard.site.data import answer_data
from membench.leaderboard.site.folder import SiteFolder, download_links
from membench.leaderboard.site.naming import BoardName
from membench.leaderboard.site.report import body, questions
from membench.leaderboard.site.words import run_slug
from membench.leaderboard.store.rows import task_class
from membench.leaderboard.views import run as run_view
from membench.leaderboard.views.board.choices import listed
from membench.leaderboard.views.bundles import LoadedBundle
from membench.leaderboard.views.reproduce import command_of
from membench.leaderboard.views.standing import standing
from membench.leaderboard.views.tables import to_csv
from membench.records.summary import Summary


@dataclass(frozen=True)
class RunWays:
    """Ways from the pages of runs.

    Attributes:
        names: Every board.
        boards: Run id -> slug of its board.
        compared: Runs that Compare and Question show.
    """

    names: Mapping[str, BoardName]
    boards: Mapping[str, str]
    compared: Set[str]


def run_ways(site: SiteFolder, names: Mapping[str, BoardName], compared: Set[str]) -> RunWays:
    """Ways from every run of the index."""
    runs = listed(site.index.runs)
    boards = {str(run["run_id"]): run_slug(run) for run in runs.to_dict("records")}
    return RunWays(names, boards, compared)


def write_run(site: SiteFolder, run_id: str, ways: RunWays) -> None:
    """The page of one run, or its tombstone."""
    page = run_view.run_page(site.store, run_id)
    parts = [links_of(run_id, ways)]
    if page.withdrawn is not None:
        parts.append(html.note(f"Withdrawn {page.withdrawn.when_utc}: {page.withdrawn.why}"))
    where = standing(site.index, run_id)
    if where is not None:
        parts.append(standing_html(where, energy=energy_of(site.index, run_id)))
    if page.loaded is not None:
        parts += loaded_parts(site, run_id, page.loaded)
    if page.adjudications:
        decisions = run_view.adjudication_records(page)
        parts.append(html.section("Decisions", any_width(decisions, "Decisions about the run")))
    site.page(f"runs/{run_id}.html", title_of(run_id, page.loaded), "".join(parts))


def title_of(run_id: str, loaded: LoadedBundle | None) -> str:
    """What was run on what, and its id."""
    if loaded is None:
        return f"Run {run_id}"
    card = task_class(loaded.summary.task).card
    return f"{loaded.summary.system} on {card.title}, run {run_id}"


def links_of(run_id: str, ways: RunWays) -> str:
    """To the board, the task, Compare, and what the run made of each question."""
    board = ways.boards.get(run_id, "")
    found = {"All runs": "../runs.html", "Tasks": "../tasks.html"}
    if board in ways.names:
        found = {ways.names[board].title: f"../boards/{board}.html", **found}
    if run_id in ways.compared:
        found["Compare with another row"] = f"../compare.html?board={board}&first={run_id}"
        found["Question by question"] = f"../question.html?board={board}&run={run_id}"
    return f"<p>{' · '.join(html.anchor(to, words) for words, to in found.items())}</p>"


def loaded_parts(site: SiteFolder, run_id: str, loaded: LoadedBundle) -> list[str]:
    """Everything that a bundle holds."""
    site.data(f"answers/{run_id}", answer_data(loaded))
    site.write(f"data/runs/{run_id}.json", run_json(loaded.summary, loaded.badge))
    site.write(f"data/runs/{run_id}-questions.csv", to_csv(questions(loaded)))
    files = {
        "all figures (JSON)": f"runs/{run_id}.json",
        "every question (CSV)": f"runs/{run_id}-questions.csv",
    }
    again = f"<pre>{html.escaped(command_of(loaded.manifest))}</pre>"
    return [
        html.section("The same run again", again),
        body(loaded),
        download_links("../", files),
    ]


def run_json(summary: Summary, badge: JsonView | None) -> str:
    """Figures of a run and what the board says of them."""
    found = {key: value for key, value in (badge or {}).items() if key != "summary"}
    return json.dumps({"summary": summary.to_json(), "badge": found}, ensure_ascii=False, indent=1)
