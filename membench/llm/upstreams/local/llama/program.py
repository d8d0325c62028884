"""Runs a llama.cpp server program for `host`: starts it, waits until it answers, ends it."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing

from membench.domain.labels import JsonObject
from membench.llm.upstreams.local.entry import EXAMPLES

LOOPBACK = "127.0.0.1"
ASKED_S = 5.0
"""How long one question for its health may take."""

BETWEEN_S = 0.05
STATES = "/proc/self/fd/"
"""The folder for states of slots: files in memory that the server's process holds open."""

PR_SET_PDEATHSIG = 1


def follow_parent(parent: int) -> None:
    """Be killed when the thread that started this process ends; leave if it already has."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(1)


def command(given: JsonObject, port: int) -> Iterator[str]:
    """The command line for a file, slots, threads and a context; the key is not in it."""
    slots, threads = given["slots"], str(given["threads"])
    yield from (given["program"], "--model", given["file"], "--alias", given["name"])
    yield from ("--ctx-size", str(given["context_length"] * slots), "--parallel", str(slots))
    yield from ("--threads", threads, "--threads-batch", threads, "--jinja")
    if given["cache_prompt"] == EXAMPLES:
        yield from ("--slot-save-path", STATES)
    yield from ("--host", LOOPBACK, "--port", str(port), "--no-ui", "--no-slots")
    yield from ("--cache-ram", "0", "--fit", "off")
    yield "--cache-prompt" if given["cache_prompt"] is True else "--no-cache-prompt"
    if given["chat_template"]:
        yield from ("--chat-template", given["chat_template"])


def start(given: JsonObject, state: int | None) -> tuple[str, int]:
    """Start the program and wait until it has loaded the file.

    The process of the caller ends when the program does.

    Args:
        given: What it is started with.
        state: Descriptor of the file for the state of a slot, which the program inherits, if it
            keeps any.

    Returns:
        Address, and process id of the program.
    """
    port, own = free_port(), os.getpid()
    process = subprocess.Popen(
        tuple(command(given, port)),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        env=os.environ | {"LLAMA_API_KEY": given["key"]},
        pass_fds=() if state is None else (state,),
        preexec_fn=lambda: follow_parent(own),
    )
    threading.Thread(target=lambda: os._exit(process.wait() or 1), daemon=True).start()
    address = f"http://{LOOPBACK}:{port}"
    pause = threading.Event()
    while not is_ready(address):
        pause.wait(BETWEEN_S)
    return address, process.pid


def is_ready(address: str) -> bool:
    """Whether a server has loaded its file; it says 503 meanwhile."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{address}/health", timeout=ASKED_S) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
