"""A synchronous MCP client: the asynchronous one lives in a thread of its own."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from membench.domain.errors import Fault, Reason, SystemFault, UsageError
from membench.domain.labels import JsonObject

REQUEST_TIMEOUT = -32001
"""MCP's error code for a request without a reply in time."""


@dataclass(frozen=True)
class McpServer:
    """Where the server is.

    Attributes:
        command: Program and arguments, spoken to over stdio; empty for a server behind a URL.
        home: Working directory and HOME of the program.
        url: Of a server that runs already.
    """

    command: tuple[str, ...] = ()
    home: Path | None = None
    url: str = ""


class McpConnection:
    """An open connection.

    Raises:
        UsageError: The `mcp` package is not installed.
        SystemFault: The server does not start or does not speak MCP.
    """

    def __init__(self, server: McpServer, timeout_s: float) -> None:
        """Start the thread and connect."""
        try:
            from anyio.from_thread import start_blocking_portal
            from mcp.client import Client
        except ImportError:
            raise UsageError(
                "the mcp system needs the package 'mcp'", "pip install 'membench[mcp]'"
            ) from None
        self._stack = ExitStack()
        try:
            self._portal = self._stack.enter_context(start_blocking_portal())
            client = Client(self._transport(server), read_timeout_seconds=timeout_s, cache=None)
            opening = self._portal.wrap_async_context_manager(client)
            self._client: Any = self._stack.enter_context(opening)
        except Exception as error:
            self._stack.close()
            raise _fault("connect", error) from error

    def tools(self) -> set[str]:
        """Names of the server's tools."""
        try:
            return {tool.name for tool in self._portal.call(self._client.list_tools).tools}
        except Exception as error:
            raise _fault("list_tools", error) from error

    def call(self, tool: str, arguments: JsonObject) -> list[Any]:
        """What a tool returned: its structured content if it has any, else its texts.

        Raises:
            SystemFault: The tool failed, or the server is gone.
        """
        try:
            result = self._portal.call(self._client.call_tool, tool, arguments)
        except Exception as error:
            raise _fault(tool, error) from error
        texts = [block.text for block in result.content if block.type == "text"]
        if result.is_error:
            raise SystemFault(Reason.SYSTEM_ERROR, f"{tool}: {' '.join(texts)[:300]}")
        return texts if result.structured_content is None else [result.structured_content]

    def close(self) -> None:
        """Disconnect; a program that was started is stopped."""
        self._stack.close()

    def _transport(self, server: McpServer) -> Any:
        if not server.command:
            return server.url
        from mcp.client.stdio import StdioServerParameters, stdio_client

        program, *arguments = server.command
        home = str(server.home)
        parameters = StdioServerParameters(
            command=program,
            args=arguments,
            cwd=home,
            env={"HOME": home, "TMPDIR": home, "PYTHONHASHSEED": "0"},
        )
        silence = self._stack.enter_context(Path(os.devnull).open("w"))  # noqa: SIM115
        return stdio_client(parameters, errlog=silence)


def _fault(what: str, error: Exception) -> Fault:
    """Timeouts and lost servers by their own reason, anything else as an error."""
    detail = f"{what}: {_cause(error)}"
    if getattr(getattr(error, "error", None), "code", None) == REQUEST_TIMEOUT:
        return SystemFault(Reason.SYSTEM_TIMEOUT, detail)
    gone = isinstance(error, OSError) or "Resource" in type(error).__name__
    return SystemFault(Reason.SYSTEM_CRASH if gone else Reason.SYSTEM_ERROR, detail)


def _cause(error: BaseException) -> str:
    """The first cause inside the groups that anyio's tasks raise."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
