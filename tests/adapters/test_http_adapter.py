"""The generic http adapter: drives our example server, and types every way a server can fail."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from example_servers import example_module, running
from histories import CASE, item, session

from membench.adapters.parts.http import Connection
from membench.domain.errors import Reason, SystemFault, UsageError
from membench.domain.labels import Role
from membench.domain.system import ModelEndpoint, Query, SystemContext
from membench.testing.conformance import render, run_conformance
from membench.tokens import count_tokens

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def example() -> ModuleType:
    return example_module("http_memory_server")


@pytest.fixture
def url(example: ModuleType) -> Iterator[str]:
    """The example server, running."""
    with running(example.Handler) as address:
        yield address


@pytest.fixture
def seen(example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Every request that the server handles."""
    requests: list[tuple[str, Any]] = []
    handle = example.handle

    def record(path: str, body: Any) -> Any:
        requests.append((path, body))
        return handle(path, body)

    monkeypatch.setattr(example, "handle", record)
    return requests


def replying(example: ModuleType, monkeypatch: pytest.MonkeyPatch, path: str, reply: Any) -> None:
    handle = example.handle
    monkeypatch.setattr(
        example, "handle", lambda asked, body: reply if asked == path else handle(asked, body)
    )


def test_the_example_server_conforms(url: str) -> None:
    report = run_conformance("http", {"url": url})
    assert report.passed, render(report)
    assert "WARNING" not in render(report)


@pytest.mark.parametrize(
    ("lost", "says"),
    [("time", "the sessions had dates"), ("sources", "names its sources")],
)
def test_conformance_warns_of_a_server_that_loses(
    url: str, example: ModuleType, monkeypatch: pytest.MonkeyPatch, lost: str, says: str
) -> None:
    search = example.search

    def losing(namespace: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in memory.items() if name != lost}
            for memory in search(namespace, query)
        ]

    monkeypatch.setattr(example, "search", losing)
    report = run_conformance("http", {"url": url})
    assert report.passed, render(report)
    assert says in render(report).partition("WARNING: ")[2]


def test_a_case_gets_a_namespace_of_its_own_and_leaves_it(
    system: Callable[..., Any], url: str, seen: list[tuple[str, Any]], example: ModuleType
) -> None:
    first, second = system("http", url=url), system("http", url=url)
    for one in (first, second):
        one.reset(CASE)
        one.ingest(session(0, ["a cat"]))
    assert len(first.recall(Query("cat", 5))) == 1
    first.reset(CASE)
    assert first.recall(Query("cat", 5)) == []
    first.close()
    second.close()
    assert example.stores == {}
    assert len({body["namespace"] for path, body in seen if path == "/reset"}) == 3


def test_what_is_sent_is_what_the_specification_says(
    system: Callable[..., Any], url: str, seen: list[tuple[str, Any]]
) -> None:
    http = system("http", url=url)
    http.reset(CASE)
    http.ingest(session(0, ["hello"]))
    http.recall(Query("hello?", 3, 50, datetime(2024, 6, 1)))
    http.close()
    spec = yaml.safe_load((DOCS / "openapi.yaml").read_text())
    schemas = spec["components"]["schemas"]
    for path, body in seen:
        content = spec["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        schema = schemas[content["schema"]["$ref"].split("/")[-1]]
        assert set(body) == set(schema["properties"])
        assert set(schema["required"]) <= set(body)
    ingest = dict(seen)["/ingest"]["session"]
    assert set(ingest) == set(schemas["Session"]["properties"])
    assert set(ingest["turns"][0]) == set(schemas["Turn"]["properties"])
    assert dict(seen)["/recall"]["query"] == {
        "text": "hello?",
        "k": 3,
        "token_budget": 50,
        "now": "2024-06-01T00:00:00",
    }


def test_the_server_is_told_the_runs_models(url: str, seen: list[tuple[str, Any]]) -> None:
    from membench.adapters.systems.remote.http.adapter import HttpMemory

    models = {Role.MEMORY: ModelEndpoint("http://gateway/v1", "lane-key", "m")}
    parameters = {"url": url, "timeout_s": 5.0}
    http = HttpMemory(SystemContext(parameters, 0, Path(), count_tokens, models))
    http.reset(CASE)
    http.close()
    assert seen[0][1]["models"] == {
        "memory": {"base_url": "http://gateway/v1", "api_key": "lane-key", "model": "m"}
    }


def test_without_remember_an_item_is_a_session_of_one_turn(
    system: Callable[..., Any], url: str, seen: list[tuple[str, Any]]
) -> None:
    http = system("http", url=url)
    http.reset(CASE)
    (change,) = http.remember(item("item-1", "User likes tea"))
    assert change.memory.sources == ("item-1",)
    assert [path for path, _ in seen] == ["/reset", "/remember", "/ingest"]
    http.close()


def test_finalize_and_remember_are_used_where_they_are_offered(
    system: Callable[..., Any], url: str, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    replying(example, monkeypatch, "/remember", {"changes": []})
    http = system("http", url=url)
    http.reset(CASE)
    http.finalize()
    assert http.remember(item("i", "x")) == []
    http.close()


def test_a_server_may_say_that_it_cannot_tell(
    system: Callable[..., Any], url: str, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    replying(example, monkeypatch, "/ingest", {})
    http = system("http", url=url)
    http.reset(CASE)
    assert http.ingest(session(0, ["x"])) is None
    http.close()


@pytest.mark.parametrize(
    "reply",
    [{}, {"memories": [{"sources": []}]}, {"memories": [{"text": 1}]}, {"memories": "none"}],
)
def test_nonsense_is_a_bad_reply(
    system: Callable[..., Any],
    url: str,
    example: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    reply: Any,
) -> None:
    replying(example, monkeypatch, "/recall", reply)
    http = system("http", url=url)
    http.reset(CASE)
    with pytest.raises(SystemFault) as caught:
        http.recall(Query("x"))
    assert caught.value.reason == Reason.SYSTEM_BAD_REPLY
    http.close()


def test_a_refused_request_is_an_error_of_the_system(
    system: Callable[..., Any], url: str, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    replying(example, monkeypatch, "/ingest", None)
    http = system("http", url=url)
    http.reset(CASE)
    with pytest.raises(SystemFault, match="404") as caught:
        http.ingest(session(0, ["x"]))
    assert caught.value.reason == Reason.SYSTEM_ERROR
    http.close()


def test_a_server_that_is_not_there_is_a_crash(system: Callable[..., Any]) -> None:
    http = system("http", url="http://127.0.0.1:9")
    with pytest.raises(SystemFault) as caught:
        http.reset(CASE)
    assert caught.value.reason == Reason.SYSTEM_CRASH


def test_a_server_that_does_not_reply_is_a_timeout(
    system: Callable[..., Any], url: str, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = threading.Event()
    monkeypatch.setattr(example, "handle", lambda path, body: waiting.wait(30) and {})
    http = system("http", url=url, timeout_s="0.05")
    with pytest.raises(SystemFault) as caught:
        http.reset(CASE)
    waiting.set()
    assert caught.value.reason == Reason.SYSTEM_TIMEOUT


@pytest.mark.parametrize("bad", ["", "localhost:8000", "ftp://x", "http://"])
def test_a_bad_url_is_refused(bad: str) -> None:
    with pytest.raises(UsageError, match="not a URL"):
        Connection(bad, 1.0)


def test_the_specification_lists_the_paths_and_is_openapi() -> None:
    spec = yaml.safe_load((DOCS / "openapi.yaml").read_text())
    assert spec["openapi"].startswith("3.")
    assert set(spec["paths"]) == {
        "/reset",
        "/ingest",
        "/recall",
        "/close",
        "/remember",
        "/finalize",
    }
    text = json.dumps(spec)
    for name in spec["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text
