"""What a system keeps from case to case is found in the run, said, flagged and never ranked."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from membench.adapters.isolation import IsolationChoice
from membench.cli.output.summary import state_lines
from membench.domain.case import Case, Ingest, Session, Turn
from membench.harness.lanes.earlier_cases import EarlierCases
from membench.harness.run import RunResult, start
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.store.rows import facts_of
from membench.leaderboard.validation import verify
from membench.leaderboard.views.board import why_unranked
from membench.records.spec import ExecOptions, RunSpec

KEEPS = str(Path(__file__).parent / "systems" / "keeps")
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "http_memory_server.py"
LONG = "Ines: I moved to Porto in the spring."
OTHER = "Tom: my sister keeps two parrots."


def case(name: str, *texts: str) -> Case:
    turns = tuple(Turn(f"t{n}", "Ines", "user", text, text) for n, text in enumerate(texts))
    return Case(name, "test", (Ingest(Session("s", 0, turns)),))


def test_a_text_of_an_earlier_case_alone_is_what_nobody_could_know() -> None:
    earlier, first, second = EarlierCases(), case("a", LONG, "Yes."), case("b", OTHER, "No.")
    earlier.begin(first)
    assert earlier.count(first, [LONG]) == 0
    earlier.end(first)
    earlier.begin(second)
    assert earlier.count(second, [LONG, OTHER, "Yes.", "something of its own making"]) == 1
    earlier.end(second)


def test_a_text_that_the_case_was_told_too_is_its_own() -> None:
    earlier, first, second = EarlierCases(), case("a", LONG), case("b", LONG, OTHER)
    earlier.begin(first)
    earlier.end(first)
    earlier.begin(second)
    assert earlier.count(second, [LONG]) == 0


def played(system: str, out: Path, isolation: IsolationChoice, **parameters: str) -> RunResult:
    spec = RunSpec(system, "locomo", "sample", reader="refuse", set=parameters)
    return start(spec, ExecOptions(out=out, energy="none", isolation=isolation))


@pytest.mark.slow
def test_a_run_in_the_lane_says_it_and_is_never_ranked(tmp_path: Path) -> None:
    done = played(KEEPS, tmp_path, "in-process")
    assert "STATE KEPT BETWEEN CASES" in "".join(state_lines(done.run.path))
    checked = verify(make_bundle(done.run.path, tmp_path / "bundle").path)
    assert checked.accepted, checked.findings
    assert "flag.state" in checked.flags
    facts = facts_of(done.run.manifest(), done.summary) | {"flags": " ".join(checked.flags)}
    assert "earlier case" in why_unranked({**facts, "withdrawn": False}, None)


@pytest.mark.slow
def test_in_a_process_of_its_own_a_case_finds_nothing_of_another(tmp_path: Path) -> None:
    done = played(KEEPS, tmp_path, "process")
    assert list(state_lines(done.run.path)) == []


@pytest.mark.slow
@pytest.mark.parametrize("forgets", [True, False])
def test_a_server_that_does_not_forget_is_found_out(
    forgets: bool, server: tuple[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, example = server
    handle = example.handle

    def hoarding(path: str, body: dict[str, object]) -> object:
        if path == "/close" or (path == "/reset" and "one" in example.stores):
            return {}
        return handle(path, {**body, "namespace": "one"})

    if not forgets:
        monkeypatch.setattr(example, "handle", hoarding)
    done = played("http", tmp_path, "auto", url=url, name="hoard", version="1")
    assert bool(list(state_lines(done.run.path))) is not forgets


@pytest.fixture
def server() -> Iterator[tuple[str, ModuleType]]:
    """The example server, running, and its module."""
    spec = importlib.util.spec_from_file_location("http_memory_server", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with ThreadingHTTPServer(("127.0.0.1", 0), module.Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", module
        running.shutdown()
        thread.join()
