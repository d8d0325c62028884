"""The generic mcp adapter: drives our example server over stdio and over HTTP."""

import importlib.util
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from histories import CASE, item, session

from membench.adapters.registry import get_card
from membench.adapters.systems.remote.mcp.replies import texts_in
from membench.domain.errors import Reason, SystemFault, UsageError
from membench.domain.system import Query
from membench.testing.conformance import check

pytest.importorskip("mcp")

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "mcp_memory_server.py"
COMMAND = f"{sys.executable} {EXAMPLE}"


@pytest.fixture
def mcp(system: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    def make(**given: Any) -> Any:
        made.append(system("mcp", **{"command": COMMAND, **given}))
        made[-1].reset(CASE)
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.slow
def test_the_example_server_conforms_on_stdio() -> None:
    given = {"command": COMMAND, "limit_argument": "limit"}
    results = check(get_card("mcp"), parameters=given, huge_turns=30)
    assert [result for result in results if result.status == "failed"] == []


@pytest.mark.slow
def test_every_case_gets_a_fresh_server_in_an_empty_home(mcp: Callable[..., Any]) -> None:
    memory = mcp()
    assert memory.ingest(session(0, ["I adopted a cat"])) is None
    (found,) = memory.recall(Query("cat", 5))
    assert found.text == "8 May 2024 13:56: I adopted a cat"
    assert found.sources == ("s0:0",)
    assert found.time is not None
    memory.reset(CASE)
    assert memory.recall(Query("cat", 5)) == []


def test_items_are_stored_as_they_are(mcp: Callable[..., Any]) -> None:
    memory = mcp(text="official")
    memory.remember(item("i", "User likes tea"))
    assert memory.recall(Query("tea", 5))[0].sources == ("i",)


def test_a_missing_tool_names_those_there_are(system: Callable[..., Any]) -> None:
    memory = system("mcp", command=COMMAND, recall_tool="find")
    with pytest.raises(UsageError, match=r"no tool 'find'.*\n.*search_memory"):
        memory.reset(CASE)
    memory.close()


def test_a_tool_that_fails_is_an_error_of_the_system(mcp: Callable[..., Any]) -> None:
    memory = mcp(query_argument="question")
    with pytest.raises(SystemFault, match="search_memory") as caught:
        memory.recall(Query("x"))
    assert caught.value.reason == Reason.SYSTEM_ERROR


def test_a_command_that_does_not_start_is_a_crash(system: Callable[..., Any]) -> None:
    memory = system("mcp", command="/no/such/program")
    with pytest.raises(SystemFault) as caught:
        memory.reset(CASE)
    assert caught.value.reason == Reason.SYSTEM_CRASH
    memory.close()


@pytest.mark.parametrize("given", [{}, {"command": "a", "url": "http://x/mcp"}])
def test_either_a_command_or_a_url(system: Callable[..., Any], given: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="either a command or a url"):
        system("mcp", **given)


def test_a_shared_server_must_keep_cases_apart(system: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="mix cases"):
        system("mcp", url="http://127.0.0.1:1/mcp")


@pytest.fixture
def url() -> Iterator[str]:
    """The example server on streamable HTTP, in a thread."""
    import uvicorn

    spec = importlib.util.spec_from_file_location("mcp_memory_server", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(module.server.streamable_http_app(), log_level="error")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        server.should_exit = True
        thread.join()


def test_a_server_behind_a_url_keeps_cases_apart_by_namespace(
    system: Callable[..., Any], url: str
) -> None:
    memory = system("mcp", url=url, namespace_argument="user", limit_argument="limit")
    memory.reset(CASE)
    memory.ingest(session(0, ["a cat", "a dog"]))
    assert [found.sources for found in memory.recall(Query("dog", 1))] == [("s0:1",)]
    memory.reset(CASE)
    assert memory.recall(Query("dog", 1)) == []
    memory.close()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (["one", "two"], ["one", "two"]),
        ([{"result": ["one", "two"]}], ["one", "two"]),
        (['["one", "two"]'], ["one", "two"]),
        (['{"results": [{"memory": "one", "score": 1}, {"memory": "two"}]}'], ["one", "two"]),
        ([{"memories": [{"text": "one"}, {"content": "two"}]}], ["one", "two"]),
        (["{not json"], ["{not json"]),
        (["[note] to self"], ["[note] to self"]),
        ([{"result": []}], []),
        ([{"status": "fine"}], []),
        ([], []),
    ],
)
def test_memories_are_found_in_whatever_servers_return(reply: Any, expected: list[str]) -> None:
    assert list(texts_in(reply)) == expected
