"""The client of the read and judge stages: the same meter, without a detour over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from membench.domain.errors import ProviderFault, Reason
from membench.domain.labels import JsonView, Role
from membench.llm import openai_protocol
from membench.llm.account import Account, MeteredReply
from membench.llm.aio.server_thread import LoopThread
from membench.llm.meter import CallMeter
from membench.llm.replies import CallFault, beginning, in_order
from membench.llm.upstreams.secrets import redacted
from membench.records.usage import Usage

Messages = Sequence[Mapping[str, str]]


class NoWords(ProviderFault):
    """A reply without an answer in it: it is a bad reply.

    Attributes:
        usage: What it cost nevertheless.
    """

    def __init__(self, detail: str, usage: Usage) -> None:
        """Keep the cost."""
        super().__init__(Reason.PROVIDER_BAD_REPLY, detail)
        self.usage = usage


def cost_of(fault: ProviderFault) -> Usage:
    """What a call cost that came to nothing, as far as it is known."""
    return fault.usage if isinstance(fault, NoWords | CallFault) else Usage(failed=1)


@dataclass(frozen=True, slots=True)
class ChatResult:
    """The reply of a model.

    Attributes:
        text: The text of the first choice.
        finish_reason: `stop`, `length`, ...
        usage: What the call cost.
        model: The name that the upstream states.
        lag_s: Seconds since the reply was there: its tokens may have been counted meanwhile, and
            other calls have had their turn.
    """

    text: str
    finish_reason: str | None
    usage: Usage
    model: str | None = None
    lag_s: float = 0.0


@dataclass
class ModelClient:
    """Calls the run's models from any event loop; fastest from the gateway's (`Gateway.run`).

    Identical requests are told apart by `key`, which the caller chooses so that the same work has
    the same key in every run (question and generation, request and vote): a replay then gives each
    caller its own reply at any concurrency.
    """

    _meter: CallMeter
    _thread: LoopThread
    _delivered: dict[str, Counter[tuple[str, str, str]]] = field(default_factory=dict)

    async def chat(
        self,
        role: Role,
        messages: Messages,
        *,
        case: str,
        key: str,
        temperature: float | None = None,
        max_tokens: int | None = None,
        response_format: JsonView | None = None,
        stop: Sequence[str] = (),
        seat: int = 0,
    ) -> ChatResult:
        """Ask a model.

        Args:
            role: Which model.
            messages: Dictionaries with `role` and `content`.
            case: Opaque case id.
            key: What this call is within the case.
            temperature: None: the role's.
            max_tokens: None: the role's.
            response_format: As in the protocol.
            stop: Texts that end a reply.
            seat: Which of several models of the role (judges).

        Raises:
            ProviderFault: No usable reply, with its reason.
            Stopped: The budget is spent.
        """
        wishes = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "response_format": response_format,
            "stop": list(stop) or None,
        }
        body: openai_protocol.Body = {"messages": list(messages)}
        body |= {name: wish for name, wish in wishes.items() if wish is not None}
        return _result(await self._call(role, openai_protocol.CHAT, body, case, key, seat))

    def has_answered(self, role: Role, seat: int = 0) -> bool:
        """Whether a model gave a usable reply in this process."""
        return self._meter.has_answered(role, seat)

    async def embed(
        self, texts: Sequence[str], *, case: str, key: str
    ) -> tuple[list[list[float]], Usage]:
        """Vectors of texts by the run's embedder, one per text, with what they cost."""
        body = {"input": list(texts), "encoding_format": "float"}
        reply = await self._call(Role.EMBEDDER, openai_protocol.EMBEDDINGS, body, case, key)
        data = in_order(orjson.loads(reply.body))
        vectors = (openai_protocol.vector_of(item["embedding"]) for item in data)
        return [vector for vector in vectors if vector is not None], reply.usage

    async def _call(
        self, role: Role, endpoint: str, body: JsonView, case: str, key: str, seat: int = 0
    ) -> MeteredReply:
        """One metered call on the gateway's loop; a hop between threads only from another one."""
        if asyncio.get_running_loop() is self._thread.loop:
            return await self._on_loop(role, endpoint, body, case, key, seat)
        work = self._thread.submit(self._on_loop(role, endpoint, body, case, key, seat))
        return await asyncio.wrap_future(work)

    async def _on_loop(
        self, role: Role, endpoint: str, body: JsonView, case: str, key: str, seat: int
    ) -> MeteredReply:
        """The call itself."""
        delivered = self._delivered.setdefault(case, Counter())
        account = Account(case, delivered=delivered)
        return await self._meter.call(role, endpoint, body, account, sample=key, seat=seat)


def _result(reply: MeteredReply) -> ChatResult:
    """The first choice of a chat reply.

    Raises:
        NoWords: It holds no answer.
    """
    content = orjson.loads(reply.body)
    choice = content["choices"][0]
    message, finish = choice.get("message") or {}, choice.get("finish_reason")
    text = openai_protocol.content_text(message.get("content"))
    problem = _no_answer(message, text, finish)
    if problem is not None:
        raise NoWords(problem, reply.usage)
    lag = 0.0 if reply.arrived is None else time.perf_counter() - reply.arrived
    return ChatResult(text, finish, reply.usage, content.get("model"), lag)


def _no_answer(message: JsonView, text: str, finish: str | None) -> str | None:
    """Why a message is no answer; None for one that is, which may be empty."""
    if finish in ("content_filter", "error"):
        return f"the provider broke off the reply (finish_reason={finish})"
    if text.strip():
        return None
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return f"a refusal instead of text: {beginning(redacted(refusal))}"
    if message.get("reasoning_content") or message.get("reasoning"):
        return f"no text beside its reasoning (finish_reason={finish})"
    if message.get("content") is None or finish != "stop":
        return f"no text (finish_reason={finish})"
    return None
