"""The run's gateway: one OpenAI-compatible server on loopback that every system calls.

A lane gets a base URL and a key of its own; either is enough to know whose call it is. Which
phase it belongs to, the lane process tells by control calls. The endpoint decides the role:
chat and responses are the system's own LLM, embeddings the embedder, rerank the reranker. Streams
are read to their end before they are handed on, so a broken one is retried and never half
delivered.

::

    with Gateway(GatewayConfig(roles={Role.MEMORY: ModelSpec("gpt-4o-mini")})) as gateway:
        access = gateway.lane("lane-0")        # pickles into the lane process
        client = gateway.client()              # for the read and judge stages
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

import orjson
from aiohttp import web

from membench import tokens
from membench.domain.errors import BudgetSpent, ProviderFault, Reason, Stopped, UsageError
from membench.domain.labels import SYSTEM_ROLES, JsonView, Phase, Role
from membench.domain.system import ModelEndpoint
from membench.llm import openai_protocol, prices
from membench.llm.aio.server_thread import MAX_BODY_BYTES, AppServer, LoopThread
from membench.llm.cassette.cassette import Cassette
from membench.llm.client import ModelClient
from membench.llm.config import GatewayConfig, ModelSpec, Seat
from membench.llm.lane_account import LaneAccount, drained
from membench.llm.meter import CallMeter, reason_of
from membench.llm.phase_meter import GatewayAccess
from membench.llm.refused_parameters import ParameterChange
from membench.llm.replies import CallFault
from membench.llm.request_shape import shape_problem
from membench.llm.spending import SpendLog
from membench.llm.upstreams.base import EVENTS
from membench.llm.upstreams.choose import upstream_for
from membench.records.usage import LateUsage, Usage

T = TypeVar("T")

ROLE_OF = {
    openai_protocol.CHAT: Role.MEMORY,
    openai_protocol.RESPONSES: Role.MEMORY,
    openai_protocol.EMBEDDINGS: Role.EMBEDDER,
    openai_protocol.RERANK: Role.RERANKER,
}
_NO_RETRY = {"x-should-retry": "false"}


class Gateway:
    """The gateway of one run, between `with` and the end of its block.

    Args:
        config: Models, cassette, budget.

    Raises:
        UsageError: A dollar budget with a model of unknown price, or a local model in a role
            that it cannot fill.
        DataError: The cassette is not one, or missing in replay.
    """

    def __init__(self, config: GatewayConfig) -> None:
        """Check the configuration; nothing listens yet."""
        self.config = config
        self._seats = config.seats()
        self.roles = {role: spec for (role, seat), spec in self._seats.items() if seat == 0}
        _check(self._seats, config)
        self._lanes: dict[str, LaneAccount] = {}
        self._by_token: dict[str, LaneAccount] = {}
        self._by_control: dict[str, LaneAccount] = {}

    def __enter__(self) -> Self:
        """Open the cassette and listen."""
        tokens.count_tokens("")  # loads the tokenizer, before any call is timed
        self._cassette = self._open_cassette()
        self._ledger = SpendLog(self.config.ledger) if self.config.ledger else None
        self._upstreams = {
            seat: upstream_for(spec, self._log(seat)) for seat, spec in self._seats.items()
        }
        self._thread = LoopThread("gateway")
        self._meter = CallMeter(
            self._seats,
            self._upstreams,
            self._cassette,
            self.config.cassette_mode,
            self.config.budget,
            self._ledger,
        )
        self._served = AppServer(self._app(), self._thread, host=self.config.host)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening, release upstreams, close the cassette."""
        self._served.close()
        self._thread.run(self._release())
        self._thread.stop()
        if self._cassette is not None:
            self._cassette.close()
        if self._ledger is not None:
            self._ledger.close()

    def _open_cassette(self) -> Cassette | None:
        """The cassette, unless it is off."""
        mode, path = self.config.cassette_mode, self.config.cassette
        if mode == "off" or path is None:
            return None
        return Cassette(path, readonly=mode == "replay")

    def _log(self, seat: Seat) -> Path | None:
        """Where servers of a seat's model write, without a number and a suffix."""
        role, number = seat
        name = f"{role}-{number}" if number else str(role)
        return None if self.config.logs is None else self.config.logs / name

    async def _release(self) -> None:
        """Close every upstream."""
        await asyncio.gather(*(upstream.close() for upstream in self._upstreams.values()))

    # --- for the parent process ---

    def lane(self, lane_id: str) -> GatewayAccess:
        """Register a lane, or give it a new token if it was lost and is started again."""
        return self._thread.run(self._register(lane_id))

    async def _register(self, lane_id: str) -> GatewayAccess:
        """`lane`, on the loop."""
        token, control = secrets.token_hex(12), secrets.token_hex(24)
        lane = self._lanes[lane_id] = LaneAccount(token, control)
        self._by_token[token] = self._by_control[control] = lane
        root = f"{self._served.origin}/lane/{token}"
        endpoints = {role: self._endpoint(role, root) for role in self._offered()}
        return GatewayAccess(f"{self._served.origin}/control/{control}", endpoints)

    def _offered(self) -> list[Role]:
        """Roles that systems may call."""
        return [role for role in SYSTEM_ROLES if role in self.roles]

    def _endpoint(self, role: Role, root: str) -> ModelEndpoint:
        """Address and name of a model, as a system gets them."""
        spec = self.roles[role]
        width = dimensions_of(spec) if role == Role.EMBEDDER else None
        token = root.rsplit("/", 1)[-1]
        return ModelEndpoint(f"{root}/v1", f"sk-lane-{token}", spec.served_name, width)

    def release(self, lane_id: str) -> list[LateUsage]:
        """Forget a lane after its calls in flight; returns usage it did not collect itself."""
        return self._thread.run(self._forget(lane_id))

    async def _forget(self, lane_id: str) -> list[LateUsage]:
        """`release`, on the loop."""
        lane = self._lanes.pop(lane_id)
        self._by_token.pop(lane.token, None)
        self._by_control.pop(lane.control, None)
        lane.abandon()
        await drained((*lane.past, lane.account), self.config.drain_s)
        return lane.late()

    def client(self) -> ModelClient:
        """A client for the read and judge stages, usable from any event loop."""
        return ModelClient(self._meter, self._thread)

    def run(self, work: Coroutine[object, None, T]) -> T:
        """Run a stage's coroutine on the gateway's loop and wait for it; Ctrl-C cancels it.

        Calls of `client()` made there need no hop between threads, which pays with many in flight.
        """
        future = self._thread.submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def slots(self, role: Role) -> int | None:
        """Calls of a role that are worked on at once; None where its server does not say."""
        return self._upstreams[role, 0].slots

    async def ready(self, role: Role) -> None:
        """Load a role's model, so that no call is timed while it loads; for `run`.

        What keeps it from loading is reported by the calls.
        """
        with suppress(ProviderFault):
            await self._upstreams[role, 0].ready()

    @property
    def spent(self) -> Usage:
        """What this process has spent upstream so far; replayed calls cost nothing."""
        return self._meter.guard.spent

    def add_external_spend(self, usage: Usage) -> None:
        """Count against the budget what another gateway spent, and entered, for the same run."""
        self._meter.guard.spent += usage

    @property
    def refused(self) -> str | None:
        """Why a call was refused by the budget, once one was, or None."""
        return self._meter.guard.refused

    @property
    def stopped(self) -> Stopped | None:
        """What stops the run: a spent budget, or a model that refuses every call."""
        if self._meter.stopped is not None:
            return self._meter.stopped
        refused = self._meter.guard.refused
        return BudgetSpent(refused) if refused is not None else None

    @property
    def parameter_changes(self) -> dict[str, dict[str, ParameterChange]]:
        """What was changed in requests that models refused as they were, by role."""
        return self._meter.changes()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self._served.origin

    # --- HTTP ---

    def _app(self) -> web.Application:
        """Routes: a lane's endpoints by URL or by key, and its control calls."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        for prefix in ("/lane/{token}/v1", "/lane/{token}", "/v1"):
            for endpoint in openai_protocol.ENDPOINTS:
                app.router.add_post(f"{prefix}/{endpoint}", self._handler(endpoint))
            app.router.add_get(f"{prefix}/models", self._models)
        app.router.add_post("/control/{token}/{action:begin|open|close|late}", self._control)
        return app

    def _handler(self, endpoint: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        """The handler of one endpoint."""

        async def handle(request: web.Request) -> web.Response:
            return await self._model_call(endpoint, request)

        return handle

    def _lane_of(self, request: web.Request) -> LaneAccount | None:
        """Whose call it is: by URL, else by key."""
        token = request.match_info.get("token")
        if token is None:
            key = request.headers.get("Authorization", "")
            token = key.removeprefix("Bearer ").removeprefix("sk-lane-")
        return self._by_token.get(token)

    async def _model_call(self, endpoint: str, request: web.Request) -> web.Response:
        """One call of a system."""
        lane = self._lane_of(request)
        if lane is None:
            return _error(401, "no lane of this run", "invalid_api_key")
        account = lane.account
        try:
            body = orjson.loads(await request.read())
        except ValueError:
            return _error(400, "the body is not JSON", "invalid_request_error")
        role = ROLE_OF[endpoint]
        refusal = self._refusal(role, endpoint, body)
        if refusal is not None:
            return refusal
        try:
            reply = await self._meter.call(
                role, endpoint, body, account, is_wanted=lambda: _is_waiting(request)
            )
        except CallFault as fault:
            return _fault(fault)
        except Stopped as stop:
            return _error(402, str(stop), str(reason_of(stop)))
        except Exception as error:
            account.faults.append(Reason.HARNESS_ERROR)
            return _error(500, type(error).__name__, str(Reason.HARNESS_ERROR))
        content = reply.body
        if reply.content_type == EVENTS and not _asked_for_usage(endpoint, body):
            content = openai_protocol.without_usage_chunk(content)
        return web.Response(body=content, content_type=reply.content_type)

    def _refusal(self, role: Role, endpoint: str, body: object) -> web.Response | None:
        """Why a request cannot be served, or None."""
        if not isinstance(body, dict):
            return _error(400, "the body is not a JSON object", "invalid_request_error")
        spec = self.roles.get(role)
        if spec is None:
            return _error(404, f"this run has no {role} model", "model_not_found")
        name = str(body.get("model", spec.served_name))
        if not spec.answers_to(name):
            known = ", ".join((spec.served_name, *spec.aliases))
            return _error(404, f"no model '{name}' here; known: {known}", "model_not_found")
        if problem := shape_problem(endpoint, body):
            return _error(400, problem, "invalid_request_error")
        return None

    async def _models(self, request: web.Request) -> web.Response:
        """The models on offer, with their aliases."""
        if self._lane_of(request) is None:
            return _error(401, "no lane of this run", "invalid_api_key")
        specs = [self.roles[role] for role in self._offered()]
        names = dict.fromkeys(name for spec in specs for name in (spec.served_name, *spec.aliases))
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": "membench"} for name in names
        ]
        return _json({"object": "list", "data": data})

    async def _control(self, request: web.Request) -> web.Response:
        """A lane reports a phase or collects usage, by a token that no system is given."""
        lane = self._by_control.get(request.match_info["token"])
        if lane is None:
            return _error(401, "no lane of this run", "invalid_api_key")
        content = orjson.loads(await request.read())
        match request.match_info["action"]:
            case "begin":
                lane.begin(content["case"])
            case "open":
                lane.open(content["case"], content["event"], Phase(content["phase"]))
            case "close":
                return _json((await lane.close(self.config.drain_s)).to_json())
            case "late":
                return _json([usage.to_json() for usage in lane.late()])
        return _json(None)


def dimensions_of(spec: ModelSpec) -> int | None:
    """Width of an embedder's vectors, local ones included."""
    local = spec.local
    if local is not None and local.dimensions is not None:
        return spec.dimensions or local.dimensions
    return prices.dimensions_of(spec)


def _check(seats: Mapping[Seat, ModelSpec], config: GatewayConfig) -> None:
    """Refuse what cannot work before anything is spent."""
    for (role, _), spec in seats.items():
        _check_role(role, spec)
        problem = None if config.budget.usd is None else prices.unpriced(spec, role)
        if problem is not None:
            raise UsageError(
                f"a dollar budget cannot be kept: {problem.reason}",
                f"{problem.remedy} Or bound tokens: --budget-tokens N.",
            )


def _check_role(role: Role, spec: ModelSpec) -> None:
    """Refuse a local model in a role that it cannot fill."""
    local = spec.local
    if local is None or role in local.roles:
        return
    kind = "a language model" if local.is_language_model else "an embedder"
    raise UsageError(f"'{local.name}' is {kind} and cannot be the {role} model")


def _asked_for_usage(endpoint: str, body: JsonView) -> bool:
    """Whether a streaming client wants the usage chunk."""
    if endpoint != openai_protocol.CHAT:
        return True
    return bool((body.get("stream_options") or {}).get("include_usage"))


def _is_waiting(request: web.Request) -> bool:
    """Whether the client is still connected."""
    return request.transport is not None and not request.transport.is_closing()


def _json(content: object) -> web.Response:
    """A JSON reply."""
    return web.Response(body=orjson.dumps(content), content_type="application/json")


def _fault(fault: CallFault) -> web.Response:
    """A fault as an error of the protocol; the upstream's own error body where there is one."""
    if fault.body.startswith(b"{"):
        headers = {**_NO_RETRY, "x-membench-reason": str(fault.reason)}
        return web.Response(
            status=fault.status, body=fault.body, headers=headers, content_type="application/json"
        )
    return _error(fault.status, fault.detail, str(fault.reason))


def _error(status: int, message: str, code: str) -> web.Response:
    """An error of the protocol, which clients are asked not to retry: the gateway has."""
    content = orjson.dumps(openai_protocol.error_body(message, "membench_gateway", code))
    headers = {**_NO_RETRY, "x-membench-reason": code}
    return web.Response(
        status=status, body=content, headers=headers, content_type="application/json"
    )
