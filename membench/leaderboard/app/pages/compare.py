"""Compare: two to five runs, paired question by question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.experiments.adjust import adjustment_text
from membench.leaderboard.app import components as c
from membench.leaderboard.app import links, state
from membench.leaderboard.rendering.charts.bars import by_category
from membench.leaderboard.rendering.charts.layout import CONFIG
from membench.leaderboard.store.index import Index
from membench.leaderboard.store.rows import task_class
from membench.leaderboard.views import compare as view
from membench.leaderboard.views.board.choices import listed
from membench.leaderboard.views.cost_origin import origin_note
from membench.metrics.names import is_fraction
from membench.tasks.wording import metric_words


def page() -> None:
    """Draw the page."""
    c.heading("Compare", "The first run against each of the others, question by question.")
    if c.nothing_yet():
        return
    runs = pick_runs()
    if len(runs) < 2:
        st.info("Choose two to five runs.")
        return
    index = state.index()
    first = view.compare(state.store(), index, runs)
    if first.refused:
        refuse(first)
        return
    titles = titles_of(index, runs[0], first.metrics)
    metric = c.pick("Score", first.metrics, "metric", lambda name: titles[name])
    shown = first if metric == first.metric else view.compare(state.store(), index, runs, metric)
    draw(shown, runs)


def titles_of(index: Index, run: str, metrics: Sequence[str]) -> dict[str, str]:
    """Metrics for people; two of one title are told apart by their ids."""
    task = str(index.runs.set_index("run_id").loc[run, "task"])
    titles = {name: metric_words(task_class(task).card, name).title for name in metrics}
    common = {title for title, count in Counter(titles.values()).items() if count > 1}
    return {n: f"{title} ({n})" if title in common else title for n, title in titles.items()}


def pick_runs() -> list[str]:
    """The runs, in the URL."""
    runs = listed(state.index().runs)
    known = set(runs["run_id"])
    asked = [run for run in st.query_params.get_all("runs") if run in known] or c.best_runs(2)
    newest = runs.sort_values("created", ascending=False)["run_id"][:500]
    options = list(dict.fromkeys([*newest, *asked]))
    return c.pick_runs("Runs", options, asked[: view.MOST], view.MOST)


def refuse(shown: view.ComparisonView) -> None:
    """Say what keeps runs apart."""
    st.error("These runs cannot be compared:")
    for part in shown.refused:
        st.text(part)


def draw(shown: view.ComparisonView, runs: list[str]) -> None:
    """Tables of a comparison."""
    head = next(iter(shown.labels.values()))
    unit = "percentage points" if is_fraction(shown.metric) else "units of the metric"
    task = str(state.index().runs.set_index("run_id").loc[runs[0], "task"])
    words = metric_words(task_class(task).card, shown.metric)
    st.caption(
        f"{head} is the first run, every other the second; differences are the first less the "
        f"second. {words.title} is in {unit}; {words.direction}. {adjustment_text(shown.pairs)}"
    )
    st.plotly_chart(
        by_category(shown, words.titled),
        key="by-category-chart",
        alt="Scores over all questions and by category; the tables below hold them.",
        config=CONFIG,
    )
    c.table(
        view.readable(view.summary_records(shown), shown),
        key="comparison",
        alt="Differences with intervals and tests",
    )
    for pair in shown.pairs:
        visible, other = pair.metrics[0].visible, shown.labels[pair.second.name]
        if visible is not None and is_fraction(shown.metric):
            st.text(
                f"Smallest difference in {words.title} that {head} and {other} can show here: "
                f"{100 * visible.significant:.1f} points; with 80 % power "
                f"{100 * visible.powered:.1f}."
            )
        if pair.undetermined:
            named = ", ".join(titles_of(state.index(), runs[0], pair.undetermined).values())
            st.text(f"No value in both {head} and {other}: {named}.")
        c.plain_table(
            view.table_records(pair, shown.labels), "Outcomes of both runs, question by question"
        )
    c.section("By category")
    categories = view.readable(view.category_records(shown), shown)
    c.table(categories, key="by-category", alt="Differences by category")
    c.section("Costs")
    if shown.costs_differ:
        st.warning(
            "Costs that depend on these are left out: the runs differ in how they were executed."
        )
        for part in shown.costs_differ:
            st.text(part)
    st.caption(origin_note())
    costs = view.readable(view.ratio_records(shown), shown)
    c.table(costs, key="costs", alt="Costs of both runs and their ratios")
    c.section("Questions they disagree on")
    records = view.readable(view.disagreement_records(shown), shown)
    picked = c.selectable(records[:2000], key="disagreements", alt="Questions with unlike outcomes")
    if picked:
        links.question(str(records[picked[0]]["question"]), runs)
