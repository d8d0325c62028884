"""What was stopped is told apart from what failed, and goes on as it was begun."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from membench.domain.errors import RunStateError, Stopped, UsageError
from membench.harness import run as runs
from membench.harness.run import derive, rescore, resume, start
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.scripted import ScriptedServer

SPEC = RunSpec("bm25", "locomo", split="sample")
SERVED = replace(SPEC, system="dense", embedder="embeds", limit=1)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def begun(spec: RunSpec, options: ExecOptions, patch: pytest.MonkeyPatch) -> RunDir:
    """A run that was interrupted before its first event."""
    with patch.context() as once:
        once.setattr(runs, "work", interrupted)
        with pytest.raises(Stopped):
            start(spec, options)
    return RunDir.open(options.out / str(options.run_id))


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """Without any model."""
    return begun(SPEC, ExecOptions(tmp_path, "stopped"), monkeypatch)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def served(tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """With a model at an address that was given."""
    options = ExecOptions(tmp_path, "served", base_url=server.base_url)
    return begun(SERVED, options, monkeypatch)


# --- scoring what has not come to its end --------------------------------------------------------


@pytest.mark.parametrize("status", ["interrupted", "running"], ids=["stopped", "killed"])
def test_a_run_that_did_not_end_is_not_scored_and_stays_resumable(
    stopped: RunDir, status: str
) -> None:
    stopped.write_manifest(replace(stopped.manifest(), status=status))
    before = {file.name: file.read_bytes() for file in stopped.path.iterdir() if file.is_file()}
    with pytest.raises(
        RunStateError, match=f"membench run --resume {re.escape(str(stopped.path))}"
    ):
        rescore(stopped.path, ExecOptions())
    after = {file.name: file.read_bytes() for file in stopped.path.iterdir() if file.is_file()}
    assert after == before
    assert resume(stopped.path, ExecOptions(stopped.path.parent)).complete
    assert rescore(stopped.path, ExecOptions()).complete


# --- addresses, which no file holds --------------------------------------------------------------


def test_a_run_is_not_gone_on_with_without_the_address_it_was_begun_with(served: RunDir) -> None:
    with pytest.raises(UsageError, match="for its embedder model") as told:
        resume(served.path, ExecOptions(served.path.parent))
    assert f"membench run --resume {served.path} --base-url URL" in told.value.remedy
    assert served.manifest().attempts == 1


def test_it_goes_on_with_an_address_which_may_be_another(served: RunDir) -> None:
    with ScriptedServer() as other:
        options = ExecOptions(served.path.parent, base_url=f"embedder={other.base_url}")
        assert resume(served.path, options).complete


def test_whatever_names_the_way_to_continue_names_the_address(served: RunDir) -> None:
    for tried in (served.summary, lambda: rescore(served.path, ExecOptions())):
        with pytest.raises(RunStateError, match="--base-url URL"):
            tried()


def test_the_address_itself_is_in_no_file_of_the_run(
    served: RunDir, server: ScriptedServer
) -> None:
    address = server.base_url.removeprefix("http://").encode()
    files = [file for file in served.path.rglob("*") if file.is_file()]
    assert not [file.name for file in files if address in file.read_bytes()]


def test_a_run_whose_models_are_all_here_asks_for_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ExecOptions(tmp_path, "local", base_url="http://127.0.0.1:9/v1")
    run = begun(SPEC, options, monkeypatch)
    assert resume(run.path, ExecOptions(tmp_path)).complete


def test_a_run_read_again_needs_no_address_of_models_that_are_not_asked(
    served: RunDir, server: ScriptedServer
) -> None:
    resume(served.path, ExecOptions(served.path.parent, base_url=server.base_url))
    options = ExecOptions(served.path.parent, "again")
    again = derive(served.path, {"reader": "refuse"}, runs.PLAYED, options)
    assert again.complete
    assert resume(again.run.path, ExecOptions(served.path.parent)).complete
