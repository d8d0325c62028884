"""Texts that must not be passed on: whole for the owner of the run, for nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest  # noqa: TID253
from typer.testing import CliRunner

from membench.cli import app as cli
from membench.harness.run import start
from membench.leaderboard.app.serve import ServeOptions, environment
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.site.export import export
from membench.leaderboard.store.store import Store
from membench.leaderboard.validation import verify
from membench.leaderboard.views.bundles import load, question_rows
from membench.leaderboard.views.question import QuestionPage, question_page
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.registry import get_task

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

WHY = "does not allow passing them on"
PROMPT = "[system]"
"""How a prompt begins where it is shown."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded run over data whose licence forbids passing texts on; memories are summaries."""
    assert not get_task("locomo").card.may_redistribute_text
    folder = tmp_path_factory.mktemp("runs")
    spec = RunSpec("session-summaries", "locomo", "sample", limit=1, memory_model="scripted",
                   embedder="scripted", reader="scripted")  # fmt: skip
    start(spec, ExecOptions(out=folder, run_id="mine", cassette_mode="record"))
    return folder


@pytest.fixture(scope="module")
def store(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("board")
    bundle = make_bundle(RunDir.open(runs / "mine").path, folder / "mine").path
    made = Store(folder / "results")
    made.add(bundle, verify(bundle))
    return made


def page(store: Store, runs: Path | None, *, show_text: bool) -> QuestionPage:
    first = question_rows(load(store, "mine").rows())[0].item_id
    return question_page(store, ["mine"], first, show_text=show_text, folder=runs)


def test_the_owner_reads_summaries_answers_prompts_and_why(store: Store, runs: Path) -> None:
    (mine,) = page(store, runs, show_text=True).runs
    assert mine.recalled
    assert all(not line.text.startswith("(") for line in mine.recalled)
    assert mine.each_call is not None
    assert any(call.prompt for call in mine.each_call.calls)
    assert WHY in mine.note


def test_without_the_run_directory_a_bundle_has_no_summary(store: Store, tmp_path: Path) -> None:
    (mine,) = page(store, tmp_path, show_text=True).runs
    assert "(text not published)" in {line.text for line in mine.recalled}
    assert (mine.each_call, mine.note) == (None, "")


def test_on_another_address_nobody_reads_anything(store: Store, runs: Path) -> None:
    shown = page(store, runs, show_text=False)
    (mine,) = shown.runs
    assert (shown.text, shown.gold, mine.each_call, mine.note) == (None, None, None, "")
    assert {line.text for line in mine.recalled} == {"(text not published)"}


@pytest.mark.parametrize(("host", "seen"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_the_page_itself(
    store: Store, runs: Path, monkeypatch: pytest.MonkeyPatch, host: str, seen: bool
) -> None:
    for name, value in environment(ServeOptions(store.root, host=host, runs=runs)).items():
        monkeypatch.setenv(name, value)
    app = AppTest.from_string(
        "from membench.leaderboard.app.pages import question\nquestion.page()\n",
        default_timeout=120,
    )
    app.query_params["runs"] = "mine"
    app.run()
    assert not app.exception
    captions = [caption.value for caption in app.caption]
    assert any(code.value.startswith(PROMPT) for code in app.code) is seen
    assert any(WHY in caption for caption in captions) is seen
    assert any("not for its owner alone" in caption for caption in captions) is not seen


def test_the_terminal_shows_them_and_why(store: Store, runs: Path) -> None:
    first = question_rows(load(store, "mine").rows())[0].item_id
    done = CliRunner().invoke(cli, ["show", str(runs / "mine"), first, "--calls"])
    assert done.exit_code == 0, done.output
    assert PROMPT in done.output
    assert WHY in done.output


def test_an_export_has_none_of_them(store: Store, runs: Path, tmp_path: Path) -> None:
    (mine,) = page(store, runs, show_text=True).runs
    assert mine.each_call is not None
    secrets = {line.text for line in mine.recalled}
    secrets |= {call.prompt for call in mine.each_call.calls if call.prompt}
    export(store, tmp_path / "site")
    written = "".join(
        path.read_text(encoding="utf-8")
        for path in (tmp_path / "site").rglob("*")
        if path.suffix in (".html", ".js", ".json", ".csv") and path.parent.name != "assets"
    )
    assert not [secret for secret in secrets if secret[:60] in written]
