"""Ways from one page to another; the target's state is in its URL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.leaderboard.views.compare import MOST

PAGES: dict[str, Any] = {}
"""Pages by name, filled by `main` before a page is drawn."""


def run_address(run_id: str) -> str:
    """The address of a run's page, for links in HTML of ours."""
    return f"run?{urlencode({'run': run_id})}"


def open_run(run_id: str) -> None:
    """Go to a run."""
    st.switch_page(PAGES["run"], query_params={"run": run_id})


def selection(runs: Sequence[str]) -> None:
    """What can be done with selected rows."""
    if not runs:
        st.caption("Select one row to open it, two to five to compare them.")
        return
    if len(runs) == 1:
        st.page_link(PAGES["run"], label="Open this run", query_params={"run": runs[0]})
        return
    chosen = list(runs[:MOST])
    label = f"Compare {len(chosen)} runs"
    st.page_link(PAGES["compare"], label=label, query_params={"runs": chosen})


def question(question_id: str, runs: Sequence[str]) -> None:
    """A link to a question, as some runs saw it."""
    st.page_link(
        PAGES["question"],
        label=f"Open question {question_id}",
        query_params={"question": question_id, "runs": list(runs)},
    )
