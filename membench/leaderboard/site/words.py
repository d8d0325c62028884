"""Pages of the site without a board: runs, systems, tasks, profiles, claims, words, rules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from membench.domain.labels import JsonObject
from membench.leaderboard.rendering import html
from membench.leaderboard.rendering.cards import any_width
from membench.leaderboard.rendering.catalogue import (
    CLAIM_WORDS,
    PUBLISHED_WORDS,
    SYSTEM_WORDS,
    TASK_WORDS,
    repository_link,
    runs_link,
    source_link,
    task_lines,
)
from membench.leaderboard.rendering.html import Sorting
from membench.leaderboard.rendering.terms import term_records
from membench.leaderboard.site.folder import SiteFolder
from membench.leaderboard.site.naming import BoardName, slug
from membench.leaderboard.store.rows import task_class
from membench.leaderboard.validation import RULES
from membench.leaderboard.views import claims, glossary, profiles, published
from membench.leaderboard.views.board.choices import listed
from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.catalogue import system_records, task_records
from membench.leaderboard.views.tables import BADGES

WORDS = Path(__file__).parents[1] / "app"

RUNS_ARE = (
    "Every run behind the boards, attempts that do not stand for a row and withdrawn ones too."
)


def write_words(site: SiteFolder, names: Mapping[str, BoardName]) -> None:
    """Runs, systems, tasks, profiles, claims, method, submit."""
    write_runs(site, names)
    write_catalogue(site)
    write_profiles(site)
    site.page("glossary.html", "Glossary", glossary_body())
    site.page("claims.html", "Published claims (not measured here)", claims_body(site))
    site.page("method.html", "Method", html.from_markdown((WORDS / "method.md").read_text("utf-8")))
    rules = [
        {"rule": rule.id, "what it asks for": rule.title, "if it is broken": rule.remedy}
        for rule in RULES.values()
    ]
    words = html.from_markdown((WORDS / "submit.md").read_text("utf-8"))
    site.page("submit.html", "Submit", words + html.section("Rules", any_width(rules, "Rules")))


def write_runs(site: SiteFolder, names: Mapping[str, BoardName]) -> None:
    """Every run, with its page and its board."""
    records = run_records(site, names)
    links = {"system": html.leading("runs/{}.html", "run")}
    sorting = Sorting(high_first=frozenset({"questions", "date"}))
    table = any_width(records, "Runs", links=links, sorting=sorting)
    site.page("runs.html", "Runs", html.note(RUNS_ARE) + table + site.downloads("runs", records))


def run_records(site: SiteFolder, names: Mapping[str, BoardName]) -> list[JsonObject]:
    """Every run as a line, the newest first."""
    runs = listed(site.index.runs)
    if not len(runs):
        return []
    newest = runs.sort_values("created", ascending=False)
    return [
        {
            "system": run["label"],
            "board": board_of(run, names),
            "questions": int(run["questions"]),
            "date": str(run["created"])[:10],
            "scores": BADGES.get(run["score"], str(run["score"])),
            "withdrawn": "yes" if run["withdrawn"] else "no",
            "run": run["run_id"],
        }
        for run in newest.to_dict("records")
    ]


def run_slug(run: Mapping[str, object]) -> str:
    """The slug of the board that a line of the index belongs to."""
    place = BoardQuery(f"{run['task']}:{run['split']}", str(run["division"]), str(run["group"]))
    return slug(place)


def board_of(run: Mapping[str, object], names: Mapping[str, BoardName]) -> str:
    """The board of a line of the index, in words."""
    found = names.get(run_slug(run))
    return found.title if found else "–"


def write_catalogue(site: SiteFolder) -> None:
    """Systems and tasks."""
    systems = system_records(site.index)
    links = {
        "paper": source_link("paper"),
        "rows": runs_link("system"),
    }
    sorting = Sorting(high_first=frozenset({"rows", "questions"}))
    table = any_width(systems, "Systems", SYSTEM_WORDS, links, sorting)
    site.page("systems.html", "Systems", table + site.downloads("systems", systems))
    tasks = task_lines(task_records(site.index))
    links = {
        "paper": source_link("paper"),
        "rows": runs_link("title"),
    }
    table = any_width(tasks, "Tasks", TASK_WORDS, links, sorting)
    site.page("tasks.html", "Tasks", table + site.downloads("tasks", tasks))


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
        site.downloads("profiles", records),
        html.section(
            "By phase and role",
            html.folded("Every phase", any_width(phases, "Of the longest history")),
            site.downloads("profile-phases", phases),
        ),
        html.section(
            "Joules by language model",
            html.folded("Every model", any_width(joules, "Estimated")),
            site.downloads("profile-joules", joules),
        ),
    ]
    site.page("profiles.html", "Profiles", "".join(parts))


def glossary_body() -> str:
    """Words, metrics, costs and badges."""
    return "".join(
        [
            html.section("Words", words_html()),
            html.section("Metrics", any_width(glossary.metric_records(), "Headline metrics")),
            html.section("Costs", any_width(glossary.cost_records(), "Costs")),
            html.section("Badges", any_width(glossary.badge_records(), "Badges")),
        ]
    )


def words_html() -> str:
    """Words with their meanings, each at an address of its own."""
    items = "".join(
        f'<dt id="{html.escaped(record["word"].replace(" ", "-"))}">{html.escaped(record["word"])}'
        f"</dt><dd>{html.quoted(record['meaning'])}</dd>"
        for record in term_records()
    )
    return f'<dl class="meanings">{items}</dl>'


def claims_body(site: SiteFolder) -> str:
    """Claims about the tasks on the board, source by source."""
    runs = listed(site.index.runs)
    names = sorted(runs["task"].unique()) if len(runs) else []
    parts = [html.note(claims.NOTICE)]
    for task in names:
        parts.append(f"<h2>{html.escaped(task_class(task).card.title)}</h2>")
        parts += published_answers(site, task)
        parts += [claims_of(task, source) for source in claims.sources(task)]
        parts.append(site.downloads(f"claims-{task}", claims.records(task)))
    return "".join(parts)


def published_answers(site: SiteFolder, task: str) -> list[str]:
    """Files of answers that others published, scored again; nothing without any."""
    found = published.records(site.store, site.index, task)
    if not found:
        return []
    links = {
        "system": html.leading("runs/{}.html", "run"),
        "file": repository_link("file"),
    }
    return [
        html.note(published.NOTICE),
        any_width(found, "Published answers, scored again", PUBLISHED_WORDS, links),
        site.downloads(f"published-{task}", found),
    ]


def claims_of(task: str, source: str) -> str:
    """What one source says about a task; opens on demand."""
    links = {"source": source_link("source")}
    return html.folded(source, any_width(claims.records(task, source), source, CLAIM_WORDS, links))
