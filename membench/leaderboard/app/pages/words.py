"""Method and Submit: pages of text, all of it from this package."""

from __future__ import annotations

from pathlib import Path

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.leaderboard.app import components as c
from membench.leaderboard.app import state
from membench.leaderboard.rendering.terms import term_records
from membench.leaderboard.validation import RULES
from membench.leaderboard.views import glossary as entries

HERE = Path(__file__).parents[1]


def method() -> None:
    """Draw the page on method."""
    c.heading("Method")
    st.markdown((HERE / "method.md").read_text(encoding="utf-8"))


def glossary() -> None:
    """Draw the page of words."""
    c.heading("Glossary", "Words of the board; every metric, cost and badge: what it says.")
    c.section("Words")
    c.words_table(term_records(), key="terms", alt="Words of the board")
    c.section("Metrics")
    c.words_table(entries.metric_records(), key="metrics", alt="Headline metrics of every task")
    c.section("Costs")
    c.words_table(entries.cost_records(), key="costs", alt="Every cost")
    c.section("Badges")
    c.words_table(entries.badge_records(), key="badges", alt="Badges of scores and joules")


def submit() -> None:
    """Draw the page on submitting."""
    c.heading("Submit")
    st.markdown((HERE / "submit.md").read_text(encoding="utf-8"))
    if state.settings().submissions:
        st.caption("This board accepts bundles: POST /api/v1/submissions with a bearer token.")
    c.section("Rules")
    st.caption("Every bundle is held to these, here and in `membench verify`.")
    records = [
        {"rule": rule.id, "what it asks for": rule.title, "if it is broken": rule.remedy}
        for rule in RULES.values()
    ]
    c.words_table(records, key="rules", alt="Rules a bundle is held to")
