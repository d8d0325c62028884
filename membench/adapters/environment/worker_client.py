"""A memory system whose code runs in another environment, as the lane sees it.

Every case gets a process of its own with its own home, working and temporary folder: `reset` after
something was stored starts another. What goes wrong over there is a `SystemFault` with the reason
of the failure vocabulary; a worker that crashed, hung or talked nonsense is gone, and every later
call says so.
"""

from __future__ import annotations

import json
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from membench.adapters.card import METHODS, EnvironmentCard, SystemCard
from membench.adapters.environment import environments
from membench.adapters.environment.worker import messages
from membench.adapters.environment.worker.supervisor import GRACE_S, MEMORY_EXIT
from membench.adapters.parts.budget import cut
from membench.domain.answer import Answer
from membench.domain.case import CaseInfo, Feedback, Item, Session
from membench.domain.errors import Reason, SystemFault, UsageError
from membench.domain.labels import JsonObject, JsonView
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

T = TypeVar("T")
PACKAGE = Path(__file__).parents[2]
EXPOSED = ("labels", "case", "system", "answer")
"""Modules of `membench.domain` that a worker may see; never `score`, which holds gold."""
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
UNPRIVILEGED_USER = "nobody"
LOG_TAIL_BYTES = 2000
TELEMETRY_OFF: Mapping[str, str] = {
    "MEM0_TELEMETRY": "False",
    "GRAPHITI_TELEMETRY_ENABLED": "false",
    "TELEMETRY_DISABLED": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}
"""What keeps packages from calling home."""
INHERITED_ENV = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
)
"""All that a worker inherits of our environment variables."""


class WorkerSystem:
    """A `MemorySystem` in a worker.

    Args:
        card: The system; its environment must be installed.
        context: As every system is given.

    Raises:
        UsageError: The environment is not there, or a model that the card names is missing.
        SystemFault: The worker did not come up.
    """

    def __init__(self, card: SystemCard, context: SystemContext) -> None:
        """Start the worker: import and construction happen before any meter runs."""
        missing = [role for role in card.roles if role not in context.models]
        if missing:
            raise UsageError(
                f"system '{card.name}' needs a model for: {', '.join(missing)}",
                "Name one with --memory-model and --embedder.",
            )
        self._card = card
        self._context = context
        self._optional: dict[str, Callable[..., Any]] = {
            method: getattr(self, f"_{method}")
            for capability in card.capabilities & METHODS.keys()
            for method in METHODS[capability]
        }
        self._used = False
        self._worker = WorkerProcess(card, context)

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
            self._worker = WorkerProcess(self._card, self._context)
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
        self._call("snapshot", folder=str(folder))

    def _restore(self, folder: Path) -> None:
        self._call("restore", folder=str(folder))

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

    Raises:
        SystemFault: It did not come up.
        UsageError: Its environment is not installed or cannot be read by the user it runs as.
    """

    def __init__(self, card: SystemCard, context: SystemContext) -> None:
        """Make the folder, start the process, import the adapter."""
        assert card.environment is not None
        self._environment: EnvironmentCard = card.environment
        self._number = 0
        self._buffer = b""
        self._fault: SystemFault | None = None
        self._use: JsonObject = {}
        self._cpu_s = 0.0
        python = environments.python_of(card)
        self._user = worker_user(card.environment)
        self._folder = case_folder(context.workdir, self._user)
        self._log = context.workdir / f"{self._folder.name}.log"
        try:
            prepare_folder(self._folder, card, self._user)
            self._start(python, context.seed)
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

    def _start(self, python: Path, seed: int) -> None:
        ours, theirs = socket.socketpair()
        life_read, life_write = os.pipe()
        user = self._user
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
        }
        bootstrap = self._folder / "code/membench/adapters/environment/worker/bootstrap.py"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(python), "-s", "-P", "-X", "utf8", str(bootstrap), json.dumps(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder / "work",
                env=worker_variables(self._folder, python, seed),
                pass_fds=(theirs.fileno(), life_read),
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
            raise SystemFault(Reason(reply["reason"]), reply["error"])
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


def worker_user(environment: EnvironmentCard) -> pwd.struct_passwd | None:
    """Whom a worker runs as; None for ourselves."""
    if not environment.unprivileged or os.geteuid() != 0:
        return None
    return pwd.getpwnam(UNPRIVILEGED_USER)


def case_folder(workdir: Path, user: pwd.struct_passwd | None) -> Path:
    """A new folder for one case, where the worker's user can reach it."""
    if user is None:
        return Path(tempfile.mkdtemp(prefix="case-", dir=workdir)).resolve()
    return Path(tempfile.mkdtemp(prefix="membench-case-")).resolve()


def prepare_folder(folder: Path, card: SystemCard, user: pwd.struct_passwd | None) -> None:
    """Lay out a case's folder: home, work, tmp, store, and the code that the worker may see."""
    for name in ("home", "work", "tmp", "store"):
        (folder / name).mkdir()
    expose(card.folder, folder / "code")
    if user is not None:
        shutil.copytree(PACKAGE / "tokens" / "cache", folder / "code" / "tiktoken")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)


def expose(system: Path, code: Path) -> None:
    """Copy what an adapter may import of membench, and its own folder, to `code`."""
    package = code / "membench"
    for inner in ("", "domain", "adapters", "adapters/environment", "adapters/system"):
        (package / inner).mkdir(parents=True, exist_ok=True)
        (package / inner / "__init__.py").touch()
    for name in EXPOSED:
        shutil.copy(PACKAGE / "domain" / f"{name}.py", package / "domain")
    ignored = shutil.ignore_patterns("__pycache__", "*.lock", "README.md")
    worker = Path("adapters", "environment", "worker")
    shutil.copytree(PACKAGE / worker, package / worker, ignore=ignored)
    shutil.copytree(system, package / "adapters/system", ignore=ignored, dirs_exist_ok=True)


def worker_variables(folder: Path, python: Path, seed: int) -> dict[str, str]:
    """The environment variables of a worker: made, not inherited."""
    copied = folder / "code" / "tiktoken"
    tokens = copied if copied.is_dir() else PACKAGE / "tokens" / "cache"
    home = str(folder / "home")
    return {
        **{name: os.environ[name] for name in INHERITED_ENV if name in os.environ},
        **TELEMETRY_OFF,
        "PATH": os.pathsep.join([str(python.parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": home,
        "TMPDIR": str(folder / "tmp"),
        "XDG_CACHE_HOME": f"{home}/.cache",
        "XDG_CONFIG_HOME": f"{home}/.config",
        "XDG_DATA_HOME": f"{home}/.local/share",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": str(seed % 2**32),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TIKTOKEN_CACHE_DIR": str(tokens),
        "DATA_GYM_CACHE_DIR": str(tokens),
    }
