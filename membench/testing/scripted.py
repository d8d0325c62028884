"""A real HTTP server that speaks the OpenAI protocol by a script, with faults on demand.

For tests of anything that calls a model: adapters, the gateway, whole runs. In a thread::

    with ScriptedServer([ReplyRule(contains("Ada"), Text("Mathematics"))]) as server:
        client = OpenAI(base_url=server.base_url, api_key="any")

or as a process: `python -m membench.testing.scripted --port 8000`. What was served is counted and
kept for inspection.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

import orjson
from aiohttp import web

from membench.domain.labels import JsonView
from membench.llm import openai_protocol
from membench.llm.aio.server_thread import MAX_BODY_BYTES, AppServer, LoopThread
from membench.llm.upstreams.scripted import Json, ReplyRule
from membench.llm.upstreams.scripted.rule_model import ScriptedModel
from membench.llm.upstreams.scripted.rules import (
    Call,
    Request,
    Script,
    Text,
    ToolCalls,
    contains,
    endpoint_is,
    load_script,
)

__all__ = [
    "Call",
    "CallCounts",
    "FaultKind",
    "Json",
    "ReplyRule",
    "Request",
    "Script",
    "ScriptedServer",
    "ServerFault",
    "Text",
    "ToolCalls",
    "contains",
    "endpoint_is",
    "load_script",
]

FaultKind = Literal[
    "rate_limit", "error", "timeout", "slow", "truncated", "reset", "wrong_usage", "no_usage"
]
"""What can go wrong: 429, a status (500), no reply at all, a reply in slow pieces, JSON that ends
in the middle, a connection cut in the middle, a usage object that is nonsense, none at all."""

FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)


@dataclass(frozen=True)
class ServerFault:
    """One fault.

    Attributes:
        kind: See `FaultKind`.
        retry_after: Seconds in the `Retry-After` header of a 429 or 5xx; None for no header.
        delay_s: How long a `timeout` holds the connection, or a `slow` reply takes.
        status: Status of an `error`.
    """

    kind: FaultKind
    retry_after: float | None = None
    delay_s: float = 3600.0
    status: int = 500


@dataclass(frozen=True)
class CallCounts:
    """What one endpoint served.

    Attributes:
        calls: Requests that got a proper reply.
        faults: Requests that got a fault instead.
        prompt_tokens: Tokens of the requests, as stated in `usage`.
        completion_tokens: Tokens of the replies.
    """

    calls: int = 0
    faults: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class ScriptedServer:
    """The server, running between `with` and the end of its block.

    Args:
        script: Rules, or a `Script`.
        width: Default embedding dimensions.
        delay_s: Time every reply takes.
        fault_rates: Kind of fault -> share of requests that suffer it, drawn by `seed` and the
            request's number.
        seed: For the draws.
        retry_after: `Retry-After` of every second drawn 429 fault; None for none at all.
        fault_delay_s: How long a drawn `timeout` holds the connection, or a `slow` reply takes.
        keep_requests: How many of the last requests `requests` holds.
        port: 0 for any free port.
    """

    def __init__(
        self,
        script: Script | Sequence[ReplyRule] = (),
        *,
        width: int = 256,
        delay_s: float = 0.0,
        fault_rates: Mapping[FaultKind, float] | None = None,
        seed: int = 0,
        retry_after: float | None = None,
        fault_delay_s: float = 3600.0,
        keep_requests: int = 10_000,
        port: int = 0,
    ) -> None:
        """Prepare; nothing listens yet."""
        self.model = ScriptedModel(script, width)
        self.delay_s = delay_s
        self.requests: deque[Request] = deque(maxlen=keep_requests)
        self._rates = dict(fault_rates or {})
        self._retry_after = (retry_after, None)
        self._limited = 0
        self._fault_delay_s = fault_delay_s
        self._draws = random.Random(seed)
        self._next: deque[ServerFault] = deque()
        self._tallies: dict[str, CallCounts] = {}
        self._lock = threading.Lock()
        self._port = port
        self._thread: LoopThread | None = None
        self._served: AppServer | None = None

    def __enter__(self) -> Self:
        """Start listening."""
        self._thread = LoopThread("scripted-server")
        self._served = AppServer(self._app(), self._thread, self._port)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; open connections are dropped."""
        assert self._thread is not None
        assert self._served is not None
        self._served.close()
        self._thread.stop()

    @property
    def base_url(self) -> str:
        """What a client calls its base URL."""
        assert self._served is not None, "the server runs only inside its `with` block"
        return f"{self._served.origin}/v1"

    @property
    def tallies(self) -> dict[str, CallCounts]:
        """What was served so far, by endpoint."""
        with self._lock:
            return dict(self._tallies)

    @property
    def calls(self) -> int:
        """Requests that got a proper reply."""
        return sum(tally.calls for tally in self.tallies.values())

    def fail_next(self, fault: ServerFault, times: int = 1) -> None:
        """Let the next `times` requests suffer `fault`."""
        self._next.extend([fault] * times)

    def _app(self) -> web.Application:
        """Routes of the protocol, with and without `/v1`."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        for prefix in ("/v1", ""):
            for endpoint in openai_protocol.ENDPOINTS:
                app.router.add_post(f"{prefix}/{endpoint}", self._handler(endpoint))
            app.router.add_get(f"{prefix}/models", _models)
        app.router.add_get("/scripted/tallies", self._report)
        return app

    def _handler(self, endpoint: str) -> Any:
        """The request handler of one endpoint."""

        async def handle(http: web.Request) -> web.StreamResponse:
            return await self._serve(endpoint, http)

        return handle

    async def _serve(self, endpoint: str, http: web.Request) -> web.StreamResponse:
        """One request from bytes to bytes."""
        began = asyncio.get_running_loop().time()
        try:
            body = orjson.loads(await http.read())
        except ValueError:
            return _error(400, "the body is not JSON", "invalid_request_error")
        with self._lock:
            number = sum(tally.calls + tally.faults for tally in self._tallies.values())
            self.requests.append(Request(endpoint, body, number))
            fault = self._draw()
        if fault is not None:
            await self._wait_until(began + self.delay_s)
            self._count(endpoint, faults=1)
            return await self._suffer(fault, endpoint, body, http)
        content, kind = self._answer(endpoint, body)
        await self._wait_until(began + self.delay_s)
        return web.Response(body=content, content_type=kind)

    async def _wait_until(self, moment: float) -> None:
        """Wait for a moment of the loop's clock: making a reply is part of the time it takes."""
        if self.delay_s:
            await asyncio.sleep(moment - asyncio.get_running_loop().time())

    def _draw(self) -> ServerFault | None:
        """The fault this request suffers, if any."""
        if self._next:
            return self._next.popleft()
        point = self._draws.random()
        for kind, rate in self._rates.items():
            if point < rate:
                return self._drawn(kind)
            point -= rate
        return None

    def _drawn(self, kind: FaultKind) -> ServerFault:
        """A drawn fault; `Retry-After` comes with every second 429."""
        self._limited += kind == "rate_limit"
        retry_after = self._retry_after[(self._limited + 1) % 2] if kind == "rate_limit" else None
        return ServerFault(kind, retry_after, self._fault_delay_s)

    def _answer(self, endpoint: str, body: JsonView) -> tuple[bytes, str]:
        """A proper reply and its content type."""
        recorded = self.model.recorded(endpoint, body)
        if recorded is not None:
            self._count(endpoint, calls=1)
            return recorded, "text/event-stream" if body.get("stream") else "application/json"
        reply = self.model.reply(endpoint, body)
        self._count(endpoint, calls=1, usage=reply.get("usage"))
        return rendered(endpoint, body, reply)

    async def _suffer(
        self, fault: ServerFault, endpoint: str, body: JsonView, http: web.Request
    ) -> web.StreamResponse:
        """A fault in place of a proper reply."""
        match fault.kind:
            case "rate_limit":
                return _error(429, "slow down", "rate_limit_error", fault.retry_after)
            case "error":
                return _error(fault.status, "the model is ill", "server_error", fault.retry_after)
            case "timeout":
                await asyncio.sleep(fault.delay_s)
                return _error(504, "too late", "server_error")
        reply = self.model.reply(endpoint, body)
        if fault.kind in ("wrong_usage", "no_usage"):
            reply = _with_bad_usage(reply, fault.kind)
        content, kind = rendered(endpoint, body, reply)
        if fault.kind == "truncated":
            return web.Response(body=content[: len(content) // 2], content_type=kind)
        if fault.kind in ("slow", "reset"):
            return await _in_pieces(http, content, kind, fault)
        return web.Response(body=content, content_type=kind)

    def _count(
        self, endpoint: str, calls: int = 0, faults: int = 0, usage: JsonView | None = None
    ) -> None:
        """Add to an endpoint's tally."""
        stated = usage or {}
        taken = stated.get("prompt_tokens", stated.get("input_tokens"))
        given = stated.get("completion_tokens", stated.get("output_tokens", 0))
        with self._lock:
            old = self._tallies.get(endpoint, CallCounts())
            self._tallies[endpoint] = replace(
                old,
                calls=old.calls + calls,
                faults=old.faults + faults,
                prompt_tokens=old.prompt_tokens + (taken or stated.get("total_tokens", 0)),
                completion_tokens=old.completion_tokens + given,
            )

    async def _report(self, _: web.Request) -> web.Response:
        """Tallies over HTTP, for a server in another process."""
        content = {endpoint: asdict(tally) for endpoint, tally in self.tallies.items()}
        return web.Response(body=orjson.dumps(content), content_type="application/json")


def rendered(endpoint: str, body: JsonView, reply: JsonView) -> tuple[bytes, str]:
    """A reply as bytes with its content type, streamed if the request says so."""
    if not body.get("stream"):
        return orjson.dumps(reply), "application/json"
    if endpoint == openai_protocol.RESPONSES:
        return openai_protocol.response_sse(
            openai_protocol.response_events(reply)
        ), "text/event-stream"
    wanted = bool((body.get("stream_options") or {}).get("include_usage"))
    return openai_protocol.chat_sse(openai_protocol.chat_chunks(reply, wanted)), "text/event-stream"


def _with_bad_usage(reply: openai_protocol.Body, kind: str) -> openai_protocol.Body:
    """A reply whose usage is nonsense or missing."""
    kept = {key: value for key, value in reply.items() if key != "usage"}
    return kept if kind == "no_usage" else {**kept, "usage": {"prompt_tokens": -1, "total": "?"}}


async def _in_pieces(
    http: web.Request, content: bytes, kind: str, fault: ServerFault
) -> web.StreamResponse:
    """A reply in ten pieces over `delay_s`, or cut by a reset after the first half."""
    response = web.StreamResponse(headers={"Content-Type": kind})
    await response.prepare(http)
    size = max(1, len(content) // 10)
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    if fault.kind == "reset":
        for piece in pieces[: len(pieces) // 2]:
            await response.write(piece)
        if http.transport is not None:
            http.transport.abort()
        return response
    for piece in pieces:
        await response.write(piece)
        await asyncio.sleep(fault.delay_s / len(pieces))
    return response


def _error(status: int, message: str, kind: str, retry_after: float | None = None) -> web.Response:
    """An error reply of the protocol."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    content = orjson.dumps(openai_protocol.error_body(message, kind, kind))
    return web.Response(
        status=status, body=content, content_type="application/json", headers=headers
    )


async def _models(_: web.Request) -> web.Response:
    """The models on offer; any other name is served just the same."""
    names = ("scripted", "gpt-4o-mini", "text-embedding-3-small")
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "membench"} for name in names]
    return web.Response(
        body=orjson.dumps({"object": "list", "data": data}), content_type="application/json"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted; prints one JSON line with the base URL once it listens."""
    parser = argparse.ArgumentParser(
        prog="python -m membench.testing.scripted", description=main.__doc__
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rules", type=Path, help="a rules file (JSON)")
    parser.add_argument("--width", type=int, default=256, help="default embedding dimensions")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds every reply takes")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND=SHARE")
    parser.add_argument("--retry-after", type=float, help="Retry-After of every second 429 fault")
    parser.add_argument("--fault-delay", type=float, default=3600.0, help="of timeout and slow")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    server = ScriptedServer(
        load_script(given.rules) if given.rules else (),
        width=given.width,
        delay_s=given.delay,
        fault_rates=_rates(parser, given.fault),
        seed=given.seed,
        retry_after=given.retry_after,
        fault_delay_s=given.fault_delay,
        keep_requests=0,
        port=given.port,
    )
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with server:
        sys.stdout.write(orjson.dumps({"base_url": server.base_url}).decode() + "\n")
        sys.stdout.flush()
        signal.sigwait(ends)


def _rates(parser: argparse.ArgumentParser, given: Sequence[str]) -> dict[FaultKind, float]:
    """Parse `--fault KIND=SHARE`."""
    rates: dict[FaultKind, float] = {}
    for entry in given:
        kind, _, share = entry.partition("=")
        if kind not in FAULT_KINDS:
            parser.error(f"--fault {entry}: not one of {', '.join(FAULT_KINDS)}")
        try:
            rates[kind] = float(share)
        except ValueError:
            parser.error(f"--fault {entry}: expected KIND=SHARE with a share in 0..1")
    return rates


if __name__ == "__main__":
    main()
