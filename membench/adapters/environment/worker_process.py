"""The worker of one case, as the lane sees it: calls over a socket, with time limits and faults."""

from __future__ import annotations

import shutil
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

RECEIVED_BYTES = 1 << 16
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
        self._rest = b""
        self._fault: SystemFault | None = None
        self._use: JsonObject = {}
        self._cpu_s = 0.0
        self._servers = servers
        timeout_s = self._limit("start")
        self._server = servers.take(card, context, timeout_s, restricted=restricted)
        self._channel = self._server.fork()
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
            self._channel.settimeout(timeout_s)
            self._channel.sendall(request)
            return self._line(deadline)
        except TimeoutError:
            detail = f"{op} took more than {timeout_s:g} s"
            raise self._lost(SystemFault(Reason.SYSTEM_TIMEOUT, detail)) from None
        except (EOFError, OSError):
            raise self._lost(self._server.crash(op)) from None

    def _line(self, deadline: float) -> bytes:
        """Bytes up to the next newline.

        Raises:
            TimeoutError: The deadline passed.
            EOFError: The worker hung up.
        """
        pieces = [self._rest]
        while b"\n" not in pieces[-1]:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._channel.settimeout(left)
            piece = self._channel.recv(RECEIVED_BYTES)
            if not piece:
                raise EOFError
            pieces.append(piece)
        line, _, self._rest = b"".join(pieces).partition(b"\n")
        return line

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
