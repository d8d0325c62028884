"""Where replies come from: an OpenAI-compatible server, a provider through litellm, or ourselves.

An upstream sends one request once and returns bytes. It knows nothing of retries, budgets or
charges; those are the meter's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from membench.harness.errors import ProviderFault, Reason
from membench.harness.llm import prices, wire
from membench.harness.llm.scripted import ScriptedModel
from membench.harness.llm.secrets import MASK, SHORTEST
from membench.harness.llm.spec import MINILM, OPENAI_URL, ModelSpec

if TYPE_CHECKING:
    import aiohttp

JSON = "application/json"
EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Reply:
    """What an upstream said.

    Attributes:
        body: Its bytes.
        content_type: JSON or an event stream.
        status: HTTP status; below 400 is a success.
        retry_after: Seconds it asked to wait, if it did.
        cpu_s: CPU seconds it cost on this machine, for models hosted here.
    """

    body: bytes
    content_type: str = JSON
    status: int = 200
    retry_after: float | None = None
    cpu_s: float = 0.0


class Upstream(Protocol):
    """Sends one request once."""

    async def send(self, endpoint: str, body: wire.Body) -> Reply:
        """Send and read the whole reply; event streams are read to their end.

        Raises:
            ProviderFault: Nothing usable came back; bad statuses are returned, not raised.
        """

    async def close(self) -> None:
        """Release connections or processes."""


class Turns:
    """Lets replies that arrive together be handled one after the other.

    The event loop would handle all of them before any request that follows from one is written.
    Those requests then leave together too, and so would their replies arrive, round after round,
    with nothing to do in between. One after the other, they spread.
    """

    def __init__(self) -> None:
        """Nobody waits."""
        self._free = asyncio.Lock()

    async def take(self) -> None:
        """Wait for a turn; it ends by itself once the next request had time to be written."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._free.release)


@dataclass
class HttpUpstream:
    """An OpenAI-compatible server, passed through.

    Attributes:
        base_url: Up to and including `/v1`.
        api_key: Sent as a bearer token; never stored or shown.
    """

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    _session: aiohttp.ClientSession | None = field(default=None, init=False, repr=False)
    _turns: Turns = field(default_factory=Turns, init=False, repr=False)

    async def send(self, endpoint: str, body: wire.Body) -> Reply:
        """POST the request as it is."""
        import aiohttp

        url = f"{self.base_url.rstrip('/')}/{endpoint}"
        try:
            async with self._connected().post(url, data=orjson.dumps(body)) as response:
                content = await response.read()
                await self._turns.take()
                return Reply(
                    self._without_key(content),
                    response.content_type,
                    response.status,
                    retry_after(response.headers.get("Retry-After")),
                )
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderFault(Reason.PROVIDER_ERROR, type(error).__name__) from None

    def _without_key(self, content: bytes) -> bytes:
        """A reply in which the upstream does not repeat our key."""
        key = self.api_key or ""
        return content.replace(key.encode(), MASK.encode()) if len(key) >= SHORTEST else content

    def _connected(self) -> aiohttp.ClientSession:
        """The session, made on first use, on the loop that uses it."""
        if self._session is None:
            import aiohttp

            headers = {"Content-Type": JSON}
            if self.api_key:
                headers["Authorization"] = f"Bearer {self.api_key}"
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
                headers=headers,
                proxy=_proxy(self.base_url),
            )
        return self._session

    async def close(self) -> None:
        """Drop the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL; `.netrc` is not asked for credentials."""
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


def retry_after(header: str | None) -> float | None:
    """Seconds of a `Retry-After` header: a number or an HTTP date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        return _seconds_until(header)


def _seconds_until(date: str) -> float | None:
    """Seconds until an HTTP date, None if it is none."""
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


@dataclass
class LitellmUpstream:
    """Any provider that litellm translates; credentials are read by litellm from the environment.

    Attributes:
        model: litellm's name of the model.
        api_base: Another address of the provider, if not its own.
    """

    model: str
    api_base: str | None = None

    async def send(self, endpoint: str, body: wire.Body) -> Reply:
        """Translate, send, translate back. A stream is made of the finished reply."""
        calls = _litellm_calls()
        wish = {
            key: value for key, value in body.items() if key not in ("stream", "stream_options")
        }
        if self.api_base:
            wish["api_base"] = self.api_base
        try:
            reply = await calls[endpoint](**{**wish, "model": self.model}, max_retries=0)
        except Exception as error:
            return _litellm_error(error)
        content = reply.model_dump(mode="json", exclude_none=False)
        if not body.get("stream"):
            return Reply(orjson.dumps(content))
        if endpoint == wire.RESPONSES:
            return Reply(wire.response_sse(wire.response_events(content)), EVENTS)
        return Reply(wire.chat_sse(wire.chat_chunks(content, include_usage=True)), EVENTS)

    async def close(self) -> None:
        """Close the connections that litellm keeps, if it was ever needed."""
        litellm = sys.modules.get("litellm")
        if litellm is not None:
            await litellm.close_litellm_async_clients()


def _litellm_calls() -> dict[str, Any]:
    """The functions of litellm by endpoint; imported on first use, with its local price map."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = True
    logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    return {
        wire.CHAT: litellm.acompletion,
        wire.RESPONSES: litellm.aresponses,
        wire.EMBEDDINGS: litellm.aembedding,
        wire.RERANK: litellm.arerank,
    }


def _litellm_error(error: Exception) -> Reply:
    """The reply that an error of litellm stands for.

    Raises:
        ProviderFault: It is a timeout.
    """
    import litellm

    if isinstance(error, litellm.Timeout):
        raise ProviderFault(Reason.PROVIDER_TIMEOUT, "timeout") from None
    status = getattr(error, "status_code", None)
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    body = wire.error_body(str(error), type(error).__name__, "provider_error")
    return Reply(
        orjson.dumps(body),
        status=status if isinstance(status, int) and status >= 400 else 500,
        retry_after=retry_after(headers.get("retry-after")),
    )


@dataclass
class ScriptedUpstream:
    """The scripted model, in process."""

    model: ScriptedModel

    async def send(self, endpoint: str, body: wire.Body) -> Reply:
        """Follow the script."""
        reply = self.model.reply(endpoint, body)
        if not body.get("stream"):
            return Reply(orjson.dumps(reply))
        if endpoint == wire.RESPONSES:
            return Reply(wire.response_sse(wire.response_events(reply)), EVENTS)
        return Reply(wire.chat_sse(wire.chat_chunks(reply, include_usage=True)), EVENTS)

    async def close(self) -> None:
        """Nothing to release."""


def upstream_for(spec: ModelSpec) -> Upstream:
    """The upstream of a role's model (see `spec`)."""
    if spec.base_url is not None:
        return HttpUpstream(spec.base_url, spec.api_key())
    if spec.model == MINILM:
        from membench.harness.llm.minilm import MiniLmUpstream

        return MiniLmUpstream()
    if spec.is_local:
        return ScriptedUpstream(ScriptedModel(width=spec.dimensions or 256))
    if is_openai(spec):
        return HttpUpstream(OPENAI_URL, spec.api_key())
    return LitellmUpstream(spec.model)


def is_openai(spec: ModelSpec) -> bool:
    """Whether a model is called at OpenAI's own endpoint."""
    if spec.base_url is not None or spec.is_local:
        return False
    if spec.model.startswith("openai/"):
        return True
    return "/" not in spec.model and prices.provider_of(spec.model) == "openai"
