"""One real run of BM25 on our LoCoMo sample, and its bundle: the start of every story here."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from membench.harness.run import start
from membench.leaderboard.bundles.bundle import checksums, make_bundle
from membench.leaderboard.bundles.score_table import unpacked_rows
from membench.leaderboard.store.store import Store
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.boards import BoardPlan, write_store
from membench.testing.browsing import CHROMIUM_FLAGS

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="session")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out = tmp_path_factory.mktemp("runs")
    return start(
        RunSpec("bm25", "locomo", split="sample"), ExecOptions(out=out, run_id="story")
    ).run.path


@pytest.fixture(scope="session")
def honest(run_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle. Do not write into it: take a copy from `copy`."""
    return make_bundle(run_path, tmp_path_factory.mktemp("bundles") / "story").path


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one of the published rows of every task."""
    root = tmp_path_factory.mktemp("published")
    for task in {file.parents[1] for file in RESULTS.glob("*/*/manifest.json")}:
        row = min(task.iterdir())
        shutil.copytree(row, root / task.name / row.name)
    return root


@pytest.fixture(scope="session")
def twelve_runs(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Twelve made-up runs of four systems. Do not write into it."""
    root = tmp_path_factory.mktemp("twelve")
    write_store(root, BoardPlan(runs=12, questions=60, systems=4))
    return Store(root)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), headless=True, args=list(CHROMIUM_FLAGS)
        )
        yield made
        made.close()


@pytest.fixture
def copy(honest: Path, tmp_path: Path) -> Path:
    """A bundle to spoil."""
    return Path(shutil.copytree(honest, tmp_path / "story"))


class Spoil:
    """Changes files of a bundle and mends SHA256SUMS, as a determined stranger would."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def seal(self) -> None:
        files = {p.name: p.read_bytes() for p in self.path.iterdir() if p.name != "SHA256SUMS"}
        (self.path / "SHA256SUMS").write_bytes(checksums(files))

    def json(self, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
        value = json.loads((self.path / name).read_text())
        change(value)
        self.raw(name, json.dumps(value).encode())

    def lines(self, name: str, change: Callable[[list[dict[str, Any]]], Any]) -> None:
        """Change lines; those of scores as rows with their metrics named (schema 1)."""
        data = gzip.decompress((self.path / name).read_bytes())
        lines = [json.loads(line) for line in data.splitlines()]
        if name == "scores.jsonl.gz":
            lines = [asdict(row) for row in unpacked_rows(lines)]
        changed = change(lines)
        kept = changed if isinstance(changed, list) else lines
        self.gz(name, "".join(json.dumps(line) + "\n" for line in kept).encode())

    def table(self, change: Callable[[list[dict[str, Any]]], Any]) -> None:
        """Change the lines of scores as they are written (schema 2)."""
        data = gzip.decompress((self.path / "scores.jsonl.gz").read_bytes())
        lines = [json.loads(line) for line in data.splitlines()]
        change(lines)
        self.gz("scores.jsonl.gz", "".join(json.dumps(line) + "\n" for line in lines).encode())

    def text(self, name: str, old: str, new: str) -> None:
        path = self.path / name
        packed = name.endswith(".gz")
        data = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
        assert old.encode() in data, f"{old!r} is not in {name}"
        data = data.replace(old.encode(), new.encode("utf-8", "surrogatepass"), 1)
        self.gz(name, data) if packed else self.raw(name, data)

    def gz(self, name: str, data: bytes) -> None:
        self.raw(name, gzip.compress(data, 1, mtime=0))

    def raw(self, name: str, data: bytes) -> None:
        (self.path / name).write_bytes(data)
        self.seal()


@pytest.fixture
def spoil(copy: Path) -> Spoil:
    """The tools of a stranger."""
    return Spoil(copy)
