"""A memory system whose code runs in another process, as the lane sees it.

Every case gets a process of its own with its own home, working and temporary folder: `reset` after
something was stored starts another. What goes wrong over there is a `SystemFault` with the reason
of the failure vocabulary; a worker that crashed, hung or talked nonsense is gone, and every later
call says so.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from membench.adapters.card import METHODS, EnvironmentCard, SystemCard
from membench.adapters.environment import landlock
from membench.adapters.environment.worker import messages
from membench.adapters.environment.worker.supervisor import GRACE_S, MEMORY_EXIT
from membench.adapters.environment.worker_folder import (
    case_folder,
    hand_over,
    import_name,
    prepare_folder,
    worker_user,
    worker_variables,
)
from membench.adapters.parts.budget import cut
from membench.domain.answer import Answer
from membench.domain.case import CaseInfo, Feedback, Item, Session
from membench.domain.errors import Reason, SystemFault, UsageError
from membench.domain.labels import JsonObject, JsonView
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

if TYPE_CHECKING:
    from membench.adapters.parts.structured import ReplyCounts

T = TypeVar("T")
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
LOG_TAIL_BYTES = 2000


class WorkerSystem:
    """A `MemorySystem` in a worker.

    Args:
        card: The system; its environment, if it has one, must be installed.
        context: As every system is given.
        restricted: Whether Landlock restricts it; then this machine must have that.

    Raises:
        UsageError: The environment is not there, or a model that the card names is missing.
        SystemFault: The worker did not come up.
    """

    def __init__(
        self, card: SystemCard, context: SystemContext, *, restricted: bool = False
    ) -> None:
        """Start the worker: import and construction happen before any meter runs."""
        missing = [role for role in card.roles if role not in context.models]
        if missing:
            raise UsageError(
                f"system '{card.name}' needs a model for: {', '.join(missing)}",
                "Name one with --memory-model and --embedder.",
            )
        self._card = card
        self._context = context
        self._restricted = restricted
        self._optional: dict[str, Callable[..., Any]] = {
            method: getattr(self, f"_{method}")
            for capability in card.capabilities & METHODS.keys()
            for method in METHODS[capability]
        }
        self._used = False
        self._worker = WorkerProcess(card, context, restricted=restricted)

    def __getattr__(self, name: str) -> Any:
        """The optional methods that the card declares, and no others."""
        optional = self.__dict__.get("_optional", {})
        if name in optional:
            return optional[name]
        raise AttributeError(name)

    def reset(self, case: CaseInfo) -> None:
        """Start a case; a worker that has seen another one is replaced."""
        if self._used:
            self._worker.close()
            self._worker = WorkerProcess(self._card, self._context, restricted=self._restricted)
        self._used = True
        self._call("reset", case=messages.case_to_json(case))
        self._worker.discard_resources()

    def ingest(self, session: Session) -> Sequence[MemoryChange] | None:
        """Store a session."""
        return self._changes("ingest", session=messages.session_to_json(session))

    def recall(self, query: Query) -> Sequence[Memory]:
        """Memories for a query, cut to its token budget on our side."""
        found = self._decoded(
            messages.memories_from_json, "recall", query=messages.query_to_json(query)
        )
        return cut(found, query, self._context.count_tokens, ignore_k=True)

    def close(self) -> None:
        """Close the system and end everything it started."""
        self._worker.close()

    def resources(self) -> JsonObject:
        """CPU seconds since the last call, peak memory and size of the store."""
        return self._worker.take_resources()

    def sandbox_violations(self) -> dict[str, list[str]]:
        """Connections that were `refused` and files written `outside`, for conformance."""
        return dict(self._call("sandbox_violations"))

    @property
    def processes(self) -> int:
        """Process id of the supervisor above everything that this system runs."""
        return self._worker.pid

    def _finalize(self) -> Sequence[MemoryChange] | None:
        return self._changes("finalize")

    def _remember(self, item: Item) -> Sequence[MemoryChange] | None:
        return self._changes("remember", item=messages.item_to_json(item))

    def _feedback(self, feedback: Feedback) -> Sequence[MemoryChange] | None:
        return self._changes("feedback", feedback=messages.feedback_to_json(feedback))

    def _answer(self, query: Query) -> Answer:
        query_json = messages.query_to_json(query)
        return self._decoded(messages.answer_from_json, "answer", query=query_json)

    def _memories(self) -> Sequence[Memory]:
        return self._decoded(messages.memories_from_json, "memories")

    def _snapshot(self, folder: Path) -> None:
        with self._worker.exchange_folder() as inner:
            self._call("snapshot", folder=str(inner))
            shutil.copytree(inner, folder, dirs_exist_ok=True)

    def _restore(self, folder: Path) -> None:
        with self._worker.exchange_folder(folder) as inner:
            self._call("restore", folder=str(inner))

    def _reply_counts(self) -> ReplyCounts:
        from membench.adapters.parts.structured import ReplyCounts

        return self._decoded(lambda counts: ReplyCounts(**counts), "reply_counts")

    def _store_bytes(self) -> int:
        return int(self._call("store_bytes"))

    def _changes(self, op: str, **args: object) -> Sequence[MemoryChange] | None:
        return self._decoded(messages.changes_from_json, op, **args)

    def _decoded(self, decode: Callable[[Any], T], op: str, **args: object) -> T:
        result = self._call(op, **args)
        try:
            return decode(result)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise SystemFault(Reason.SYSTEM_BAD_REPLY, f"{op}: {error!r}") from None

    def _call(self, op: str, **args: object) -> Any:
        return self._worker.call(op, args)


class WorkerProcess:
    """One worker process with its folder.

    Args:
        card: The system.
        context: As every system is given.
        restricted: Whether Landlock restricts it.

    Raises:
        SystemFault: It did not come up.
        UsageError: Its environment is not installed or cannot be read by the user it runs as, or
            this machine has no Landlock.
    """

    def __init__(self, card: SystemCard, context: SystemContext, *, restricted: bool) -> None:
        """Make the folder, start the process, import the adapter."""
        self._environment: EnvironmentCard = card.worker
        self._number = 0
        self._buffer = b""
        self._fault: SystemFault | None = None
        self._use: JsonObject = {}
        self._cpu_s = 0.0
        self._user = worker_user(card.worker)
        self._folder = case_folder(context.workdir, self._user)
        self._log = context.workdir / f"{self._folder.name}.log"
        try:
            prepare_folder(self._folder, card, self._user)
            with worker_rules(card, context, self._folder, restricted=restricted) as rules:
                self._start(card, context, rules)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._open(card, context)

    @property
    def pid(self) -> int:
        """Process id of the supervisor."""
        return self._process.pid

    def call(self, op: str, args: JsonView) -> Any:
        """Send one request and wait for its reply.

        Raises:
            SystemFault: The system raised, crashed, hung or replied nonsense.
        """
        if self._fault is not None:
            raise SystemFault(self._fault.reason, f"the worker is gone: {self._fault.detail}")
        limit = TIMEOUT_OF.get(op, "other")
        timeout_s = self._environment.timeout_s.get(limit, TIMEOUT_S[limit])
        self._number += 1
        line = self._exchange(op, args, time.monotonic() + timeout_s, timeout_s)
        return self._result(op, line)

    def take_resources(self) -> JsonObject:
        """What was used since the last time."""
        cpu_s, self._cpu_s = self._cpu_s, 0.0
        return {**self._use, "cpu_s": cpu_s}

    def discard_resources(self) -> None:
        """What was used so far was start-up."""
        self._cpu_s = 0.0

    def close(self) -> None:
        """Close the system kindly, then end every process and remove every file, once.

        Raises:
            SystemFault: The system's own `close` failed; everything is gone all the same.
        """
        if self._life < 0:
            return
        try:
            self.call("close", {})
        finally:
            self._end()

    @contextmanager
    def exchange_folder(self, content: Path | None = None) -> Iterator[Path]:
        """A folder that both sides may use, with a copy of `content` in it, for one call."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            if content is not None:
                shutil.copytree(content, folder, dirs_exist_ok=True)
            if self._user is not None:
                hand_over(folder, self._user)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _start(self, card: SystemCard, context: SystemContext, rules: int | None) -> None:
        ours, theirs = socket.socketpair()
        life_read, life_write = os.pipe()
        user, python = self._user, landlock.python_of(card)
        config = {
            "code": str(self._folder / "code"),
            "cwd": str(self._folder / "work"),
            "folder": str(self._folder),
            "channel": theirs.fileno(),
            "life": life_read,
            "memory_bytes": self._environment.memory_mb * 2**20,
            "uid": user.pw_uid if user else None,
            "gid": user.pw_gid if user else None,
            "network": self._environment.network,
            "servers": self._environment.servers,
            "package": import_name(card),
            "path": [str(entry) for entry in landlock.search_path(card)],
            "rules": rules,
        }
        bootstrap = self._folder / "code/membench/adapters/environment/worker/bootstrap.py"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(python), "-s", "-P", "-X", "utf8", str(bootstrap), json.dumps(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder / "work",
                env=worker_variables(card, context, self._folder, python),
                pass_fds=[fd for fd in (theirs.fileno(), life_read, rules) if fd is not None],
                start_new_session=True,
            )
        theirs.close()
        os.close(life_read)
        self._channel, self._life = ours, life_write

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

    def _exchange(self, op: str, args: JsonView, deadline: float, timeout_s: float) -> bytes:
        request = json.dumps({"id": self._number, "op": op, "args": args}).encode() + b"\n"
        try:
            self._channel.settimeout(timeout_s)
            self._channel.sendall(request)
            return self._line(deadline)
        except TimeoutError:
            detail = f"{op} took more than {timeout_s:g} s"
            raise self._lost(SystemFault(Reason.SYSTEM_TIMEOUT, detail)) from None
        except (EOFError, OSError):
            raise self._lost(self._crash(op)) from None

    def _line(self, deadline: float) -> bytes:
        """Bytes up to the next newline.

        Raises:
            TimeoutError: The deadline passed.
            EOFError: The worker hung up.
        """
        while (end := self._buffer.find(b"\n")) < 0:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._channel], [], [], left)[0]:
                raise TimeoutError
            piece = self._channel.recv(1 << 20)
            if not piece:
                raise EOFError
            self._buffer += piece
        line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
        return line

    def _result(self, op: str, line: bytes) -> Any:
        try:
            reply = json.loads(line)
            mine, ok, use = reply["id"] == self._number, reply["ok"], reply["resources"]
        except (ValueError, KeyError, TypeError):
            mine = False
        if not mine:
            detail = f"{op}: the worker wrote something that is no reply"
            raise self._lost(SystemFault(Reason.SYSTEM_BAD_REPLY, detail))
        self._cpu_s += use.pop("cpu_s")
        self._use = {name: value for name, value in use.items() if value is not None}
        if not ok:
            raise SystemFault(named_reason(reply["reason"]), reply["error"])
        return reply["result"]

    def _lost(self, fault: SystemFault) -> SystemFault:
        """Remember why the worker is gone and end what is left of it."""
        self._fault = fault
        self._end()
        return fault

    def _crash(self, op: str) -> SystemFault:
        """Why the worker hung up, as far as its supervisor knows."""
        try:
            status = self._process.wait(timeout=GRACE_S + 5)
        except subprocess.TimeoutExpired:
            status = -signal.SIGKILL
        if status == MEMORY_EXIT:
            limit = self._environment.memory_mb
            return SystemFault(Reason.SYSTEM_MEMORY, f"{op} needed more than {limit} MB")
        how = signal.Signals(status - 128).name if status > 128 else f"status {status}"
        return SystemFault(
            Reason.SYSTEM_CRASH, f"{op}: the worker ended with {how}; {self._last_output()}"
        )

    def _last_output(self) -> str:
        """The last line of what the worker printed."""
        with suppress(OSError):
            tail = self._log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
            lines = [line for line in tail.splitlines() if line.strip()]
            if lines:
                return f"its last output: {lines[-1][:300]}"
        return "it printed nothing"

    def _end(self) -> None:
        """Let go of the supervisor, which ends everything; make sure that it did."""
        if self._life < 0:
            return
        self._channel.close()
        os.close(self._life)
        self._life = -1
        try:
            self._process.wait(timeout=GRACE_S + 5)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._log.unlink(missing_ok=True)


def named_reason(word: object) -> Reason:
    """The reason that a worker gives for a failure: the system's or a provider's, never ours."""
    given = [reason for reason in Reason if reason == word]
    foreign = ("system_", "provider_", "context_")
    return given[0] if given and given[0].startswith(foreign) else Reason.SYSTEM_ERROR


@contextmanager
def worker_rules(
    card: SystemCard, context: SystemContext, folder: Path, *, restricted: bool
) -> Iterator[int | None]:
    """Descriptor of the Landlock rules of a worker, None where it is not restricted.

    Raises:
        UsageError: This machine has no Landlock.
    """
    if not restricted:
        yield None
        return
    if missing := landlock.problem():
        raise UsageError(f"a worker cannot be isolated: {missing}", "Run with --isolation process.")
    with landlock.rules(card, context, folder) as made:
        yield made.fileno()
