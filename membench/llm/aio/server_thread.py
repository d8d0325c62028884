"""An event loop in a thread of its own, and an aiohttp application served on it.

The gateway and the scripted server both run beside synchronous code, so each owns a loop in a
daemon thread; whoever starts one also stops it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from aiohttp import web

T = TypeVar("T")

MAX_BODY_BYTES = 256 * 2**20
"""Requests above this are refused; a long history in one prompt stays far below."""


class LoopThread:
    """An asyncio loop that runs in a daemon thread until `stop`.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        """Start the thread."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        """Body of the thread."""
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def submit(self, coroutine: Coroutine[object, None, T]) -> Future[T]:
        """Run a coroutine on the loop from any thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def run(self, coroutine: Coroutine[object, None, T], timeout_s: float | None = None) -> T:
        """Run a coroutine on the loop and wait for its result."""
        return self.submit(coroutine).result(timeout_s)

    def stop(self) -> None:
        """Cancel what is left, end the loop and the thread. A second call does nothing."""
        if self.loop.is_closed():
            return
        self.run(_cancel_others())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _cancel_others() -> None:
    """Cancel every task but the current one and wait for their ends."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()


class AppServer:
    """An aiohttp application listening on loopback.

    Args:
        app: The application.
        thread: The loop to serve it on.
        port: 0 for any free port.
        host: Where to listen; loopback unless lanes run on other machines.
    """

    def __init__(
        self, app: web.Application, thread: LoopThread, port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        """Start listening; `port` then holds the real port."""
        self._thread = thread
        self.host = host
        self._runner, self.port = thread.run(_listen(app, host, port))

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{self.host}:{self.port}"

    def close(self) -> None:
        """Stop listening and drop open connections."""
        self._thread.run(self._runner.cleanup())


async def _listen(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Bind and start."""
    from aiohttp import web

    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    await site.start()
    return runner, int(runner.addresses[0][1])
