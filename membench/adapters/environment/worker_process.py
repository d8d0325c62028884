"""The worker of one case, as the lane sees it: calls over a socket, with time limits and faults."""

from __future__ import annotations

import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from membench.adapters.card import EnvironmentCard, SystemCard
from membench.adapters.environment.fork_server import ForkServers
from membench.adapters.environment.keys import without_keys
from membench.adapters.environment.worker import messages
from membench.adapters.environment.worker.wire import decoded, encoded
from membench.adapters.environment.worker_folder import hand_over
from membench.domain.errors import Reason, SystemFault
from membench.domain.labels import JsonObject, JsonView
from membench.domain.system import SystemContext

PIECE_BYTES = 1 << 16
"""Most that is sent or received at once, and so the longest that has one time limit."""
TIMEOUT_S: Mapping[str, float] = {
    "start": 300.0,
    "ingest": 3600.0,
    "finalize": 3600.0,
    "recall": 600.0,
    "other": 300.0,
}
"""Longest time per call where system.toml says nothing."""
TIMEOUT_OF: Mapping[str, str] = {
    "open": "start",
    "reset": "start",
    "ingest": "ingest",
    "remember": "ingest",
    "feedback": "ingest",
    "finalize": "finalize",
    "recall": "recall",
    "answer": "recall",
}
"""Operation -> its key in `TIMEOUT_S`; all others are `other`."""


class WorkerProcess:
    """One worker process, which plays one case.

    Args:
        card: The system.
        context: As every system is given.
        servers: Where it is forked from.
        restricted: Whether Landlock restricts it.

    Raises:
        SystemFault: It did not come up.
        UsageError: Its environment is not installed or cannot be read by the user it runs as, or
            this machine has no Landlock.
    """

    def __init__(
        self, card: SystemCard, context: SystemContext, servers: ForkServers, *, restricted: bool
    ) -> None:
        """Have it forked; import the adapter and construct the system."""
        self._card = card
        self._environment: EnvironmentCard = card.worker
        self._number = 0
        self._timeout_s = 0.0
        self._fault: SystemFault | None = None
        self._use: JsonObject = {}
        self._cpu_s = 0.0
        self._servers = servers
        timeout_s = self._limit("start")
        self._server = servers.take(card, context, timeout_s, restricted=restricted)
        self._channel = self._server.fork(servers.core_for(card))
        self._ended = False
        self._open(card, context)

    @property
    def pid(self) -> int:
        """Process id of the supervisor above it."""
        return self._server.pid

    def call(self, op: str, args: JsonView) -> Any:
        """Send one request and wait for its reply.

        Raises:
            SystemFault: The system raised, crashed, hung or replied nonsense.
        """
        if self._fault is not None:
            raise SystemFault(self._fault.reason, f"the worker is gone: {self._fault.detail}")
        timeout_s = self._limit(TIMEOUT_OF.get(op, "other"))
        self._number += 1
        line = self._exchange(op, args, timeout_s)
        return self._result(op, line)

    def take_resources(self) -> JsonObject:
        """What was used since the last time."""
        cpu_s, self._cpu_s = self._cpu_s, 0.0
        return {**self._use, "cpu_s": cpu_s}

    def discard_resources(self) -> None:
        """What was used so far was start-up."""
        self._cpu_s = 0.0

    def close(self) -> None:
        """Close the system kindly, then end every process of the case, once.

        Raises:
            SystemFault: The system's own `close` failed; its processes are gone all the same.
        """
        if self._ended:
            return
        try:
            self.call("close", {})
        finally:
            self._end()

    @contextmanager
    def exchange_folder(self, content: Path | None = None) -> Iterator[Path]:
        """A folder that both sides may use, with a copy of `content` in it, for one call."""
        folder = Path(tempfile.mkdtemp(dir=self._server.case_folder))
        try:
            if content is not None:
                shutil.copytree(content, folder, dirs_exist_ok=True)
            if self._server.user is not None:
                hand_over(folder, self._server.user)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _open(self, card: SystemCard, context: SystemContext) -> None:
        request = {
            "entry": card.entry,
            "parameters": dict(context.parameters),
            "seed": context.seed,
            "models": messages.models_to_json(context.models),
        }
        try:
            self.call("open", request)
        except BaseException:
            self._end()
            raise

    def _exchange(self, op: str, args: JsonView, timeout_s: float) -> bytes:
        request = encoded({"id": self._number, "op": op, "args": args})
        deadline = time.monotonic() + timeout_s
        try:
            self._wait_at_most(timeout_s)
            self._send(request, deadline)
            return self._line(deadline)
        except BlockingIOError:
            detail = f"{op} took more than {timeout_s:g} s"
            raise self._lost(SystemFault(Reason.SYSTEM_TIMEOUT, detail)) from None
        except (EOFError, OSError):
            raise self._lost(self._server.crash(op)) from None

    def _send(self, line: bytes, deadline: float) -> None:
        """Hand a line over.

        Raises:
            BlockingIOError: It was not taken in time.
        """
        rest = memoryview(line)
        while rest := rest[self._channel.send(rest[:PIECE_BYTES]) :]:
            self._wait_at_most(deadline - time.monotonic())

    def _line(self, deadline: float) -> bytes:
        """Bytes up to the next newline.

        Raises:
            BlockingIOError: They did not come in time.
            EOFError: The worker hung up.
        """
        pieces = [self._channel.recv(PIECE_BYTES)]
        while not pieces[-1].endswith(b"\n"):
            if not pieces[-1]:
                raise EOFError
            self._wait_at_most(deadline - time.monotonic())
            pieces.append(self._channel.recv(PIECE_BYTES))
        return b"".join(pieces)

    def _wait_at_most(self, timeout_s: float) -> None:
        """Let the kernel end what waits longer; with `settimeout`, Python asks it before each call.

        Raises:
            BlockingIOError: There is no time left.
        """
        if timeout_s <= 0:
            raise BlockingIOError
        if timeout_s != self._timeout_s:
            seconds, fraction = divmod(timeout_s, 1)
            limit = struct.pack("@ll", int(seconds), max(1, int(fraction * 1e6)))
            self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            self._timeout_s = timeout_s

    def _result(self, op: str, line: bytes) -> Any:
        try:
            reply = decoded(line)
            mine, ok, use = reply["id"] == self._number, reply["ok"], reply["resources"]
        except (ValueError, KeyError, TypeError):
            mine = False
        if not mine:
            detail = f"{op}: the worker wrote something that is no reply"
            raise self._lost(SystemFault(Reason.SYSTEM_BAD_REPLY, detail))
        self._cpu_s += use.pop("cpu_s")
        self._use = {name: value for name, value in use.items() if value is not None}
        if not ok:
            detail = without_keys(reply["error"], self._card)
            raise SystemFault(named_reason(reply["reason"]), detail)
        return reply["result"]

    def _lost(self, fault: SystemFault) -> SystemFault:
        """Remember why the worker is gone and end what is left of it."""
        self._fault = fault
        self._end()
        return fault

    def _end(self) -> None:
        """Let go of the worker; the server ends everything that it started."""
        if self._ended:
            return
        self._ended = True
        self._channel.close()
        self._servers.put_back(self._server)

    def _limit(self, name: str) -> float:
        return self._environment.timeout_s.get(name, TIMEOUT_S[name])


def named_reason(word: object) -> Reason:
    """The reason that a worker gives for a failure: the system's or a provider's, never ours."""
    given = [reason for reason in Reason if reason == word]
    foreign = ("system_", "provider_", "context_")
    return given[0] if given and given[0].startswith(foreign) else Reason.SYSTEM_ERROR
