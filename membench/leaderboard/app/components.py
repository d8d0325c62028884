"""Parts that several pages share. Submitted text is shown as text, never as markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.leaderboard.app import state
from membench.leaderboard.rendering import html
from membench.leaderboard.rendering.cards import CARD_STYLE, record_cards
from membench.leaderboard.rendering.charts.layout import CONFIG
from membench.leaderboard.rendering.standing import STANDING_STYLE
from membench.leaderboard.rendering.style import WORDS_STYLE
from membench.leaderboard.views.board.board import limited
from membench.leaderboard.views.board.query import BoardQuery, RowFilter
from membench.leaderboard.views.cost_units import unit_id, unit_options, unit_words
from membench.leaderboard.views.tables import to_csv, to_json, without_empty
from membench.records.costs import COSTS, MAIN_COSTS

Records = Sequence[Mapping[str, Any]]
BIND: object = "query-params"


STYLE = """
[data-testid="stMainBlockContainer"] { padding-top: 3.6rem; padding-bottom: 3rem; }
h1 { font-size: 1.6rem !important; padding: .2rem 0 .3rem !important; }
h2 { font-size: 1.3rem !important; padding: .6rem 0 .2rem !important; }
[data-testid="stPlotlyChart"] text { fill: currentColor !important; }
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p {
  color: inherit !important; opacity: 1; }
.st-key-look * { color: inherit !important; }
.st-key-cards, .st-key-chart-narrow, [class*="st-key-narrow-"] { display: none; }
@media (max-width: 640px) {
  .st-key-cards, .st-key-chart-narrow, [class*="st-key-narrow-"] { display: flex; }
  .st-key-rows, .st-key-chart-wide, [class*="st-key-wide-"] { display: none; }
  .modebar-container { display: none; }
  .st-key-chips { flex-wrap: nowrap !important; overflow-x: auto; padding-bottom: .3rem; }
  [data-testid="stMainBlockContainer"] { padding-left: .8rem; padding-right: .8rem; }
}
"""
"""On narrow screens rows are cards, the chart has fewer names and no tools, chips are one line."""

TABLE_STYLE = """
.scroll { overflow-x: auto; }
.scroll table { border-collapse: collapse; font-size: .95rem; }
.scroll caption { text-align: left; caption-side: top; opacity: .85; padding: .3rem 0; }
.scroll th, .scroll td { border-bottom: 1px solid rgba(128, 134, 145, .35); padding: .25rem .8rem;
  text-align: left; white-space: nowrap; vertical-align: top; }
"""
"""Of tables in HTML of ours."""


def style() -> None:
    """The look of every page."""
    st.html(f"<style>{STYLE}{CARD_STYLE}{STANDING_STYLE}{TABLE_STYLE}{WORDS_STYLE}</style>")


def heading(title: str, words: str = "") -> None:
    """Title and one sentence of ours."""
    style()
    st.title(title)
    if words:
        st.caption(words)


def section(title: str) -> None:
    """A headed part of a page: of the level below its title, as screen readers expect."""
    st.header(title)


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
        language=None,
    )
    return True


def table(
    records: Records,
    *,
    key: str,
    alt: str,
    height: int | str = "auto",
    words: Mapping[str, tuple[str, str]] | None = None,
) -> None:
    """A table, on narrow screens cards, with downloads of what it shows; see `selectable`."""
    if not records:
        st.text("Nothing to show.")
        return
    with st.container(key=f"wide-{key}"):
        st.dataframe(
            without_empty(records),
            hide_index=True,
            width="stretch",
            alt=alt,
            height=height,
            placeholder=UNKNOWN,
            column_config=widths(records, words or {}),
        )
    with st.container(key=f"narrow-{key}"):
        st.html(record_cards(records, words or {}))
    downloads(records, key)


def words_table(
    records: Records,
    *,
    key: str,
    alt: str,
    words: Mapping[str, tuple[str, str]] | None = None,
    addresses: Mapping[str, html.Link] | None = None,
) -> None:
    """A table of sentences, which a grid would cut off; on narrow screens cards, with downloads.

    Args:
        records: Its rows.
        key: Of the files that can be downloaded.
        alt: What it shows.
        words: Column -> title and meaning, where the column's name does not say it all.
        addresses: Column -> where its cells lead.
    """
    with st.container(key=f"wide-{key}"):
        st.html(html.table(records, alt, addresses, words))
    with st.container(key=f"narrow-{key}"):
        st.html(record_cards(records, words, addresses))
    downloads(records, key)


def selectable(
    records: Records, *, key: str, alt: str, words: Mapping[str, tuple[str, str]] | None = None
) -> list[int]:
    """A table whose rows can be selected.

    Args:
        records: Its rows.
        key: Of the widget and of the files that can be downloaded.
        alt: What it shows.
        words: Column -> title and meaning, where the column's name is an id.

    Returns:
        Positions of the selected rows.
    """
    event: Any = st.dataframe(
        without_empty(records),
        hide_index=True,
        width="stretch",
        alt=alt,
        key=key,
        on_select="rerun",
        selection_mode="multi-row",
        placeholder=UNKNOWN,
        column_config=widths(records, words or {}),
    )
    downloads(records, key)
    return [row for row in event.selection.rows if row < len(records)]


UNKNOWN = "–"
"""In place of a value that is not there."""

WIDTHS = {
    "gain over baselines": 130,
    "frontier": 110,
    "score badge": 120,
    "energy badge": 120,
    "remarks": 260,
}


NAMES = "system", "other"
"""Columns that hold names of rows: as wide as these."""

LETTER, WIDEST = 6.6, 400
"""Pixels of a letter in a table, and of the widest column of names."""


def widths(records: Records, words: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Titles, meanings, and widths of columns that a width by the first rows would cut off."""
    names = records[0] if records else {}
    return {
        name: st.column_config.Column(
            words.get(name, (name, ""))[0],
            width=name_width(records, name) if name in NAMES else WIDTHS.get(name),
            help=words.get(name, (name, ""))[1] or None,
        )
        for name in names
        if name in WIDTHS or name in words or name in NAMES
    }


def name_width(records: Records, name: str) -> int:
    """Pixels that the longest name takes."""
    longest = max(len(str(record.get(name, ""))) for record in records)
    return min(WIDEST, round(30 + LETTER * longest))


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


def chosen(key: str, options: Sequence[str], words: Callable[[str], str] = str) -> str:
    """What a select box will say, before it is drawn: as picked, as the URL has it, or the first.

    A URL may hold the option's id instead of its words.
    """
    kept = st.session_state.get(key)
    if kept in options:
        return str(kept)
    asked = st.query_params.get(key)
    for option in options:
        if asked in (option, words(option)):
            st.session_state[key] = option
            return option
    return options[0] if options else ""


def chosen_text(key: str) -> str:
    """What a text field holds, before it is drawn."""
    return str(st.session_state.get(key, st.query_params.get(key, "")))


def chosen_several(key: str, options: Sequence[str]) -> tuple[str, ...]:
    """What a multiple choice holds, before it is drawn."""
    kept = st.session_state.get(key)
    asked = st.query_params.get_all(key) if kept is None else kept
    return tuple(option for option in options if option in asked)


def chosen_number(key: str, default: int) -> int:
    """What a slider will say, before it is drawn."""
    kept = st.session_state.get(key)
    if kept is None:
        asked = str(st.query_params.get(key, ""))
        kept = int(asked) if asked.isdigit() and int(asked) <= 100 else default
    return int(kept)


def plain(words: str) -> str:
    """Words in which markdown finds nothing to set."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|<>~$:-])", r"\\\1", words)


def pick(label: str, options: Sequence[str], key: str, words: Callable[[str], str] = str) -> str:
    """A select box that lives in the URL; empty without options."""
    if not options:
        return ""
    chosen = st.selectbox(label, list(options), key=key, format_func=words, bind=BIND)
    return str(chosen)


def pick_several(label: str, options: Sequence[str], key: str) -> None:
    """A multiple choice that lives in the URL; nothing chosen shows all."""
    if len(options) > 1:
        st.multiselect(label, list(options), key=key, placeholder="all", bind=BIND)


def run_words(run: str) -> str:
    """A run for people: what was run on what, when, and the end of its id."""
    return state.run_names().get(run, run)


def best_runs(most: int) -> list[str]:
    """The best runs of the board that opens first, each of another system."""
    whole = state.the_board(BoardQuery())
    ranked = [row for row in limited(whole, None, rows=RowFilter(every=False)).rows if row.rank]
    return [row.run_id for row in ranked[:most]]


def pick_runs(label: str, options: Sequence[str], asked: Sequence[str], most: int) -> list[str]:
    """Several runs under readable names; their ids live in the URL."""
    chosen = st.multiselect(
        label, list(options), default=list(asked), format_func=run_words, max_selections=most
    )
    if chosen != st.query_params.get_all("runs"):
        st.query_params["runs"] = chosen
    return [str(run) for run in chosen]


def permalink(path: str, **state_of: str | float | None) -> None:
    """The address of exactly this view: defaults are spelt out, so it stays when they change."""
    from urllib.parse import urlencode

    chosen = {key: value for key, value in state_of.items() if value not in (None, "")}
    with st.expander("Link to this view"):
        st.code(f"/{path}?{urlencode(chosen)}", language=None, wrap_lines=True)


def task_words(task: str) -> str:
    """`task:split` for people."""
    name, _, split = task.partition(":")
    return f"{name} ({split})"


def axis_options(default: str) -> list[str]:
    """Kinds of cost, the one to open on first."""
    return [default, *(cost.id for cost in MAIN_COSTS if cost.id != default)]


def axis_words(axis: str) -> str:
    """A kind of cost for people."""
    return COSTS[axis].title


def axis_picker(default: str) -> str:
    """Kind of cost."""
    return pick("Cost", axis_options(default), "axis", axis_words)


def unit_picker(axis: str) -> str:
    """What a cost is read in; empty for its own unit, and where it has no other."""
    options = unit_options(axis)
    if len(options) < 2:
        return ""
    return unit_id(axis, pick("Unit", options, "unit", unit_words))


def task_warning(task: str) -> None:
    """What every page with a task's scores must say."""
    from membench.tasks.registry import get_task

    warning = get_task(task.partition(":")[0]).card.warning
    if warning:
        st.caption(warning)
