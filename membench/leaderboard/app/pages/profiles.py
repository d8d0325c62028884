"""Profiles: what systems ask of models and of the machine."""

from __future__ import annotations

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.leaderboard.app import components as c
from membench.leaderboard.app import state
from membench.leaderboard.views import profiles as view


def page() -> None:
    """Draw the page."""
    c.heading("Profiles", "What a memory system costs, known without a strong model.")
    stored = view.stored_profiles(state.store())
    for problem in stored.problems:
        st.warning(c.plain(problem))
    if not stored.profiles:
        st.info("There is no profile yet.")
        st.code("membench profile NAME --out results/profiles", language=None)
        return
    left, right = st.columns(2)
    with left:
        search = str(st.text_input("Name contains", key="search", bind=c.BIND) or "")
    with right:
        model = c.pick("Joules of", view.energy_models(), "model")
    shown = [made for made in stored.profiles if search.lower() in made.system.lower()]
    records = view.profile_records(shown, model)
    c.table(records, key="profiles", alt="Cost profiles of systems", height=560, words=view.WORDS)
    st.caption(c.plain(view.NOTICE))
    c.section("By phase and role")
    c.table(view.phase_records(shown), key="phases", alt="Calls and tokens by phase and role")
    c.section("Joules by language model")
    c.table(view.energy_records(shown), key="joules", alt="Estimated joules by language model")
