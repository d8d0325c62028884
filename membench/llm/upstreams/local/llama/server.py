"""One llama.cpp server: a process that is started, watched and stopped."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import orjson

from membench.domain.errors import ProviderFault, Reason
from membench.llm import openai_protocol
from membench.llm.upstreams.base import Reply
from membench.llm.upstreams.http import HttpUpstream
from membench.llm.upstreams.local.entry import PromptCache
from membench.llm.upstreams.local.llama.cpu import CpuShares, process_cpu_s
from membench.llm.upstreams.local.llama.examples import ExampleState

LOAD_S = 600.0
"""Longest time that loading may take; large files are read from slow disks."""

STOP_S = 5.0
HOST = "membench.llm.upstreams.local.llama.host"


@dataclass(frozen=True)
class ServerSettings:
    """What one server is started with.

    Attributes:
        file: The GGUF file.
        name: Name of the model, as requests state it.
        context_length: Tokens of prompt and reply together, for each slot.
        slots: Requests it works on at once.
        threads: Threads that compute.
        cache_prompt: Whether a prompt's beginning is reused from the request before, or its
            examples from a state of their own.
        chat_template: A Jinja template; empty for the one inside the file.
        program: Path of a llama.cpp server program; empty for the package.
    """

    file: str
    name: str
    context_length: int
    slots: int = 1
    threads: int = 1
    cache_prompt: PromptCache = False
    chat_template: str = ""
    program: str = ""


class LlamaServer:
    """A server process, from `start` to `stop`.

    Args:
        settings: What it serves, and how.
        log: File for what the engine says; None drops it.
    """

    def __init__(self, settings: ServerSettings, log: Path | None = None) -> None:
        """Nothing is started."""
        self.settings = settings
        self.log = log
        self.starts = 0
        self.in_flight = 0
        self.load_cpu_s = 0.0
        self._process: asyncio.subprocess.Process | None = None
        self._pid: int | None = None
        self.http: HttpUpstream | None = None
        self._control: HttpUpstream | None = None
        self._examples: ExampleState | None = None
        self.cpu: CpuShares | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """Process id of what computes, None while nothing does."""
        return self._pid if self.alive else None

    async def start(self) -> None:
        """Start the process and wait until it answers.

        Raises:
            ProviderFault: It ended, or did not answer in time; says what the engine said last.
        """
        await self.stop()
        self.starts += 1
        key = secrets.token_hex(16)
        self._process = process = await self._spawn()
        given = {**asdict(self.settings), "key": key, "parent": os.getpid()}
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(orjson.dumps(given) + b"\n")
            async with asyncio.timeout(LOAD_S):
                line = await process.stdout.readline()
        except (OSError, TimeoutError):
            line = b""
        if not line:
            await self.stop()
            raise ProviderFault(
                Reason.PROVIDER_ERROR, f"the server did not start: {self.last_words()}"
            )
        said = orjson.loads(line)
        self._connect(said["address"], key, said["state"])
        self._pid = pid = int(said["pid"])
        self.cpu = CpuShares(lambda: process_cpu_s(pid))
        self.load_cpu_s += process_cpu_s(pid) or 0.0

    def _connect(self, address: str, key: str, state: int | None) -> None:
        """Say where requests go, and what holds the state after their examples."""
        self.http = HttpUpstream(f"{address}/v1", key, direct=True)
        if state is not None:
            self._control = HttpUpstream(address, key, direct=True)
            self._examples = ExampleState(self.http, self._control, str(state))

    async def send(self, endpoint: str, body: openai_protocol.Body) -> Reply:
        """Send a request to the process, which must have been started.

        Raises:
            ProviderFault: It died.
        """
        assert self.http is not None
        return await (self._examples or self.http).send(endpoint, body)

    async def _spawn(self) -> asyncio.subprocess.Process:
        """The process, out of reach of the terminal's Ctrl-C: the run ends it."""
        errors = self._errors()
        try:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", HOST),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors if errors is not None else asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            if errors is not None:
                errors.close()

    def _errors(self) -> IO[bytes] | None:
        """The log, opened to be continued."""
        if self.log is None:
            return None
        self.log.parent.mkdir(parents=True, exist_ok=True)
        return self.log.open("ab")

    async def stop(self) -> None:
        """End the process; kill it where it does not end. A second call does nothing."""
        process, self._process = self._process, None
        for connection in (self.http, self._control):
            if connection is not None:
                await connection.close()
        self.http = self._control = self._examples = None
        if process is None:
            return
        assert process.stdin is not None
        if process.returncode is None:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def last_words(self) -> str:
        """The first error in the log, which the others follow from, or its last line."""
        if self.log is None or not self.log.is_file():
            return "it keeps no log"
        lines = self.log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if "error" in line.lower() or "failed" in line.lower()]
        said = errors[0] if errors else (lines or ["it said nothing"])[-1]
        return " ".join(said.split())[:300]
