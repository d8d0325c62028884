"""Packages, installed for real, keep the contract; what is stored of them is current."""

import ast
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from installed_packages import ensure_or_skip

from membench.adapters.environment import environments
from membench.adapters.environment.problem import EnvironmentProblem
from membench.adapters.registry import (
    SystemCard,
    checked_parameters,
    create,
    get_card,
    list_systems,
)
from membench.domain.case import CaseInfo
from membench.domain.labels import Role
from membench.domain.system import ModelEndpoint, Query, SystemContext
from membench.llm.upstreams.scripted import Json, ReplyRule, Request, Text
from membench.testing.conformance import render
from membench.testing.histories import TALK, session
from membench.testing.package_rules import RULES, contains, said
from membench.testing.packages import check_package
from membench.testing.scripted import ScriptedServer
from membench.testing.stored import read_stored
from membench.tokens import count_tokens

INSTALLED = [card for card in list_systems().values() if card.environment is not None]
PACKAGES = [card for card in INSTALLED if card.folder.parent.name == "packages"]
"""Released weights have environments too, and no defaults at which they could be checked."""
SMALL = ("langmem", "mem0", "qdrant")
"""What continuous integration installs; the others are checked by benchmarks/packages.py."""
MOVED: list[tuple[str, dict[str, str]]] = [
    ("everos", {}),
    ("graphiti", {}),
    ("graphiti-falkordb", {}),
    ("hindsight", {}),
    ("langmem", {}),
    ("letta", {"writes": "agent"}),
    ("mem0", {}),
    ("mem0-raw", {}),
    ("memos-general", {}),
    ("memos-tree", {}),
    ("reme", {}),
]
"""Packages that store under a clock that is moved while they call a model."""
DAY_AFTER = "1998-03-10"
UNDATED_WORK = ("reset", "recall", "memories")
TICKS = {"hindsight": "dates memories by what it is told"}
"""Where the clock moves on while it stores, and why that dates nothing later."""


@pytest.fixture(params=SMALL)
def installed(request: pytest.FixtureRequest) -> Iterator[SystemCard]:
    """A package with its environment, skipped where packages cannot be fetched."""
    card = get_card(request.param)
    ensure_or_skip(card)
    yield card


@pytest.mark.packages
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_package_keeps_the_contract_and_its_own_card(installed: SystemCard) -> None:
    report, replay = check_package(installed)
    assert report.passed, render(report)
    stored = read_stored(installed)
    assert stored is not None
    assert replay == stored.replay


@pytest.mark.packages
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_text_that_is_said_twice_in_a_session_is_stored_twice(tmp_path: Path) -> None:
    card = get_card("langgraph-store")
    ensure_or_skip(card)
    with ScriptedServer() as server:
        models = {Role.EMBEDDER: ModelEndpoint(server.base_url, "key", "scripted")}
        with closing(create(card, SystemContext({}, 0, tmp_path, count_tokens, models))) as store:
            store.reset(CaseInfo("case", "test", ("Ines", "Tom")))
            store.ingest(session("case", 0, (("Ines", "Bye."), ("Tom", "Bees."), ("Ines", "Bye."))))
            assert len(store.recall(Query("Bye.", 5))) == 3


@pytest.mark.packages
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "given"), MOVED, ids=lambda value: str(value or ""))
def test_memories_are_dated_by_their_session_however_long_the_model_takes(
    name: str, given: dict[str, str], tmp_path: Path
) -> None:
    """The session is told a second before midnight: what is dated later is of the day after."""
    card = get_card(name)
    if name in SMALL:
        ensure_or_skip(card)
    elif environments.status(card).state != "ready":
        pytest.skip(f"the environment of {name} is not installed, and takes minutes")
    told = replace(session("case", 1, TALK[:1]), time=datetime(1998, 3, 9, 23, 59, 59))
    with ScriptedServer(RULES.get(name, ()), delay_s=1.0) as server:
        endpoint = ModelEndpoint(server.base_url, "key", "scripted")
        models = {Role.MEMORY: endpoint, Role.EMBEDDER: endpoint}
        context = SystemContext(checked_parameters(card, given), 0, tmp_path, count_tokens, models)
        with closing(create(card, context)) as system:
            system.reset(CaseInfo("case", "test", ("Ines", "Tom")))
            system.ingest(told)
            memories = system.memories()
            dates = [
                memory.time for memory in memories if memory.time is not None or memory.sources
            ]
            assert dates == [told.time] * len(dates) and dates
            assert not [memory.id for memory in memories if "19980310" in (memory.id or "")]
            assert not [request for request in server.requests if DAY_AFTER in str(request.body)]
            files = [path for path in tmp_path.rglob("*") if path.is_file()]
            assert not [path for path in files if DAY_AFTER.encode() in path.read_bytes()]


@contextmanager
def opened(
    name: str, rules: Sequence[ReplyRule], folder: Path
) -> Iterator[tuple[Any, ScriptedServer]]:
    """A package at the start of a case, its models scripted, and their server."""
    card = get_card(name)
    if name in SMALL:
        ensure_or_skip(card)
    elif environments.status(card).state != "ready":
        pytest.skip(f"the environment of {name} is not installed, and takes minutes")
    with ScriptedServer(rules) as server:
        endpoint = ModelEndpoint(server.base_url, "key", "scripted")
        models = {Role.MEMORY: endpoint, Role.EMBEDDER: endpoint}
        context = SystemContext(checked_parameters(card, {}), 0, folder, count_tokens, models)
        with closing(create(card, context)) as system:
            system.reset(CaseInfo("case", "test", ("Ines", "Tom")))
            yield system, server


@pytest.mark.packages
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_of_sessions_without_dates_mem0_shows_its_model_the_messages_of_the_last(
    tmp_path: Path,
) -> None:
    with opened("mem0", RULES["mem0"], tmp_path) as (system, server):
        told = [f"Talk {n} was of shelf {n}." for n in range(3)]
        for n, text in enumerate(told):
            system.ingest(replace(session("case", n, (("Ines", text),) * 10), time=None))
        assert [memory.text for memory in system.memories()] == [f"Ines: {t}" for t in told]
        *_, asked = (request.last for request in server.requests if "messages" in request.body)
        shown = asked.partition("## Last k Messages")[2].partition("## ")[0]
        assert [text in shown for text in told] == [False, True, False]


@pytest.mark.packages
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_mem0s_model_copies_from_an_earlier_session_is_of_the_turn_that_said_it(
    tmp_path: Path,
) -> None:
    def copied(request: Request) -> Json:
        shown = request.last.partition("## Last k Messages")[2].partition("## New Messages")[0]
        lines = said(shown) or ["Ines likes shelves"]
        return Json({"memory": [{"id": str(n), "text": line} for n, line in enumerate(lines)]})

    with opened("mem0", [ReplyRule(contains("## New Messages"), copied)], tmp_path) as (system, _):
        system.ingest(session("case", 0, (("Ines", "The lamp is red."), ("Tom", "Fine."))))
        system.ingest(session("case", 1, (("Ines", "The sofa is blue."), ("Tom", "Good."))))
        sources = {memory.text: memory.sources for memory in system.memories()}
    assert sources["Ines likes shelves"] == ("case/0/0", "case/0/1")
    assert sources["Ines: The lamp is red."] == ("case/0/0",)


@pytest.mark.parametrize("card", PACKAGES, ids=lambda card: card.name)
def test_the_clock_stands_still_while_a_package_stores(card: SystemCard) -> None:
    """Of the functions that only read, and of opening an empty store, nothing is dated."""
    for path in card.folder.glob("*.py"):
        functions = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for function in functions:
            if isinstance(function, ast.FunctionDef) and function.name not in UNDATED_WORK:
                ticking = [call for call in ast.walk(function) if _ticks(call)]
                assert not ticking or card.name in TICKS, f"{path}: {function.name}"


def _ticks(node: ast.AST) -> bool:
    """Whether it is a call that moves the clock and lets it move on."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "dataset_clock"
        and "stands_still" not in {keyword.arg for keyword in node.keywords}
    )


@pytest.mark.parametrize("card", PACKAGES, ids=lambda card: card.name)
def test_the_stored_conformance_is_current_and_without_failure(card: SystemCard) -> None:
    stored = read_stored(card)
    assert stored is not None, "run benchmarks/packages.py check"
    assert stored.current, "version or lock changed: run benchmarks/packages.py check"
    assert "failed" not in stored.summary
    assert stored.replay == card.replay


@pytest.mark.parametrize("card", INSTALLED, ids=lambda card: card.name)
def test_every_package_says_how_it_is_run(card: SystemCard) -> None:
    notes = (card.folder / "README.md").read_text(encoding="utf-8")
    for heading in (
        "## How it is run",
        "## Dates",
        "## Defaults that were changed",
        "## Reproduce",
    ):
        assert heading in notes
    assert card.version in notes
    assert card.deviations


def test_a_system_that_nobody_checked_has_no_stored_conformance(tmp_path: Path) -> None:
    from dataclasses import replace

    assert read_stored(replace(get_card("bm25"), folder=tmp_path)) is None


def test_a_stored_result_of_another_lock_is_outdated(tmp_path: Path) -> None:
    import shutil
    from dataclasses import replace

    card = get_card("mem0")
    folder = shutil.copytree(card.folder, tmp_path / "mem0")
    with (folder / "requirements.lock").open("a") as lock:
        lock.write("# another\n")
    stored = read_stored(replace(card, folder=folder))
    assert stored is not None
    assert not stored.current
    assert "outdated" in stored.summary


def test_a_run_installs_what_it_needs_or_says_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from membench.harness.run import start
    from membench.records.spec import ExecOptions, RunSpec

    def refuse(card: SystemCard, report: object) -> None:
        raise EnvironmentProblem(f"no disk for {card.name}")

    monkeypatch.setattr(environments, "install", refuse)
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path / "cache"))
    spec = RunSpec(
        system="mem0", task="locomo", split="sample", memory_model="scripted", embedder="scripted"
    )
    with pytest.raises(EnvironmentProblem, match="no disk for mem0"):
        start(spec, ExecOptions(out=tmp_path / "runs"))
    assert not list((tmp_path / "runs").glob("*")), "nothing was begun"


@pytest.mark.packages
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_profile_that_everos_cannot_read_leaves_its_episodes_standing(tmp_path: Path) -> None:
    cut = Text('```json\n{"operations": [{"action": "add", "data": {"description": "How')
    asked = ('You are a "User Profile Analyst"', "You are a user profile updater")
    broken = [ReplyRule(contains(words), cut) for words in asked]
    with opened("everos", [*broken, *RULES["everos"]], tmp_path) as (system, _):
        stored = [system.ingest(session("case", n, TALK[n : n + 2])) for n in range(2)]
        assert all(stored)
        assert len(system.memories()) == sum(map(len, stored))
        assert system.recall(Query("What did they talk about?", 5))
