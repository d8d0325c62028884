"""A slow upload blocks nobody and does not last."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.requests import Request

from membench.leaderboard.store.store import Store
from membench.leaderboard.submission.server import (
    UPLOADS,
    AccessControl,
    SubmissionHandler,
    UploadPace,
    token_hash,
)
from membench.leaderboard.submission.submission import zipped

HEADERS = [(b"authorization", b"Bearer t"), (b"content-type", b"application/zip")]


def handler(root: Path, pace: UploadPace) -> SubmissionHandler:
    gate = AccessControl({token_hash("t"): "alice"}, per_hour=100)
    return SubmissionHandler(Store(root), gate, pace=pace)


def whole(body: bytes) -> Request:
    """A request whose body is there."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": HEADERS}, receive)


def stuck() -> Request:
    """A request that sends one byte and then nothing."""
    sent = []

    async def receive() -> dict[str, Any]:
        if sent:
            await asyncio.Event().wait()
        sent.append(True)
        return {"type": "http.request", "body": b"P", "more_body": True}

    return Request({"type": "http", "method": "POST", "headers": HEADERS}, receive)


def dripping() -> Request:
    """A request that sends byte after byte for ever."""

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"x", "more_body": True}

    return Request({"type": "http", "method": "POST", "headers": HEADERS}, receive)


@pytest.mark.slow
def test_a_bundle_is_taken_in_while_another_never_comes_to_its_end(
    honest: Path, tmp_path: Path
) -> None:
    async def story() -> int:
        desk = handler(tmp_path / "results", UploadPace())
        slow = asyncio.create_task(desk.submit(stuck()))
        await asyncio.sleep(0)
        answer = await desk.submit(whole(zipped(honest)))
        assert not slow.done()
        slow.cancel()
        return answer.status_code

    assert asyncio.run(story()) == 201


@pytest.mark.parametrize(
    ("request_of", "pace"),
    [(stuck, UploadPace(total_s=0.0)), (dripping, UploadPace(grace_s=0.0, bytes_per_s=1e12))],
    ids=["in time", "rate"],
)
def test_an_upload_is_ended_by_time_and_by_rate(
    request_of: Any, pace: UploadPace, tmp_path: Path
) -> None:
    answer = asyncio.run(handler(tmp_path, pace).submit(request_of()))
    assert answer.status_code == 408
    assert orjson.loads(answer.body)["remedy"]
    assert list(tmp_path.iterdir()) == []


def test_uploads_at_once_are_counted(tmp_path: Path) -> None:
    async def story() -> int:
        desk = handler(tmp_path, UploadPace())
        slow = [asyncio.create_task(desk.submit(stuck())) for _ in range(UPLOADS)]
        await asyncio.sleep(0)
        answer = await desk.submit(whole(b"PK"))
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return answer.status_code

    assert asyncio.run(story()) == 503
