"""An agent behind a command: a JSON line with a conversation in, a JSON line with its reply out."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from membench.domain.errors import Reason, SystemFault, UsageError

PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""Variables the command is given; none that holds a key."""
PATIENCE_S = 5.0
"""How long it may take to end once its input is closed."""


class CommandAgent:
    """A process for one case, in an empty folder that is also its HOME."""

    def __init__(self, command: str, workdir: Path, timeout_s: float) -> None:
        """Start it.

        Raises:
            UsageError: There is no such program.
        """
        home = Path(tempfile.mkdtemp(prefix="agent-", dir=workdir))
        variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        try:
            self.process = subprocess.Popen(
                shlex.split(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=home,
                env={**variables, "HOME": str(home)},
            )
        except (OSError, ValueError) as error:
            raise UsageError(f"--set command={command}: {error}") from None
        self.timeout_s = timeout_s
        self.rest = b""

    def say(self, user: str, messages: Sequence[Mapping[str, str]]) -> str:
        """The agent's reply.

        Raises:
            SystemFault: It ended, took too long, or its line is no reply.
        """
        assert self.process.stdin is not None
        line = json.dumps({"user": user, "messages": list(messages)}).encode() + b"\n"
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except OSError as error:
            raise SystemFault(Reason.SYSTEM_CRASH, "the command has ended") from error
        try:
            text = json.loads(self._line())["content"]
        except (ValueError, LookupError, TypeError) as error:
            raise SystemFault(Reason.SYSTEM_BAD_REPLY, "not a JSON line with content") from error
        if not isinstance(text, str):
            raise SystemFault(Reason.SYSTEM_BAD_REPLY, "content is no text")
        return text

    def close(self) -> None:
        """Close its input and wait for its end, then make an end of it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def _line(self) -> bytes:
        """The next line that it writes."""
        assert self.process.stdout is not None
        out, deadline = self.process.stdout.fileno(), time.monotonic() + self.timeout_s
        while b"\n" not in self.rest:
            ready, _, _ = select.select([out], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                detail = f"no reply in {self.timeout_s:g} s"
                raise SystemFault(Reason.SYSTEM_TIMEOUT, detail)
            piece = os.read(out, 65536)
            if not piece:
                raise SystemFault(Reason.SYSTEM_CRASH, "the command has ended")
            self.rest += piece
        line, _, self.rest = self.rest.partition(b"\n")
        return line
