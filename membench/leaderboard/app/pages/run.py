"""Run: everything about one bundle."""

from __future__ import annotations

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.domain.errors import RunStateError
from membench.leaderboard.app import components as c
from membench.leaderboard.app import links, state
from membench.leaderboard.rendering.standing import energy_of, standing_html
from membench.leaderboard.store.rows import lower_is_better
from membench.leaderboard.views import run as view
from membench.leaderboard.views.bundles import LoadedBundle
from membench.leaderboard.views.cost_origin import origin_note
from membench.leaderboard.views.cost_units import unit_id, unit_options, unit_words
from membench.leaderboard.views.reproduce import command_of
from membench.leaderboard.views.standing import Standing, standing
from membench.leaderboard.views.tables import BADGES


def page() -> None:
    """Draw the page."""
    c.heading("Run")
    run_id = pick_run()
    if not run_id:
        if not c.nothing_yet():
            st.info("Choose a run.")
        return
    try:
        shown = view.run_page(state.store(), run_id)
    except RunStateError as error:
        st.error(error.problem)
        return
    if shown.withdrawn is not None:
        st.warning("This row was withdrawn.")
        st.text(f"{shown.withdrawn.when_utc}: {shown.withdrawn.why}")
    where = standing(state.index(), run_id)
    if where is not None:
        draw_standing(where, energy_of(state.index(), run_id))
    if shown.loaded is not None:
        draw(shown.loaded)
    draw_decisions(shown)


def pick_run() -> str:
    """The run, in the URL; the newest ones to choose from."""
    runs = state.index().runs
    asked = str(st.query_params.get("run", ""))
    if not len(runs):
        return ""
    known = asked in set(runs["run_id"])
    newest = list(runs.sort_values("created", ascending=False)["run_id"][:300])
    options = newest if not known or asked in newest else [*newest, asked]
    if asked and not known:
        st.error("There is no such run.")
    if not known:
        asked = next(iter(c.best_runs(1)), options[0])
        options = list(dict.fromkeys([asked, *options]))
    chosen = str(st.selectbox("Run", options, options.index(asked), format_func=c.run_words))
    if chosen != st.query_params.get("run"):
        st.query_params["run"] = chosen
    return chosen


def draw_standing(where: Standing, energy: str) -> None:
    """Place, scores and costs; what joules are read in is chosen below them."""
    if not any(item.cost.id == "joules" for item in where.costs):
        st.html(standing_html(where))
        return
    unit = c.chosen("unit", unit_options("joules"), unit_words)
    st.html(standing_html(where, unit_id("joules", unit), energy))
    with st.popover(f"Energy in: {unit_words(unit)}"):
        c.unit_picker("joules")


def draw(loaded: LoadedBundle) -> None:
    """A bundle."""
    badge = (loaded.badge or {}).get("score", "unchecked")
    left, middle, right = st.columns(3)
    left.metric("Score badge", BADGES.get(badge, badge))
    middle.metric("Energy", view.joules(loaded.summary.energy.total))
    right.metric("Questions", f"{loaded.summary.counts.questions:,}")
    c.section("Scores by category")
    c.table(
        view.category_records(loaded),
        key="categories",
        alt="Headline scores by category",
        words=view.metric_titles(loaded),
    )
    with st.expander("All metrics, and how each came about"):
        c.table(view.metric_records(loaded), key="metrics", alt="All metrics of the run")
    c.section("Costs by phase")
    st.caption(origin_note())
    c.table(view.cost_records(loaded), key="phases", alt="Costs by phase")
    draw_questions(loaded)
    c.section("The same run again")
    st.code(command_of(loaded.manifest), language=None, wrap_lines=True)
    with st.expander("Facts", expanded=True):
        c.table(view.facts(loaded), key="facts", alt="What the manifest says")
    manifest = loaded.opened.stored["manifest.json"]
    st.download_button("manifest.json", manifest, "manifest.json", on_click="ignore")


def draw_questions(loaded: LoadedBundle) -> None:
    """Filterable questions."""
    c.section("Questions")
    rows = [row for row in loaded.rows() if row.kind == "question"]
    categories = sorted({row.category or "" for row in rows})
    left, middle, right = st.columns(3)
    with left:
        category = c.pick("Category", ["all", *categories], "category")
    with middle:
        only = c.pick("Show", ("all", "wrong", "failed"), "only")
    with right:
        search = st.text_input("Id contains", key="search", bind=c.BIND)
    names = view.headline(loaded)
    records = view.question_records(
        rows,
        names,
        "" if category == "all" else category,
        search or "",
        "" if only == "all" else only,
        float(bool(names) and lower_is_better(loaded.summary.task, names[0])),
    )
    titles = {name: (words.title, words.meaning) for name, words in view.metrics_of(loaded).items()}
    picked = c.selectable(records, key="questions", alt="Questions of the run", words=titles)
    if picked:
        links.question(str(records[picked[0]]["question"]), [loaded.manifest.run_id])


def draw_decisions(shown: view.RunPage) -> None:
    """What was decided about the run."""
    c.section("Decisions")
    if not shown.adjudications:
        st.text("None. Decisions are appended to adjudications.jsonl and never removed.")
        return
    c.table(view.adjudication_records(shown), key="decisions", alt="Decisions about the run")
