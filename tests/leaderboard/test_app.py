"""Every page draws on an empty store, on one real run, and without joules (no browser needed)."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest  # noqa: TID253

from membench.harness.run import start
from membench.leaderboard.app import state
from membench.leaderboard.app.serve import (
    SCRIPT,
    ServeOptions,
    configuration,
    environment,
    warm,
)
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.store.index import refresh
from membench.leaderboard.store.store import Store
from membench.leaderboard.validation import verify
from membench.leaderboard.views.board.board import board
from membench.leaderboard.views.board.query import BoardQuery
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.boards import BoardPlan, write_store

pytestmark = pytest.mark.filterwarnings("ignore")

PAGES = (
    "leaderboard", "amortisation", "compare", "run", "question",
    "systems", "profiles", "tasks", "glossary", "method", "submit",
)  # fmt: skip


def drawn(
    page: str,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    serving: ServeOptions | None = None,
    **query: object,
) -> AppTest:
    """A page as a reader would have it."""
    for name, value in environment(serving or ServeOptions(store)).items():
        monkeypatch.setenv(name, value)
    module, _, function = {
        "systems": "catalogue.systems",
        "tasks": "catalogue.tasks",
        "glossary": "words.glossary",
        "method": "words.method",
        "submit": "words.submit",
    }.get(page, f"{page}.page").partition(".")
    script = (
        "import streamlit as st\n"
        "from membench.leaderboard.app import links\n"
        f"from membench.leaderboard.app.pages import {module}\n"
        "names = ('leaderboard', 'compare', 'run', 'question')\n"
        f"draw = {module}.{function}\n"
        "pages = [st.Page(draw, title='here', url_path='here', default=True)]\n"
        "pages += [st.Page(lambda: None, title=n, url_path=n) for n in names]\n"
        "links.PAGES.update(zip(names, pages[1:]))\n"
        "st.navigation(pages).run()\n"
    )
    app = AppTest.from_string(script, default_timeout=300)
    for name, value in query.items():
        app.query_params[name] = value  # type: ignore[assignment]
    app.run()
    assert not app.exception, [e.value for e in app.exception]
    return app


@pytest.fixture(scope="module")
def one(honest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one real run, without joules."""
    store = Store(tmp_path_factory.mktemp("one"))
    store.add(honest, verify(honest))
    return store.root


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_page_draws_on_an_empty_store(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(page, tmp_path / "results", monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_page_draws_with_one_run(
    page: str, one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(page, one, monkeypatch)


@pytest.mark.slow
def test_the_pages_of_published_rows_draw(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for manifest in sorted(published.glob("*/*/manifest.json")):
        task, run, _ = manifest.relative_to(published).parts
        drawn("leaderboard", published, monkeypatch, task=task)
        drawn("run", published, monkeypatch, run=run)
        drawn("question", published, monkeypatch, runs=[run])


@pytest.mark.slow
def test_a_run_without_joules_says_unavailable(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = drawn("run", one, monkeypatch, run="story")
    assert "unavailable" in [metric.value for metric in app.metric]


def test_a_cost_that_nobody_measured_has_no_chart(
    one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = drawn("leaderboard", one, monkeypatch, axis="Energy (J)")
    assert any("no chart" in info.value for info in app.info)


def test_an_unknown_run_is_said_to_be_unknown(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = drawn("run", one, monkeypatch, run="nope")
    assert [error.value for error in app.error] == ["There is no such run."]


def test_a_question_page_shows_the_words_on_loopback(
    one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = drawn("question", one, monkeypatch, runs=["story"])
    assert any(text.value.startswith("Gold: ") for text in app.text)


@pytest.mark.slow
def test_a_question_page_shows_every_call_of_a_run_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without the run directory the counts of the bundle."""
    spec = RunSpec("session-summaries", "synthetic", "mini", limit=1, memory_model="scripted",
                   embedder="scripted", reader="scripted")  # fmt: skip
    options = ExecOptions(out=tmp_path / "runs", run_id="made", cassette_mode="record")
    bundle = make_bundle(start(spec, options).run.path, tmp_path / "made").path
    store = Store(tmp_path / "results")
    store.add(bundle, verify(bundle))
    app = drawn("question", store.root, monkeypatch, runs=["made"])
    assert any("a bundle holds no more" in caption.value for caption in app.caption)
    serving = ServeOptions(store.root, runs=tmp_path / "runs")
    app = drawn("question", store.root, monkeypatch, serving, runs=["made"])
    assert "Texts of call" in [box.label for box in app.selectbox]
    assert any(code.value.startswith("[system]") for code in app.code)


def test_words_of_the_data_are_shown_on_loopback_alone(tmp_path: Path) -> None:
    assert environment(ServeOptions(tmp_path))[state.SHOW_TEXT] == "1"
    assert environment(ServeOptions(tmp_path, host="0.0.0.0"))[state.SHOW_TEXT] == "0"
    assert environment(ServeOptions(tmp_path, tokens=tmp_path / "tokens"))[state.SHOW_TEXT] == "0"


def test_strangers_words_are_never_markdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision's words, the one free text on the board, are shown as text."""
    (run_id,) = write_store(tmp_path, BoardPlan(runs=1, questions=20))
    Store(tmp_path).withdraw(run_id, "us", "![](http://evil.example/x.png)")
    app = drawn("run", tmp_path, monkeypatch, run=run_id)
    assert not [m for m in app.markdown if "evil" in m.value]
    assert [t for t in app.text if "evil" in t.value]


def test_the_script_is_where_the_server_looks() -> None:
    assert SCRIPT.is_file()
    assert not (SCRIPT.parent / "pages").exists(), "Streamlit would take it for its own pages"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_server_asks_nobody_for_anything(tmp_path: Path, host: str) -> None:
    options = configuration(ServeOptions(tmp_path, host=host))
    assert options["browser.gatherUsageStats"] is False
    assert options["browser.serverAddress"], "else Streamlit asks the world for its address"


def test_the_first_index_is_no_change_of_the_store_and_a_bundle_is(tmp_path: Path) -> None:
    write_store(tmp_path, BoardPlan(runs=1, questions=5))
    before = state.stamp(tmp_path)
    refresh(Store(tmp_path))
    assert state.stamp(tmp_path) == before
    (tmp_path / "locomo" / "another").mkdir()
    assert state.stamp(tmp_path) != before


def test_a_page_after_warming_computes_nothing_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_store(tmp_path, BoardPlan(runs=3, questions=10))
    for name, value in environment(ServeOptions(tmp_path)).items():
        monkeypatch.setenv(name, value)
    made: list[BoardQuery] = []
    monkeypatch.setattr(state, "board", lambda i, choice: made.append(choice) or board(i, choice))
    warm(ServeOptions(tmp_path))
    drawn("leaderboard", tmp_path, monkeypatch)
    assert made == [BoardQuery()]
