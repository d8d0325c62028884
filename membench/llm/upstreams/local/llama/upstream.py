"""Calls to a local language model: servers of one file, as many calls as they have slots."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from membench.domain.errors import ProviderFault, Reason
from membench.llm import openai_protocol
from membench.llm.upstreams.base import BaseUpstream, DeadUpstream, Reply
from membench.llm.upstreams.local.llama.server import LlamaServer, ServerSettings

RESTARTS = 1
"""How often a server that died is started again."""


class LlamaUpstream(BaseUpstream):
    """Serves one role; servers are started on its first call.

    Args:
        settings: Of each server.
        servers: How many.
        log: Where the servers say what they do: this path with a number and `.log`.
    """

    metered: ClassVar[bool] = True

    def __init__(self, settings: ServerSettings, servers: int, log: Path | None = None) -> None:
        """Start nothing yet."""
        self.settings = settings
        self.servers = [
            LlamaServer(settings, None if log is None else log.with_name(f"{log.name}-{n}.log"))
            for n in range(servers)
        ]
        self._starting = asyncio.Lock()

    @property
    def slots(self) -> int:
        """Calls that can be worked on at once."""
        return len(self.servers) * self.settings.slots

    async def ready(self) -> None:
        """Start the servers that do not run.

        Raises:
            DeadUpstream: One died once more than it is started again.
            ProviderFault: One did not start.
        """
        async with self._starting:
            waiting = [server for server in self.servers if not server.alive]
            for server in waiting:
                if server.starts > RESTARTS:
                    where = f"; its log: {server.log}" if server.log else ""
                    raise DeadUpstream(
                        Reason.PROVIDER_ERROR,
                        f"the server of '{self.settings.name}' ended {server.starts} times: "
                        f"{server.last_words()}{where}",
                        "Look at its settings (--model-set) and at the memory of this machine.",
                    )
            await asyncio.gather(*(server.start() for server in waiting))

    async def send(self, endpoint: str, body: openai_protocol.Body) -> Reply:
        """Send to the server with the fewest calls; the CPU seconds of its process are the call's.

        Raises:
            ProviderFault: The server died.
        """
        alive = [server for server in self.servers if server.alive]
        if not alive:
            raise ProviderFault(Reason.PROVIDER_ERROR, f"no server of '{self.settings.name}' runs")
        server = min(alive, key=lambda server: server.in_flight)
        assert server.cpu is not None
        cpu, number = server.cpu, server.cpu.begin()
        server.in_flight += 1
        reply = None
        try:
            reply = await server.send(endpoint, body)
        finally:
            server.in_flight -= 1
            spent = cpu.end(number)
            if reply is None:
                self.lose(spent)
        return replace(reply, cpu_s=spent)

    async def close(self) -> None:
        """Stop every server."""
        await asyncio.gather(*(server.stop() for server in self.servers))
