"""Posting bundles: who may, how large, how often, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from membench.domain.errors import DataError, UsageError
from membench.leaderboard.store.store import Store
from membench.leaderboard.submission import server, submission
from membench.leaderboard.submission.server import (
    PATH,
    AccessControl,
    Refusal,
    read_tokens,
    token_hash,
)
from tests.leaderboard.conftest import Spoil

TOKEN = "a-token-for-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/zip"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"# who may post\n{token_hash(TOKEN)} alice\n")
    app = Starlette(routes=server.submission_routes(tmp_path / "results", tokens, None))
    with TestClient(app) as made:
        yield made


@pytest.fixture
def body(honest: Path) -> bytes:
    return submission.zipped(honest)


@pytest.mark.slow
def test_an_honest_bundle_is_taken_in(client: TestClient, body: bytes, tmp_path: Path) -> None:
    answer = client.post(PATH, content=body, headers=BEARER)
    assert answer.status_code == 201
    assert answer.json()["state"] == "accepted"
    badge = Store(tmp_path / "results").badge("story")
    assert badge is not None and badge["submitter"] == "alice"


@pytest.mark.slow
def test_posting_twice_does_nothing_twice(client: TestClient, body: bytes) -> None:
    client.post(PATH, content=body, headers=BEARER)
    again = client.post(PATH, content=body, headers=BEARER)
    assert (again.status_code, again.json()["state"]) == (200, "known")


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}]
)
def test_without_a_valid_token_nothing_is_read(
    client: TestClient, body: bytes, header: dict[str, str], tmp_path: Path
) -> None:
    answer = client.post(PATH, content=body, headers=BEARER | {"Authorization": ""} | header)
    assert answer.status_code == 401
    assert not (tmp_path / "results").exists()


def test_a_refused_bundle_says_rule_and_remedy_and_leaves_nothing(
    client: TestClient, spoil: Spoil, tmp_path: Path
) -> None:
    spoil.raw("evil.txt", b"x")
    answer = client.post(PATH, content=submission.zipped(spoil.path), headers=BEARER)
    assert answer.status_code == 422
    assert "wire.name" in answer.json()["problem"]
    assert answer.json()["remedy"]
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.slow
def test_another_bundle_of_the_same_run_is_a_conflict(
    client: TestClient, body: bytes, spoil: Spoil
) -> None:
    client.post(PATH, content=body, headers=BEARER)
    spoil.json("manifest.json", lambda m: m["versions"].update(other="1"))
    answer = client.post(PATH, content=submission.zipped(spoil.path), headers=BEARER)
    assert answer.status_code == 409


def test_size_is_counted_while_it_streams(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(80):
            yield b"x" * 2**20

    answer = client.post(PATH, content=endless(), headers=BEARER)
    assert answer.status_code == 413


def test_a_declared_size_is_refused_before_it_is_sent(client: TestClient) -> None:
    answer = client.post(PATH, content=b"x", headers=BEARER | {"Content-Length": str(10**9)})
    assert answer.status_code == 413


def test_only_zips_are_taken(client: TestClient) -> None:
    headers = BEARER | {"Content-Type": "application/x-tar"}
    assert client.post(PATH, content=b"x", headers=headers).status_code == 415


@pytest.mark.parametrize(
    "header", ["Bearer g\u00e9heim", "Bearer \u00ff", "B\u00e9arer t", "\u00e9"]
)
def test_a_header_that_is_no_ascii_is_nobodys(header: str) -> None:
    gate = AccessControl({token_hash("t"): "alice"})
    with pytest.raises(Refusal, match="no valid token"):
        gate.submitter(header)
    assert gate.submitter("Bearer t") == "alice"


def test_a_submitter_may_post_so_often_and_no_more() -> None:
    now = [0.0]
    gate = AccessControl({token_hash("t"): "alice"}, per_hour=2, clock=lambda: now[0])
    gate.admit("alice")
    gate.admit("alice")
    with pytest.raises(Refusal) as refused:
        gate.admit("alice")
    assert refused.value.status == 429
    gate.admit("bob")
    now[0] = 3601.0
    gate.admit("alice")


def test_the_file_of_tokens_holds_hashes_alone(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"{TOKEN} alice\n")
    with pytest.raises(DataError, match="line 1"):
        read_tokens(path)


def test_tokens_are_never_sent_in_clear(run_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(submission.TOKEN, TOKEN)
    with pytest.raises(UsageError, match="https"):
        submission.submit_server(run_path, "http://board.example.org")


def test_submitting_needs_a_token(run_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(submission.TOKEN, raising=False)
    with pytest.raises(UsageError, match="MEMBENCH_TOKEN"):
        submission.submit_server(run_path, "https://board.example.org")


def test_a_pull_request_is_a_folder_and_its_words(run_path: Path, tmp_path: Path) -> None:
    done = submission.submit_pr(run_path, tmp_path / "pr")
    assert (tmp_path / "pr/results/locomo/story/SHA256SUMS").is_file()
    text = (tmp_path / "pr/PULL_REQUEST.md").read_text()
    assert done.sha256 in text
    assert "| evidence.turn.recall@10 |" in text


def test_equal_bundles_travel_as_equal_bytes(honest: Path, body: bytes) -> None:
    assert submission.zipped(honest) == body
