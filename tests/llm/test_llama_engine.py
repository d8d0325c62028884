"""What runs GGUF files: the package, or a llama.cpp server program that the environment names."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from membench.domain.errors import ProviderFault, UsageError
from membench.llm import openai_protocol
from membench.llm.config import ModelSpec
from membench.llm.upstreams.local.llama.engine import PACKAGE, VARIABLE, Engine, find_engine
from membench.llm.upstreams.local.llama.program import command
from membench.llm.upstreams.local.llama.server import LlamaServer, ServerSettings
from membench.llm.upstreams.local.registry import get_local

PROGRAM = """#!{python}
# Speaks as much of llama.cpp's server as is tested here: loads (503), then answers who has the key.
import http.server, json, os, sys
if "--version" in sys.argv:
    print("version: 11434 (1a2b3c4)\\nbuilt with a compiler", file=sys.stderr)
    sys.exit(0)
options = dict(zip(sys.argv[1:], sys.argv[2:]))
if options["--model"].endswith("broken"):
    sys.exit("error: failed to load the model")
asked = []

class Handler(http.server.BaseHTTPRequestHandler):
    def reply(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        asked.append(self.path)
        self.reply(503 if len(asked) < 3 else 200, dict(status="loading"))
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        known = self.headers["Authorization"] == "Bearer " + os.environ["LLAMA_API_KEY"]
        self.reply(200 if known else 401, dict(argv=sys.argv, pid=os.getpid()))
    def log_message(self, *given):
        print("request", file=sys.stderr)

http.server.HTTPServer(("127.0.0.1", int(options["--port"])), Handler).serve_forever()
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that answers as a llama.cpp server does."""
    path = tmp_path / "llama-server"
    path.write_text(PROGRAM.format(python=sys.executable))
    path.chmod(0o755)
    return path


@pytest.fixture
def settings(program: Path) -> ServerSettings:
    """A file served by the program."""
    return ServerSettings("model.gguf", "tiny", 512, slots=2, program=str(program))


def test_the_program_that_the_environment_names_comes_before_the_package(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(program))
    assert find_engine() == Engine("llama-server 11434 (1a2b3c4)", str(program))
    monkeypatch.setenv(VARIABLE, "llama-server")
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    assert find_engine() == Engine("llama-server 11434 (1a2b3c4)", str(program))
    monkeypatch.delenv(VARIABLE)
    found = find_engine()
    assert found is None or (found.title.startswith(f"{PACKAGE} ") and not found.program)


def test_it_is_part_of_what_a_comparison_key_says(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(program))
    model, spec = get_local("smollm2"), ModelSpec("smollm2")
    assert model.identity(spec)["engine"] == "llama-server 11434 (1a2b3c4)"


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("/nowhere/llama-server", "'/nowhere/llama-server' is no program that can be started"),
        ("true", "'true' does not state a version as llama.cpp's server does"),
    ],
)
def test_something_else_is_refused_by_its_name(
    named: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, named)
    with pytest.raises(UsageError, match=message):
        get_local("smollm2").install(print)


def test_it_is_started_waited_for_asked_and_ended(settings: ServerSettings, tmp_path: Path) -> None:
    async def use() -> tuple[dict[str, object], int | None, bool]:
        server = LlamaServer(settings, tmp_path / "server.log")
        try:
            await server.start()
            assert server.http is not None and server.cpu is not None
            reply = await server.http.send(openai_protocol.CHAT, {"model": "tiny"})
            assert reply.status == 200
            pid = server.pid
        finally:
            await server.stop()
        return orjson.loads(reply.body), pid, server.alive

    said, pid, alive = asyncio.run(use())
    assert said["pid"] == pid and not alive
    argv = said["argv"]
    assert isinstance(argv, list)
    assert argv[1:5] == ["--model", "model.gguf", "--alias", "tiny"]
    assert argv[5:9] == ["--ctx-size", "1024", "--parallel", "2"]
    assert "--no-cache-prompt" in argv and "127.0.0.1" in argv
    assert not any("key" in word for word in argv)
    assert "request" in (tmp_path / "server.log").read_text()


def test_one_that_dies_takes_its_host_along(settings: ServerSettings) -> None:
    async def use() -> bool:
        server = LlamaServer(settings)
        try:
            await server.start()
            assert server.pid is not None and server._process is not None
            os.kill(server.pid, signal.SIGKILL)
            async with asyncio.timeout(60):
                await server._process.wait()
            return server.alive
        finally:
            await server.stop()

    assert not asyncio.run(use())


def test_one_that_cannot_load_says_why(settings: ServerSettings, tmp_path: Path) -> None:
    server = LlamaServer(replace(settings, file="broken"), tmp_path / "server.log")
    with pytest.raises(ProviderFault, match="failed to load the model"):
        asyncio.run(server.start())


def test_a_cache_and_a_template_are_asked_for_by_name() -> None:
    given = {
        "program": "p",
        "file": "f",
        "name": "n",
        "context_length": 8,
        "slots": 1,
        "threads": 3,
        "cache_prompt": True,
        "chat_template": "{{ messages }}",
    }
    words = list(command(given, 1))
    assert "--cache-prompt" in words and words[-2:] == ["--chat-template", "{{ messages }}"]
    assert words[words.index("--threads-batch") + 1] == "3"
