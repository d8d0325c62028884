"""Fork servers of a lane: processes that have imported a system's libraries and fork its workers.

A server plays one case at a time, since its folder stays at one place; a lane that has several
cases open at once has as many servers. Where copies of a server would not be clean
(`worker.fork_server` says when), it serves one case itself and is used up.
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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from membench.adapters.card import SystemCard
from membench.adapters.environment import landlock
from membench.adapters.environment.adapter_imports import imports_of
from membench.adapters.environment.keys import without_keys
from membench.adapters.environment.shared_core import SharedCore, computes_alone
from membench.adapters.environment.worker.supervisor import GRACE_S, MEMORY_EXIT
from membench.adapters.environment.worker_folder import (
    import_name,
    inner_folders,
    keep_imported_files,
    prepare_folder,
    renew_case_folder,
    server_folder,
    worker_user,
    worker_variables,
)
from membench.domain.errors import Reason, SystemFault, UsageError
from membench.domain.labels import JsonObject
from membench.domain.system import SystemContext

LOG_TAIL_BYTES = 2000
MESSAGE_BYTES = 4096
END_S = GRACE_S + 5
"""How long a server may take to end a case: what it asks to stop has `GRACE_S` of it."""


class ForkServer:
    """One server with its folder.

    Args:
        card: The system.
        context: As every system is given.
        timeout_s: Longest time that imports may take.
        home: Where its folder and its log are made.
        restricted: Whether Landlock restricts it.

    Attributes:
        user: Whom it runs as; None for ourselves.
        obstacle: Why it cannot fork and serves one case only; empty where it can.

    Raises:
        SystemFault: It did not come up.
        UsageError: Its environment is not installed or cannot be read by the user it runs as, or
            this machine has no Landlock.
    """

    def __init__(
        self,
        card: SystemCard,
        context: SystemContext,
        timeout_s: float,
        home: Path,
        *,
        restricted: bool,
    ) -> None:
        """Make the folder, start the process, import the libraries."""
        self._key = (card, context.models, context.seed, restricted)
        self._memory_mb = card.worker.memory_mb
        self._alive = True
        self._playing = False
        self._life = -1
        self.user: pwd.struct_passwd | None = worker_user(card.worker)
        self._folder = server_folder(home, self.user)
        self._log = home / f"{self._folder.name}.log"
        try:
            prepare_folder(self._folder, card, self.user)
            with worker_rules(card, context, self._folder, restricted=restricted) as rules:
                self._start(card, context, rules)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self.obstacle = self._await_imports(timeout_s)
        keep_imported_files(self._folder)
        self._laid_out = inner_folders(self._folder)

    @property
    def pid(self) -> int:
        """Process id of the supervisor."""
        return self._process.pid

    @property
    def case_folder(self) -> Path:
        """The folder in which its workers may write."""
        return self._folder / "case"

    def serves(self, card: SystemCard, context: SystemContext, *, restricted: bool) -> bool:
        """Whether its workers are what would be started for these."""
        return self._key == (card, context.models, context.seed, restricted)

    def fork(self, core: int | None = None) -> socket.socket:
        """Start a worker.

        Args:
            core: On which it shall run; None for any.

        Returns:
            The socket on which it answers calls.

        Raises:
            SystemFault: The server is gone.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                message = json.dumps({"core": core}).encode()
                socket.send_fds(self._control, [message], [theirs.fileno()])
            except OSError:
                ours.close()
                raise self.crash("open") from None
        self._playing = True
        return ours

    def crash(self, op: str) -> SystemFault:
        """Why a worker hung up, as far as the processes above it know."""
        status = self._case_status()
        if status is None:
            status = 128 + signal.SIGKILL
        if status == MEMORY_EXIT:
            return SystemFault(Reason.SYSTEM_MEMORY, f"{op} needed more than {self._memory_mb} MB")
        how = signal.Signals(status - 128).name if status > 128 else f"status {status}"
        return SystemFault(
            Reason.SYSTEM_CRASH, f"{op}: the worker ended with {how}; {self._last_output()}"
        )

    def end_case(self) -> bool:
        """End every process of the case and remove every file.

        Returns:
            Whether another case can be played.
        """
        if self._playing and self._alive:
            with suppress(OSError):
                self._control.send(b"e")
            self._case_status()
        if not self._alive or self.obstacle:
            return False
        if not renew_case_folder(self._folder, self.user, self._laid_out):
            return False
        self._laid_out = inner_folders(self._folder)
        os.truncate(self._log, 0)
        return True

    def close(self) -> None:
        """Let go of the supervisor, which ends everything; make sure that it did."""
        if self._life < 0:
            return
        self._alive = False
        self._control.close()
        os.close(self._life)
        self._life = -1
        try:
            self._process.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._log.unlink(missing_ok=True)

    def _start(self, card: SystemCard, context: SystemContext, rules: int | None) -> None:
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        life_read, life_write = os.pipe()
        python = landlock.python_of(card)
        config = {
            **self._settings(card, context),
            "control": theirs.fileno(),
            "life": life_read,
            "rules": rules,
        }
        bootstrap = self._folder / "code/membench/adapters/environment/worker/bootstrap.py"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(python), "-s", "-P", "-X", "utf8", str(bootstrap), json.dumps(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.case_folder / "work",
                env=worker_variables(card, context, self._folder, python),
                pass_fds=[fd for fd in (theirs.fileno(), life_read, rules) if fd is not None],
                start_new_session=True,
            )
        theirs.close()
        os.close(life_read)
        self._control, self._life = ours, life_write

    def _settings(self, card: SystemCard, context: SystemContext) -> JsonObject:
        """What the other side is told, but for the numbers of its descriptors."""
        limits = card.worker
        return {
            "code": str(self._folder / "code"),
            "cwd": str(self.case_folder / "work"),
            "folder": str(self._folder),
            "memory_bytes": limits.memory_mb * 2**20,
            "uid": self.user.pw_uid if self.user else None,
            "gid": self.user.pw_gid if self.user else None,
            "network": limits.network,
            "servers": limits.servers,
            "package": import_name(card),
            "path": [str(entry) for entry in landlock.search_path(card)],
            "imports": imports_of(card),
            "seed": context.seed,
        }

    def _await_imports(self, timeout_s: float) -> str:
        """Wait until the libraries are imported; what keeps the server from forking."""
        message = self._message(timeout_s)
        if message:
            return str(json.loads(message)["obstacle"])
        late = SystemFault(Reason.SYSTEM_TIMEOUT, f"open took more than {timeout_s:g} s")
        fault = late if message is None else self.crash("open")
        self.close()
        raise fault

    def _case_status(self) -> int | None:
        """Wait until every process of the case has ended.

        Returns:
            The worker's exit status; None where it is not known, and the server no longer used.
        """
        self._playing = False
        if not self._alive:
            return self._process.poll()
        message = self._message(END_S)
        if message:
            return int(json.loads(message)["status"])
        self._alive = False
        try:
            return None if message is None else self._process.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            return None

    def _message(self, timeout_s: float) -> bytes | None:
        """What the server says next: nothing if it has ended, None if it does not in time."""
        if not select.select([self._control], [], [], timeout_s)[0]:
            return None
        try:
            return self._control.recv(MESSAGE_BYTES)
        except ConnectionResetError:
            return b""

    def _last_output(self) -> str:
        """The last line of what the worker printed."""
        with suppress(OSError):
            tail = self._log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
            lines = [line for line in tail.splitlines() if line.strip()]
            if lines:
                return f"its last output: {without_keys(lines[-1], self._key[0])[:300]}"
        return "it printed nothing"


class ForkServers:
    """The servers of a lane.

    Args:
        home: A folder that is there as long as they are.

    Attributes:
        obstacles: Why servers could not fork, each once: every case had a new process then.
    """

    def __init__(self, home: Path) -> None:
        """None is started before the first case."""
        self._home = home
        self.obstacles: list[str] = []
        self._idle: list[ForkServer] = []
        self._busy: list[ForkServer] = []
        self._core = SharedCore()

    def take(
        self, card: SystemCard, context: SystemContext, timeout_s: float, *, restricted: bool
    ) -> ForkServer:
        """A server for one case: one that has played another, or a new one.

        Raises:
            SystemFault: It did not come up.
            UsageError: See `ForkServer`.
        """
        fitting = [s for s in self._idle if s.serves(card, context, restricted=restricted)]
        server = fitting[0] if fitting else None
        if server is None:
            server = ForkServer(card, context, timeout_s, self._home, restricted=restricted)
            if server.obstacle and server.obstacle not in self.obstacles:
                self.obstacles.append(server.obstacle)
        else:
            self._idle.remove(server)
        self._busy.append(server)
        return server

    def core_for(self, card: SystemCard) -> int | None:
        """The core on which the lane and a worker of this system take turns; None for any."""
        if computes_alone(card):
            self._core.hold()
            return self._core.number
        return None

    def put_back(self, server: ForkServer) -> None:
        """End the case that a server plays; it plays the next one if it can."""
        if server not in self._busy:
            return
        self._busy.remove(server)
        if not self._busy:
            self._core.release()
        if server.end_case():
            self._idle.append(server)
        else:
            server.close()

    def close(self) -> None:
        """End all of them."""
        for server in [*self._busy, *self._idle]:
            server.close()
        self._busy.clear()
        self._idle.clear()
        self._core.release()


@contextmanager
def worker_rules(
    card: SystemCard, context: SystemContext, folder: Path, *, restricted: bool
) -> Iterator[int | None]:
    """Descriptor of the Landlock rules of a server, None where it is not restricted.

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
