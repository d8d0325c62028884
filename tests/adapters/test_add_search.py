"""The preset `add-search` of the http adapter: the contract of the Agent Memory Leaderboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest
from example_servers import example_module, running
from histories import CASE, session, turn
from hypothesis import given
from hypothesis import strategies as st

from membench.adapters.systems.remote.http import add_search
from membench.adapters.systems.remote.http.add_search import batches, pause
from membench.domain.case import Session
from membench.domain.errors import Reason, SystemFault, UsageError
from membench.domain.system import Query
from membench.testing.conformance import render, run_conformance

Answer = Callable[[str, dict[str, Any]], tuple[int, Any]]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = example_module("add_search_server")
    monkeypatch.setattr(add_search, "FIRST_PAUSE_S", 0.0)
    return module


@pytest.fixture
def url(example: ModuleType) -> Iterator[str]:
    """The example server, running."""
    with running(example.Handler) as address:
        yield address


@pytest.fixture
def make(system: Callable[..., Any], url: str) -> Iterator[Callable[..., Any]]:
    """`make(auth="none")`: the adapter, closed when the test ends."""
    with ExitStack() as stack:

        def made(**given: Any) -> Any:
            one = system("http", url=url, preset="add-search", **given)
            stack.callback(one.close)
            return one

        yield made


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


def instead(example: ModuleType, patch: pytest.MonkeyPatch, path: str, answer: Answer) -> None:
    """Another answer to a path; `answer` is given what the server would say."""
    handle = example.handle

    def handled(asked: str, body: dict[str, Any]) -> tuple[int, Any]:
        return answer(asked, handle(asked, body)[1]) if asked == path else handle(asked, body)

    patch.setattr(example, "handle", handled)


@pytest.mark.slow
def test_the_example_server_conforms(url: str) -> None:
    report = run_conformance("http", {"url": url, "preset": "add-search"})
    assert report.passed, render(report)
    assert "WARNING" not in render(report)


def test_what_is_sent_is_what_the_guide_says(
    make: Callable[..., Any], seen: list[tuple[str, Any]]
) -> None:
    http = make()
    http.reset(CASE)
    http.ingest(session(0, ["hello", "", "good day"]))
    http.recall(Query("hello?", 3))
    http.recall(Query("hello?", None))
    (_, opening), (_, added), (_, asked), (_, unlimited) = seen
    assert set(added) == {"request_id", "messages", "user_id", "session_id"}
    assert [message["content"] for message in added["messages"]] == ["hello", "good day"]
    assert added["messages"][0] == {
        "role": "user",
        "content": "hello",
        "timestamp": 1715176560000,
    }
    assert asked == {"query": "hello?", "user_id": added["user_id"], "top_k": 3}
    assert unlimited["top_k"] == 100
    assert opening["user_id"] == added["user_id"]


def test_a_case_is_a_user_of_its_own(make: Callable[..., Any], seen: list[tuple[str, Any]]) -> None:
    for _ in range(2):
        http = make()
        http.reset(CASE)
        http.ingest(session(0, ["a cat"]))
        assert len(http.recall(Query("cat", 5))) == 1
        http.close()
    assert len({body["user_id"] for _, body in seen}) == 2
    assert len({body["request_id"] for path, body in seen if path == "/add"}) == 2


def test_a_text_that_was_sent_names_its_turn_and_another_has_the_servers_time(
    make: Callable[..., Any], example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = make()
    http.reset(CASE)
    http.ingest(session(3, ["a cat", "a dog"]))
    (sent,) = http.recall(Query("cat", 1))
    assert (sent.sources, sent.time) == (("s3:0",), datetime(2024, 5, 11, 13, 56))
    own = [
        {"id": "1", "content": "Ann has a cat.", "created_at": "2024-05-11T13:56:00Z"},
        {"id": "2", "content": "Ann has a dog.", "created_at": "2026-11-29T12:00:00+01:00"},
        {"id": "3", "content": "Ann has both.", "created_at": "lately", "metadata": {"x": 1}},
    ]
    instead(example, monkeypatch, "/search", lambda *_: (200, {"data": own}))
    found = http.recall(Query("cat", 5))
    assert [memory.time for memory in found] == [datetime(2024, 5, 11, 13, 56), None, None]
    assert all(memory.sources == () for memory in found)


@pytest.mark.parametrize(
    ("path", "reply", "says"),
    [
        ("/add", {"success": True}, "request_id: is missing"),
        ("/add", {"success": False}, "success"),
        ("/add", {"success": "true"}, "success"),
        ("/add", {"user_id": "another"}, "user_id is not the request's"),
        ("/search", [], "mapping"),
        ("/search", {"items": []}, "data: is missing"),
        ("/search", {"data": [{"content": "x"}]}, "data.0.id: is missing"),
        ("/search", {"data": [{"id": "1", "content": ""}]}, "data.0.content"),
        ("/search", {"data": [{"id": str(n), "content": "x"} for n in range(9)]}, "9 memories"),
    ],
)
def test_a_reply_that_breaks_the_contract_is_a_bad_reply(
    make: Callable[..., Any],
    example: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    reply: Any,
    says: str,
) -> None:
    http = make()
    http.reset(CASE)
    if path == "/add" and reply != {"success": True}:
        instead(example, monkeypatch, path, lambda _, usual: (200, usual | reply))
    else:
        instead(example, monkeypatch, path, lambda *_: (200, reply))
    with pytest.raises(SystemFault, match=says) as fault:
        http.ingest(session(0, ["a cat"]))
        http.recall(Query("cat", 5))
    assert fault.value.reason == Reason.SYSTEM_BAD_REPLY


def test_a_server_that_mixes_users_is_refused_when_a_case_begins(
    make: Callable[..., Any], example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"data": [{"id": "1", "content": "of another"}]}
    instead(example, monkeypatch, "/search", lambda *_: (200, found))
    with pytest.raises(SystemFault, match="a new user has memories"):
        make().reset(CASE)


@pytest.mark.parametrize(
    ("path", "status", "tries"),
    [
        ("/add", 409, 3),
        ("/add", 524, 3),
        ("/add", 422, 1),
        ("/add", 401, 1),
        ("/search", 503, 3),
        ("/search", 409, 1),
    ],
)
def test_a_request_is_sent_again_where_the_board_would(
    make: Callable[..., Any],
    example: ModuleType,
    seen: list[tuple[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    status: int,
    tries: int,
) -> None:
    http = make()
    http.reset(CASE)
    http.ingest(session(0, ["a cat"]))
    left = [status, status]
    instead(
        example,
        monkeypatch,
        path,
        lambda _, usual: (left.pop(), {"detail": {"reason": "no"}}) if left else (200, usual),
    )
    seen.clear()

    def asked() -> None:
        http.ingest(session(1, ["a dog"]))
        assert http.recall(Query("cat", 5))

    if tries > 1:
        asked()
    else:
        with pytest.raises(SystemFault, match=f"status {status}") as fault:
            asked()
        assert fault.value.reason == Reason.SYSTEM_ERROR
    sent = [body for asked_path, body in seen if asked_path == path]
    assert len(sent) == tries
    assert all(body == sent[0] for body in sent)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, Reason.PROVIDER_RATE_LIMIT), (500, Reason.SYSTEM_ERROR), (202, Reason.SYSTEM_BAD_REPLY)],
)
def test_a_server_that_is_never_ready_is_a_fault(
    make: Callable[..., Any],
    example: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    reason: Reason,
) -> None:
    http = make()
    http.reset(CASE)
    instead(example, monkeypatch, "/add", lambda *_: (status, {}))
    with pytest.raises(SystemFault, match=str(status)) as fault:
        http.ingest(session(0, ["a cat"]))
    assert fault.value.reason == reason


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ("bearer", "Authorization", "Bearer k-e-y-1"),
        ("token", "Authorization", "Token k-e-y-1"),
        ("x-api-key", "X-Api-Key", "k-e-y-1"),
    ],
)
def test_the_key_is_taken_from_the_environment_and_repeated_nowhere(
    make: Callable[..., Any],
    example: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    auth: str,
    header: str,
    value: str,
) -> None:
    monkeypatch.setenv(add_search.KEY_VARIABLE, "k-e-y-1")
    http = make(auth=auth)
    assert http.connection.headers[header] == value
    instead(example, monkeypatch, "/search", lambda *_: (401, {"detail": "not k-e-y-1"}))
    with pytest.raises(SystemFault, match="401") as fault:
        http.reset(CASE)
    assert "k-e-y-1" not in str(fault.value)


def test_a_key_that_is_wanted_and_not_set_is_named(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(add_search.KEY_VARIABLE, raising=False)
    with pytest.raises(UsageError, match="MEMORY_SYSTEM_KEY, which is not set"):
        make(auth="bearer")


@given(st.lists(st.integers(0, 2500), max_size=60))
def test_batches_hold_every_turn_once_in_order_within_the_limits(sizes: list[int]) -> None:
    turns = tuple(turn(f"t{n}", " ".join(["word"] * size)) for n, size in enumerate(sizes))
    made = list(batches(Session("s", 0, turns)))
    assert [one.id for batch in made for one in batch] == [t.id for t in turns if t.text]
    for batch in made:
        assert 1 <= len(batch) <= 20
        assert len(batch) == 1 or sum(len(one.text.split()) for one in batch) <= 2000


def test_a_pause_is_what_the_server_says_else_twice_the_last() -> None:
    assert [pause(None, attempt) for attempt in (0, 1, 30)] == [0.5, 1.0, 60.0]
    assert (pause("7", 0), pause("0", 3), pause("1000", 0), pause("soon", 0)) == (7, 0, 60, 0.5)
