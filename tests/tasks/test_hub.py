"""Data on the hub: fetched at a commit, over real HTTP from a hub on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from membench.domain.errors import UsageError
from membench.tasks.find import find_source
from membench.tasks.hub import is_on_hub, parsed
from membench.tasks.registry import get_task

COMMIT = "7" * 40
TASK = get_task("memoryagentbench")


class Hub(ThreadingHTTPServer):
    """A hub with one dataset, `acme/memories`, at one commit."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """What `huggingface_hub` asks for: the list of files, and each file by its hash."""

    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(path)
        api, files = "/api/datasets/acme/memories", self.server.files
        if path == f"{api}/revision/{COMMIT}":
            siblings = [{"rfilename": name} for name in files]
            self.reply({"id": "acme/memories", "sha": COMMIT, "siblings": siblings})
        elif path.startswith(f"{api}/tree/{COMMIT}"):
            self.reply([self.entry(name) for name in files])
        elif (name := path.removeprefix(f"/datasets/acme/memories/resolve/{COMMIT}/")) in files:
            etag = hashlib.sha256(files[name]).hexdigest()
            self.send(200, files[name], {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
        else:
            self.send(404, b"", {"X-Error-Code": "RevisionNotFound"})

    def entry(self, name: str) -> dict[str, object]:
        content = self.server.files[name]
        digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        return {"type": "file", "path": name, "size": len(content), "oid": digest}

    def reply(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """With the sample as the table that `datasets` makes of it."""
    import datasets

    table = tmp_path / "table.parquet"
    datasets.Dataset.from_list(json.loads(TASK.sample().read_text())).to_parquet(table)
    files = {
        "data/Conflict_Resolution-00000-of-00001.parquet": table.read_bytes(),
        "data/Accurate_Retrieval-00000-of-00001.parquet": b"never fetched",
        "README.md": b"a card",
    }
    server = Hub(files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def command(hub: Hub, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf")}
    environment |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(
        [sys.executable, "-m", "membench", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        check=False,
    )


def run_of(split: str, data: str) -> list[str]:
    task = ["--task", "memoryagentbench", "--split", split, "--data", data]
    return ["run", "--system", "bm25", *task, "--energy", "none", "--json"]


@pytest.mark.slow
def test_a_run_takes_the_files_of_its_split_from_a_commit_and_fetches_them_once(
    hub: Hub, tmp_path: Path
) -> None:
    data = f"hub:acme/memories@{COMMIT}"
    done = command(hub, tmp_path, *run_of("conflict_resolution", data))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["questions"] > 0
    fetched = [path for path in hub.asked if "/resolve/" in path]
    assert fetched
    assert all("Conflict" in path for path in fetched)
    again = command(hub, tmp_path, *run_of("conflict_resolution", data))
    assert again.returncode == 0, again.stderr
    assert [path for path in hub.asked if "/resolve/" in path] == fetched


@pytest.mark.slow
def test_a_commit_that_is_not_there_is_refused_with_the_address(hub: Hub, tmp_path: Path) -> None:
    data = f"hub:acme/memories@{'8' * 40}"
    done = command(hub, tmp_path, *run_of("conflict_resolution", data))
    assert done.returncode == 2
    assert data in done.stderr and "cannot be fetched" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize(
    "address", ["hub:acme/memories", "hub:acme/memories@main", "hub:memories@" + COMMIT, "hub:"]
)
def test_an_address_without_a_commit_is_refused(address: str) -> None:
    assert is_on_hub(Path(address))
    with pytest.raises(UsageError, match="at a commit"):
        find_source(TASK, None, Path(address))


def test_an_address_is_parsed() -> None:
    assert parsed(Path(f"hub:acme/memories@{COMMIT}")) == ("acme/memories", COMMIT)
