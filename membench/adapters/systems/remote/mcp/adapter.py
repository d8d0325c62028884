"""Drives a memory system through the tools of an MCP server, over stdio or streamable HTTP.

Which tool stores, which one searches and what their arguments are called are parameters. A server
started by `command` is started anew for every case, in an empty folder that is also its HOME; one
behind a `url` is shared, so it needs a namespace argument or a reset tool to keep cases apart.
MCP has no place for dates, so a memory's text begins with its date unless `text=official`.
"""

from __future__ import annotations

import shlex
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from membench.adapters.parts.budget import cut
from membench.adapters.parts.units import Segmenter, Unit
from membench.adapters.systems.remote.mcp.connection import McpConnection, McpServer
from membench.adapters.systems.remote.mcp.replies import texts_in
from membench.domain.case import CaseInfo, Item, Session
from membench.domain.errors import UsageError
from membench.domain.labels import JsonObject
from membench.domain.system import Memory, MemoryChange, Query, SystemContext


class McpMemory:
    """A memory system on the other side of MCP.

    A recalled text that is one of those stored names its turns and its time; a text that the
    server rewrote names none.
    """

    def __init__(self, context: SystemContext) -> None:
        """Check the parameters; nothing is started yet."""
        self.given = {name: str(value) for name, value in context.parameters.items()}
        self.timeout_s = float(context.parameters["timeout_s"])
        self.segmenter = Segmenter(self.given["granularity"], text=self.given["text"])
        self.count_tokens = context.count_tokens
        self.workdir = context.workdir
        self.connection: McpConnection | None = None
        self.namespace = ""
        self.stored: dict[str, Memory] = {}
        self._check()

    def reset(self, case: CaseInfo) -> None:
        """Start the server anew, or tell it that a new case begins."""
        self.stored = {}
        self.namespace = f"{case.id}-{uuid.uuid4().hex[:12]}"
        if self.given["command"]:
            self.close()
        if self.connection is None:
            self.connection = McpConnection(self._server(), self.timeout_s)
            self._expect_tools(self.connection)
        if self.given["reset_tool"]:
            self._call("reset_tool", {})

    def ingest(self, session: Session) -> list[MemoryChange] | None:
        """Store the session's units, one call each; what becomes of them is not known."""
        return self._store(self.segmenter.units(session))

    def remember(self, item: Item) -> list[MemoryChange] | None:
        """Store an item."""
        return self._store([self.segmenter.item(item)])

    def recall(self, query: Query) -> list[Memory]:
        """Search, and hold the reply to k and the token budget."""
        arguments: JsonObject = {self.given["query_argument"]: query.text}
        if self.given["limit_argument"] and query.k is not None:
            arguments[self.given["limit_argument"]] = query.k
        replies = self._call("recall_tool", arguments)
        return cut(self._memories(replies), query, self.count_tokens)

    def close(self) -> None:
        """Leave the server; one that was started here is stopped."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _store(self, units: list[Unit]) -> list[MemoryChange] | None:
        for unit in units:
            text = unit.memory.text
            if text:
                self._call("store_tool", {self.given["store_argument"]: text})
                self.stored.setdefault(text, unit.memory)
        return None if units else []

    def _memories(self, replies: list[Any]) -> Iterator[Memory]:
        for text in texts_in(replies):
            if text and text != self.given["empty_reply"]:
                yield self.stored.get(text, Memory(text))

    def _call(self, tool: str, arguments: JsonObject) -> list[Any]:
        assert self.connection is not None, "reset comes first"
        if self.given["namespace_argument"]:
            arguments = {**arguments, self.given["namespace_argument"]: self.namespace}
        return self.connection.call(self.given[tool], arguments)

    def _server(self) -> McpServer:
        if not self.given["command"]:
            return McpServer(url=self.given["url"])
        home = Path(tempfile.mkdtemp(prefix="mcp-", dir=self.workdir))
        return McpServer(command=tuple(shlex.split(self.given["command"])), home=home)

    def _check(self) -> None:
        if bool(self.given["command"]) == bool(self.given["url"]):
            raise UsageError(
                "the mcp system needs either a command or a url",
                "--set command='my-server --stdio' or --set url=http://127.0.0.1:8000/mcp",
            )
        apart = self.given["namespace_argument"] or self.given["reset_tool"]
        if self.given["url"] and not apart:
            raise UsageError(
                "an MCP server behind a url would mix cases",
                "--set namespace_argument=NAME or --set reset_tool=NAME keeps them apart.",
            )

    def _expect_tools(self, connection: McpConnection) -> None:
        there = connection.tools()
        for parameter in ("store_tool", "recall_tool", "reset_tool"):
            name = self.given[parameter]
            if name and name not in there:
                raise UsageError(
                    f"the MCP server has no tool '{name}' ({parameter})",
                    f"It has: {', '.join(sorted(there))}.",
                )
