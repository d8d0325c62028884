"""The script that Streamlit runs for every session."""

from __future__ import annotations

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.leaderboard.app import links
from membench.leaderboard.app.pages import (
    amortisation,
    catalogue,
    compare,
    leaderboard,
    profiles,
    question,
    run,
    words,
)

st.set_page_config(page_title="membench leaderboard", layout="wide")

links.PAGES.update(
    leaderboard=st.Page(
        leaderboard.page, title="Leaderboard", url_path="leaderboard", default=True
    ),
    amortisation=st.Page(amortisation.page, title="Amortisation", url_path="amortisation"),
    compare=st.Page(compare.page, title="Compare", url_path="compare"),
    run=st.Page(run.page, title="Run", url_path="run"),
    question=st.Page(question.page, title="Question", url_path="question"),
    systems=st.Page(catalogue.systems, title="Systems", url_path="systems"),
    profiles=st.Page(profiles.page, title="Profiles", url_path="profiles"),
    tasks=st.Page(catalogue.tasks, title="Tasks", url_path="tasks"),
    glossary=st.Page(words.glossary, title="Glossary", url_path="glossary"),
    method=st.Page(words.method, title="Method", url_path="method"),
    submit=st.Page(words.submit, title="Submit", url_path="submit"),
)
st.navigation(list(links.PAGES.values()), position="top").run()
