"""Parts that several pages share. Submitted text is shown as text, never as markup."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.leaderboard.app import state
from membench.leaderboard.rendering.charts import CONFIG
from membench.leaderboard.views.board import Choice, divisions, tasks
from membench.leaderboard.views.tables import to_csv, to_json
from membench.records.costs import COSTS, MAIN_COSTS

Records = Sequence[Mapping[str, Any]]
BIND: object = "query-params"


def heading(title: str, words: str = "") -> None:
    """Title and one sentence of ours."""
    st.title(title)
    if words:
        st.caption(words)


def nothing_yet() -> bool:
    """Say so where the store is empty.

    Returns:
        Whether it is.
    """
    if not state.empty():
        return False
    st.info("There is no result yet.")
    st.text("Make one and put it here:")
    st.code(
        "membench run --system bm25 --task locomo --split sample\n"
        "membench submit runs/RUN --to results\n"
        "membench leaderboard --results results",
        language="bash",
    )
    return True


def table(records: Records, *, key: str, alt: str, height: int | str = "auto") -> None:
    """A table with downloads of exactly what it shows."""
    if not records:
        st.text("Nothing to show.")
        return
    st.dataframe(list(records), hide_index=True, width="stretch", alt=alt, height=height)
    downloads(records, key)


def selectable(records: Records, *, key: str, alt: str) -> list[int]:
    """A table whose rows can be selected.

    Returns:
        Positions of the selected rows.
    """
    event: Any = st.dataframe(
        list(records),
        hide_index=True,
        width="stretch",
        alt=alt,
        key=key,
        on_select="rerun",
        selection_mode="multi-row",
        column_config=widths(records),
    )
    downloads(records, key)
    return [row for row in event.selection.rows if row < len(records)]


WIDTHS = {"system": 190, "frontier": 110, "score badge": 120, "energy badge": 120, "remarks": 260}


def widths(records: Records) -> dict[str, Any]:
    """Columns whose text would be cut off by a width that fits the first rows."""
    names = records[0] if records else {}
    return {
        name: st.column_config.TextColumn(width=WIDTHS[name]) for name in names if name in WIDTHS
    }


def plain_table(records: Records, alt: str) -> None:
    """A table in plain HTML, for screen readers and for small ones."""
    if records:
        st.table([dict(record) for record in records], alt=alt, hide_index=True)


def downloads(records: Records, key: str) -> None:
    """CSV and JSON of some records."""
    with st.container(horizontal=True):
        st.download_button(
            "CSV",
            data=lambda: to_csv(records),
            file_name=f"{key}.csv",
            mime="text/csv",
            key=f"{key}-csv",
            on_click="ignore",
        )
        st.download_button(
            "JSON",
            data=lambda: to_json(records),
            file_name=f"{key}.json",
            mime="application/json",
            key=f"{key}-json",
            on_click="ignore",
        )


def chart(figure: object, *, key: str, alt: str) -> list[str]:
    """A chart whose points can be clicked.

    Returns:
        `customdata` of the clicked points.
    """
    event: Any = st.plotly_chart(
        figure,
        width="stretch",
        key=key,
        alt=alt,
        config=CONFIG,
        on_select="rerun",
        selection_mode="points",
    )
    return [clicked(point) for point in event.selection.points if "customdata" in point]


def clicked(point: Mapping[str, Any]) -> str:
    """The run id a point carries."""
    data = point["customdata"]
    if isinstance(data, Mapping):
        data = next(iter(data.values()))
    return str(data[0] if isinstance(data, list | tuple) else data)


def pick(label: str, options: Sequence[str], key: str, words: Callable[[str], str] = str) -> str:
    """A select box that lives in the URL; empty without options."""
    if not options:
        return ""
    chosen = st.selectbox(label, list(options), key=key, format_func=words, bind=BIND)
    return str(chosen)


def permalink(path: str, **state_of: str | float | None) -> None:
    """The address of exactly this view: defaults are spelt out, so it stays when they change."""
    from urllib.parse import urlencode

    chosen = {key: value for key, value in state_of.items() if value not in (None, "")}
    with st.expander("Link to this view"):
        st.code(f"/{path}?{urlencode(chosen)}", language=None, wrap_lines=True)


def place_pickers() -> Choice:
    """Task and division, side by side."""
    index = state.index()
    left, right = st.columns(2)
    with left:
        task = pick("Task", tasks(index), "task", task_words)
    with right:
        division = pick("Division", divisions(index, task) if task else [], "division")
    return Choice(task=task, division=division)


def task_words(task: str) -> str:
    """`task:split` for people."""
    name, _, split = task.partition(":")
    return f"{name} ({split})"


def axis_picker(default: str) -> str:
    """Kind of cost."""
    names = [default, *(cost.id for cost in MAIN_COSTS if cost.id != default)]
    return pick("Cost", names, "axis", lambda name: COSTS[name].title)


def task_warning(task: str) -> None:
    """What every page with a task's scores must say."""
    from membench.tasks.registry import get_task

    warning = get_task(task.partition(":")[0]).card.warning
    if warning:
        st.caption(warning)
