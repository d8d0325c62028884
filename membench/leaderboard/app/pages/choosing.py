"""What a reader of the Leaderboard has picked, and the line of chips that changes it.

The picks are read before anything is drawn, so that the answer stands above the chips.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.leaderboard.app import components as c
from membench.leaderboard.app import state
from membench.leaderboard.rendering.charts.scatter import SHAPES
from membench.leaderboard.store.rows import task_class
from membench.leaderboard.views.board.board import Board
from membench.leaderboard.views.board.choices import ANY_METER, divisions, tasks
from membench.leaderboard.views.board.limits import budget_steps
from membench.leaderboard.views.board.query import BoardQuery, RowFilter
from membench.leaderboard.views.cost_units import unit_id, unit_options, unit_words
from membench.leaderboard.views.tables import BADGES
from membench.metrics.names import is_fraction
from membench.metrics.numbers import significant
from membench.records.costs import COSTS
from membench.tasks.wording import metric_words

NO_LIMIT = "no limit"
SCOPES = ("query", "total")
SHOW = ("best of each system", "every configuration")
WHERE = ("anywhere", "offline, with open weights or none")


def chosen_board() -> tuple[Board, Board]:
    """The board of what was picked: before and after limits."""
    index = state.index()
    task = c.chosen("task", tasks(index), c.task_words)
    division = c.chosen("division", divisions(index, task) if task else [])
    first = state.the_board(BoardQuery(task=task, division=division))
    group = c.chosen("group", list(first.groups), lambda name: group_words(first, name))
    first = state.the_board(replace(first.choice, group=group, axis="", machine=""))
    metric = c.chosen("metric", first.metrics, lambda name: metric_title(task, name))
    axis = c.chosen("axis", c.axis_options(first.choice.axis), c.axis_words)
    scope = c.chosen("scope", SCOPES, scope_words)
    unit = c.chosen("unit", unit_options(axis), unit_words)
    choice = replace(first.choice, metric=metric, axis=axis, scope=scope, machine="")
    choice = replace(choice, unit=unit_id(axis, unit))
    whole = state.the_board(choice)
    machine = c.chosen("machine", machine_options(whole), lambda name: machine_words(whole, name))
    whole = state.the_board(replace(choice, machine=machine))
    return whole, state.the_board(limited_choice(whole))


def limited_choice(whole: Board) -> BoardQuery:
    """The choice with the limits that were set."""
    words = limit_words(whole)
    most = c.chosen("budget", list(words))
    choice = replace(whole.choice, budget=words.get(most), rows=chosen_rows())
    if not is_fraction(choice.metric):
        return choice
    if choice.lower:
        return replace(choice, most=c.chosen_number("most", 100) / 100)
    return replace(choice, least=c.chosen_number("least", 0) / 100)


def chosen_rows() -> RowFilter:
    """Which rows are shown."""
    local = c.chosen("runs-on", WHERE) != WHERE[0]
    return RowFilter(
        every=c.chosen("show", SHOW) != SHOW[0],
        search=c.chosen_text("search"),
        kinds=c.chosen_several("kinds", tuple(SHAPES)),
        badges=c.chosen_several("badges", tuple(BADGES)),
        local=local,
    )


def limit_words(whole: Board) -> dict[str, float | None]:
    """Limits on the cost that can be set, in words; none of them first."""
    steps = {significant(step): step for step in budget_steps(whole.all_rows)}
    return {NO_LIMIT: None, **steps}


def metric_title(task: str, metric: str) -> str:
    """A metric for people."""
    return metric_words(task_class(task.partition(":")[0]).card, metric).title


def scope_words(scope: str) -> str:
    """What a cost per question holds."""
    return "recall and answer" if scope == "query" else "with its share of ingestion"


def group_words(shown: Board, group: str) -> str:
    """A protocol for people."""
    return f"{shown.groups[group]} · {group}"


def machine_options(shown: Board) -> list[str]:
    """Machines or meters to choose from; of meters all together, if one asks for it."""
    several = len(shown.machines) > 1 and COSTS[shown.choice.axis].depends_on == "meter"
    return [*shown.machines, *([ANY_METER] if several else [])]


def machine_words(shown: Board, machine: str) -> str:
    """A machine or a meter for people."""
    if machine == ANY_METER:
        return "all meters on one frontier, although they do not compare"
    return f"{shown.machines[machine]} · {machine}"


# --- the chips -----------------------------------------------------------------------------------


def chips(whole: Board, shown: Board) -> None:
    """Every control behind a chip that says what is chosen."""
    choice, index = shown.choice, state.index()
    card = task_class(choice.task_name).card
    with st.container(horizontal=True, key="chips", gap="small"):
        with st.popover(f"Task: {card.title}"):
            c.pick("Task", tasks(index), "task", c.task_words)
        with st.popover(f"Division: {choice.division}"):
            c.pick("Division", divisions(index, choice.task), "division")
        with st.popover(f"Score: {choice.words.title}" if choice.metric else "Score"):
            c.pick("Score", whole.metrics, "metric", lambda m: metric_title(choice.task, m))
            if choice.metric:
                st.caption(f"{choice.words.meaning}; {choice.words.direction}.")
        with st.popover(f"Cost: {choice.cost.title}"):
            cost_pickers(shown)
        with st.popover(f"Limits: {limits_text(choice)}"):
            limits(whole)
        with st.popover(f"Rows: {choice.rows.text or SHOW[int(choice.rows.every)]}"):
            row_filters(whole)
        if len(whole.groups) > 1 or len(whole.machines) > 1:
            with st.popover("Protocol"):
                protocol_pickers(whole)


def cost_pickers(shown: Board) -> None:
    """Kind of cost, and what of a run it holds."""
    opening = state.the_board(replace(shown.choice, axis="", machine="")).choice.axis
    c.pick("Cost", c.axis_options(opening), "axis", c.axis_words)
    st.caption(COSTS[shown.choice.axis].meaning)
    c.unit_picker(shown.choice.axis)
    c.pick("Cost of", SCOPES, "scope", scope_words)


def limits_text(choice: BoardQuery) -> str:
    """The limits in a few signs."""
    parts = []
    if choice.budget is not None:
        parts.append(f"≤ {significant(choice.budget)} {choice.cost.sign}")
    if choice.least:
        parts.append(f"≥ {100 * choice.least:.0f} %")
    if choice.most < 1:
        parts.append(f"≤ {100 * choice.most:.0f} %")
    return ", ".join(parts) or "none"


def limits(whole: Board) -> None:
    """Limits on cost and score."""
    choice, words = whole.choice, list(limit_words(whole))
    steps = [*words[1:], NO_LIMIT]
    st.select_slider(
        f"At most ({choice.cost.sign} per {choice.cost.per('question')})",
        steps,
        value=NO_LIMIT,
        key="budget",
        bind=c.BIND,
    )
    if is_fraction(choice.metric) and choice.lower:
        st.slider("At most (score, %)", 0, 100, 100, key="most", bind=c.BIND)
    elif is_fraction(choice.metric):
        st.slider("At least (score, %)", 0, 100, 0, key="least", bind=c.BIND)


def row_filters(whole: Board) -> None:
    """Which rows are shown: one per system or all, by name, kind, badge and where they run."""
    kinds = [kind for kind in SHAPES if any(r.fidelity == kind for r in whole.all_rows)]
    badges = [badge for badge in BADGES if any(r.badge == badge for r in whole.all_rows)]
    c.pick("Show", SHOW, "show")
    st.text_input("Name contains", key="search", bind=c.BIND)
    c.pick_several("Kind", kinds, "kinds")
    c.pick_several("Scores", badges, "badges")
    c.pick("Runs", WHERE, "runs-on")


def protocol_pickers(whole: Board) -> None:
    """Protocol and machine, where there are several."""
    if len(whole.groups) > 1:
        c.pick("Protocol", list(whole.groups), "group", lambda name: group_words(whole, name))
    if len(whole.machines) > 1:
        options = machine_options(whole)
        c.pick("Machine", options, "machine", lambda name: machine_words(whole, name))
