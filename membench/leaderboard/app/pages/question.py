"""Question: what every system recalled and answered."""

from __future__ import annotations

import streamlit as st  # noqa: TID253  (only the app imports this module)

from membench.domain.errors import UserError
from membench.leaderboard.app import components as c
from membench.leaderboard.app import state
from membench.leaderboard.views import question as view
from membench.leaderboard.views.board.choices import listed
from membench.leaderboard.views.bundles import load, question_rows
from membench.leaderboard.views.model_calls import QuestionCalls

SIDE_BY_SIDE = 4
NOT_ALONE = "this board is not for its owner alone (it takes submissions, or is not on loopback)"
MOST = 8


def page() -> None:
    """Draw the page."""
    c.heading("Question", "One question, and what each run recalled and answered.")
    if c.nothing_yet():
        return
    runs = pick_runs()
    if not runs:
        st.info("Choose runs over the same data.")
        return
    question_id = pick_question(runs[0])
    settings = state.settings()
    try:
        shown = view.question_page(
            state.store(),
            runs,
            question_id,
            settings.data,
            show_text=settings.show_text,
            folder=settings.runs,
        )
    except UserError as error:
        st.error(error.problem)
        return
    draw(shown, show_text=settings.show_text)


def pick_runs() -> list[str]:
    """Runs of one task and split, in the URL."""
    runs = listed(state.index().runs)
    known = set(runs["run_id"])
    asked = [run for run in st.query_params.get_all("runs") if run in known] or c.best_runs(2)
    newest = runs.sort_values("created", ascending=False)
    head = asked[0] if asked else newest["run_id"].iloc[0]
    row = runs[runs["run_id"] == head].iloc[0]
    same = newest[(newest["task"] == row["task"]) & (newest["split"] == row["split"])]
    options = list(dict.fromkeys([*same["run_id"][:300], *asked]))
    return c.pick_runs("Runs", options, asked[:MOST] or options[:1], MOST)


def pick_question(run_id: str) -> str:
    """The question, in the URL."""
    ids = [row.item_id for row in question_rows(load(state.store(), run_id).rows())]
    return c.pick("Question", ids, "question")


def draw(shown: view.QuestionPage, *, show_text: bool) -> None:
    """Question, gold, and every run."""
    if shown.text is not None:
        st.text(shown.text)
        st.text(f"Gold: {shown.gold or '–'}")
        for turn in shown.evidence:
            st.text(f"Evidence {turn}: {shown.evidence_texts.get(turn, '')}")
    else:
        why = "this machine does not have the data" if show_text else NOT_ALONE
        st.caption(f"The words of question, gold and memories are not shown: {why}.")
    st.caption(f"Category {shown.category}" + (f", asked at {shown.now}" if shown.now else ""))
    for start in range(0, len(shown.runs), SIDE_BY_SIDE):
        part = shown.runs[start : start + SIDE_BY_SIDE]
        for column, run in zip(st.columns(len(part)), part, strict=True):
            with column:
                draw_run(run)
    c.section("Scores")
    c.table(view.score_records(shown), key="question-scores", alt="Scores of every run")


def draw_run(run: view.AttemptView) -> None:
    """One run's answer and memories."""
    c.section(c.plain(run.label))
    st.text(run.run_id)
    if run.note:
        st.caption(c.plain(run.note))
    for number, answer in enumerate(run.answers or ("(no answer)",), start=1):
        st.caption("Answer" + (f" {number}" if len(run.answers) > 1 else ""))
        st.code(answer, language=None, wrap_lines=True)
    for request, words in run.verdicts.items():
        st.text(f"{request}: {words}")
    c.table(
        view.recalled_records(run),
        key=f"recalled-{run.run_id}",
        alt=f"Memories that {run.label} recalled, best first",
    )
    if run.stored:
        st.caption(f"Memories from the evidence that {c.plain(run.label)} ever recalled")
        c.table(
            view.stored_records(run),
            key=f"stored-{run.run_id}",
            alt=f"Memories of {run.label} that came from the evidence",
        )
    with st.expander("Model calls of this question and of the ingestion of its evidence"):
        if run.each_call is None:
            draw_counts(run)
        else:
            draw_calls(run.run_id, run.each_call)


def draw_counts(run: view.AttemptView) -> None:
    """Calls counted by role, as a bundle has them."""
    st.caption(
        "Counts by role: a bundle holds no more. On the machine of the run, `membench leaderboard "
        "--runs DIR` shows every call here, as `membench show RUN QUESTION --calls` does."
    )
    c.table(
        view.call_records(run),
        key=f"calls-{run.run_id}",
        alt=f"Model calls of {run.label} for this question",
    )


def draw_calls(run_id: str, found: QuestionCalls) -> None:
    """Every call, and the texts of the one that is picked."""
    if found.note:
        st.caption(c.plain(found.note))
    if not found.calls:
        return
    c.table(view.each_call_records(found), key=f"each-call-{run_id}", alt="Every model call")
    shown = {
        f"{n}: {call.phase}, {call.role}": call
        for n, call in enumerate(found.calls, start=1)
        if call.prompt is not None
    }
    if not shown:
        return
    call = shown[st.selectbox("Texts of call", list(shown), key=f"call-texts-{run_id}")]
    st.caption("Prompt")
    st.code(call.prompt, language=None, wrap_lines=True, height=300)
    st.caption("Reply")
    st.code(call.reply, language=None, wrap_lines=True)
