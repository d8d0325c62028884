"""What a system keeps from case to case is found in the run, said, flagged and never ranked."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from membench.adapters.isolation import Isolation, IsolationChoice
from membench.cli.output.summary import state_lines
from membench.domain.case import Case, Ingest, Session, Turn
from membench.harness.lanes.earlier_cases import EarlierCases
from membench.harness.lanes.play_lane import earlier_cases
from membench.harness.run import RunResult, start
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.store.rows import facts_of
from membench.leaderboard.validation import verify
from membench.leaderboard.views.board.rows import why_unranked
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import CarriedOver

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


def test_a_part_of_what_the_case_was_told_is_its_own_though_another_was_told_it_alone() -> None:
    advice = "A whetstone and ten minutes are enough."
    earlier, first = EarlierCases(), case("a", advice, LONG)
    second = case("b", f"{advice} Dry it at once, then it lasts.", OTHER)
    earlier.begin(first)
    earlier.end(first)
    earlier.begin(second)
    assert earlier.count(second, [advice, f"Ines: {advice}", LONG]) == 1


def test_a_date_and_a_speaker_before_a_text_do_not_hide_it() -> None:
    earlier, first, second = EarlierCases(), case("a", LONG), case("b", OTHER)
    earlier.begin(first)
    earlier.end(first)
    earlier.begin(second)
    dated = [f"8 May 2024 13:56: {text}" for text in (LONG, OTHER)]
    assert earlier.count(second, [*dated, "8 May 2024: Ines: I moved", "Ines: in the spring."]) == 1


def test_nothing_is_looked_for_where_a_system_has_no_place_to_keep_it() -> None:
    assert earlier_cases(Isolation("isolated")) is None
    for weaker in (Isolation("process", "asked for"), Isolation("in-process", "asked for"), None):
        assert earlier_cases(weaker) is not None


def played(system: str, out: Path, isolation: IsolationChoice, **parameters: str) -> RunResult:
    spec = RunSpec(system, "locomo", "sample", reader="refuse", set=parameters)
    return start(spec, ExecOptions(out=out, energy="none", isolation=isolation))


@pytest.mark.slow
def test_a_run_in_the_lane_says_it_and_is_never_ranked(tmp_path: Path) -> None:
    done = played(KEEPS, tmp_path, "in-process")
    assert "STATE KEPT BETWEEN CASES" in "".join(state_lines(done.summary))
    assert done.run.summary().carried_over == done.summary.carried_over
    assert done.summary.carried_over.memories >= done.summary.carried_over.cases > 0
    checked = verify(make_bundle(done.run.path, tmp_path / "bundle").path)
    assert checked.accepted, checked.findings
    assert "flag.state" in checked.flags
    facts = facts_of(done.run.manifest(), done.summary) | {"flags": " ".join(checked.flags)}
    assert "earlier case" in why_unranked({**facts, "withdrawn": False}, None)


@pytest.mark.slow
def test_in_a_process_of_its_own_a_case_finds_nothing_of_another(tmp_path: Path) -> None:
    done = played(KEEPS, tmp_path, "process")
    assert done.summary.carried_over == CarriedOver()
    assert "carried_over" not in done.summary.to_json()
    assert list(state_lines(done.summary)) == []


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
    assert bool(list(state_lines(done.summary))) is not forgets


class OneNamespace(dict[str, list[str]]):
    """Texts by user, where every user is one."""

    def setdefault(self, user: str, default: list[str]) -> list[str]:  # type: ignore[override]
        return super().setdefault("one", default)

    def get(self, user: str, default: list[str]) -> list[str]:  # type: ignore[override]
        return super().get("one", default)


@pytest.mark.slow
@pytest.mark.parametrize("forgets", [True, False])
@pytest.mark.parametrize("text", ["dated", "official"])
def test_a_server_behind_mcp_that_does_not_forget_is_found_out(
    forgets: bool, text: str, mcp_server: tuple[str, ModuleType], tmp_path: Path
) -> None:
    url, example = mcp_server
    if not forgets:
        example.stored = OneNamespace()
    done = played(
        "mcp",
        tmp_path,
        "auto",
        url=url,
        name="hoard",
        version="1",
        namespace_argument="user",
        text=text,
    )
    assert done.complete
    assert (done.summary.carried_over.cases > 0) is not forgets


@pytest.fixture
def mcp_server() -> Iterator[tuple[str, ModuleType]]:
    """The example server behind MCP, on streamable HTTP, and its module."""
    pytest.importorskip("mcp")
    import uvicorn

    example = loaded(EXAMPLE.with_name("mcp_memory_server.py"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(example.server.streamable_http_app(), log_level="error")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", example
        server.should_exit = True
        thread.join()


def loaded(path: Path) -> ModuleType:
    """A module from its file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server() -> Iterator[tuple[str, ModuleType]]:
    """The example server, running, and its module."""
    module = loaded(EXAMPLE)
    with ThreadingHTTPServer(("127.0.0.1", 0), module.Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", module
        running.shutdown()
        thread.join()
