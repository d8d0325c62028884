"""OpenAI-compatible upstreams, passed through by a plain async HTTP client."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import orjson

from membench.domain.errors import ProviderFault, Reason
from membench.llm import openai_protocol
from membench.llm.config import public_url
from membench.llm.upstreams.secrets import MASK, SHORTEST

if TYPE_CHECKING:
    import aiohttp
from membench.llm.upstreams.base import JSON, BaseUpstream, Reply, Unreachable, retry_after


class ReplyPacer:
    """Lets replies that arrive together be handled one after the other.

    The event loop would handle all of them before any request that follows from one is written.
    Those requests then leave together too, and so would their replies arrive, round after round,
    with nothing to do in between. One after the other, they spread.
    """

    def __init__(self) -> None:
        """No reply is waiting."""
        self._free = asyncio.Lock()

    async def take(self) -> None:
        """Wait for a turn; it ends by itself once the next request had time to be written."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._free.release)


@dataclass
class HttpUpstream(BaseUpstream):
    """An OpenAI-compatible server, passed through.

    Attributes:
        base_url: Up to and including `/v1`; an endpoint at its end is left out.
        api_key: Sent as a bearer token; never stored or shown.
        direct: Whether to ignore the proxies that the environment names.
    """

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    direct: bool = False
    root: str = field(init=False)
    _session: aiohttp.ClientSession | None = field(default=None, init=False, repr=False)
    _turns: ReplyPacer = field(default_factory=ReplyPacer, init=False, repr=False)

    def __post_init__(self) -> None:
        """Find the address that endpoints are below."""
        self.root = root_of(self.base_url)

    async def send(self, endpoint: str, body: openai_protocol.Body) -> Reply:
        """POST the request as it is."""
        import aiohttp

        url = f"{self.root}/{endpoint}"
        try:
            async with self._connected().post(url, data=orjson.dumps(body)) as response:
                content = await response.read()
                await self._turns.take()
                return Reply(
                    self._without_key(content),
                    response.content_type,
                    response.status,
                    retry_after(response.headers.get("Retry-After")),
                    address=public_url(url),
                )
        except aiohttp.ClientConnectorError as error:
            detail = f"no connection to {public_url(url)}: {_why(error)}"
            raise Unreachable(Reason.PROVIDER_ERROR, detail) from None
        except (aiohttp.ClientError, OSError) as error:
            detail = f"{type(error).__name__} at {public_url(url)}"
            raise ProviderFault(Reason.PROVIDER_ERROR, detail) from None

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
                proxy=None if self.direct else _proxy(self.base_url),
            )
        return self._session

    async def close(self) -> None:
        """Drop the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def root_of(base_url: str) -> str:
    """A base URL without a slash or an endpoint at its end."""
    root = base_url.rstrip("/")
    for endpoint in openai_protocol.ENDPOINTS:
        root = root.removesuffix(f"/{endpoint}")
    return root.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _why(error: aiohttp.ClientConnectorError) -> str:
    """Why no connection could be made, in words."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "its certificate is not accepted"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} is not known"
    return os.strerror(error.os_error.errno) if error.os_error.errno else str(error.os_error)


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL; `.netrc` is not asked for credentials.

    Loopback has none: a proxy elsewhere cannot reach this machine's own servers.
    """
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)
