"""A system that rewrites what it stored is judged by what remains, in a run and in its bundle."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from membench.harness.run import start
from membench.leaderboard.bundles import layout
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.validation import verify
from membench.records.journal import read_lines
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import metrics_from_json
from tests.leaderboard.conftest import Spoil

pytestmark = pytest.mark.slow

CARD = """
name = "rewriter"
title = "One memory per session"
summary = "Adds a draft, updates it under its id, adds a mistake and deletes it."
version = "1"
licence = "Apache-2.0"
fidelity = "control"
granularity = "session"
time = "not kept"
replay = "exact"
capabilities = []
entry = "adapter:Rewriter"
"""

ADAPTER = """
import uuid
from membench.domain.system import Memory, MemoryChange

class Rewriter:
    def __init__(self, context):
        self.kept = []

    def reset(self, case):
        self.kept = []

    def ingest(self, session):
        kept, wrong = str(uuid.uuid4()), str(uuid.uuid4())
        text = "\\n".join(turn.text for turn in session.turns)
        sources = tuple(turn.id for turn in session.turns)
        self.kept.append(Memory(text, sources, id=kept))
        return [
            MemoryChange("add", Memory("a draft", id=kept)),
            MemoryChange("update", self.kept[-1]),
            MemoryChange("add", Memory("a mistake", id=wrong)),
            MemoryChange("delete", Memory("a mistake", id=wrong)),
        ]

    def recall(self, query):
        return self.kept[: query.k]

    def close(self):
        pass
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> RunSpec:
    """The system on our HaluMem sample, with a judge."""
    folder = tmp_path_factory.mktemp("rewriter")
    (folder / "system.toml").write_text(CARD)
    (folder / "adapter.py").write_text(ADAPTER)
    return RunSpec(str(folder), "halumem", split="sample", judge="scripted")


@pytest.fixture(scope="module")
def rewriter(spec: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run of it."""
    return start(spec, ExecOptions(out=tmp_path_factory.mktemp("runs"), run_id="rewriter")).run


@pytest.fixture(scope="module")
def bundle(rewriter: RunDir, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle."""
    return make_bundle(rewriter.path, tmp_path_factory.mktemp("bundles") / "rewriter").path


def sessions(run: RunDir) -> list[dict[str, Any]]:
    """The changes of every session."""
    lines = [line for line in read_lines(run.play) if line.get("phase") == "ingest"]
    return [line["content"]["changes"] for line in lines]


def test_only_what_remains_of_a_session_is_counted_and_judged(rewriter: RunDir) -> None:
    metric = rewriter.summary().metrics["extraction.memories_per_session"]
    assert (metric.value, metric.n) == (1.0, 6)
    (file,) = rewriter.verdicts.glob("*.jsonl")
    kinds = Counter(line["request"].split(":")[1] for line in read_lines(file))
    assert kinds["accuracy"] == 6


def test_ids_are_numbers_in_order_of_first_appearance(rewriter: RunDir) -> None:
    first, second, *_ = sessions(rewriter)
    assert [(c["kind"], c["id"]) for c in first] == [
        ("add", 0),
        ("update", 0),
        ("add", 1),
        ("delete", 1),
    ]
    assert {change["id"] for change in second} <= {0, 1, 2, 3}


def test_ids_drawn_at_random_give_equal_content(
    spec: RunSpec, rewriter: RunDir, tmp_path: Path
) -> None:
    again = start(spec, ExecOptions(out=tmp_path, run_id="again", concurrency=2)).run
    assert again.summary().content_sha256 == rewriter.summary().content_sha256


def test_a_bundle_of_it_comes_to_the_same_figures(rewriter: RunDir, bundle: Path) -> None:
    result = verify(bundle)
    assert result.accepted, [str(finding) for finding in result.findings]
    assert metrics_from_json(result.summary["metrics"]) == rewriter.summary().metrics
    assert result.origins["extraction.memories_per_session"] == "re-scored"


def test_a_bundle_without_the_ids_does_not(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "bundle"))

    def without_ids(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            for change in line["content"].get("changes") or ():
                del change["id"]

    Spoil(copy).lines(layout.PLAY, without_ids)
    rules = {finding.rule for finding in verify(copy).findings}
    assert rules == {"rescore.score", "rescore.metric", "rescore.content"}


@pytest.mark.parametrize("number", [5, 10**14])
def test_ids_that_skip_a_number_are_refused(number: int, bundle: Path, tmp_path: Path) -> None:
    """A number of free choice would be room for what no schema names."""
    copy = Path(shutil.copytree(bundle, tmp_path / "bundle"))

    def renumbered(lines: list[dict[str, Any]]) -> None:
        changes = next(c for line in lines if (c := line["content"].get("changes")))
        changes[0]["id"] = number

    Spoil(copy).lines(layout.PLAY, renumbered)
    (finding,) = verify(copy).findings
    assert finding.rule == "rescore.memory"
    assert f"id {number}" in finding.problem


def test_no_id_of_the_system_is_in_the_records(rewriter: RunDir) -> None:
    known = {"kind", "n", "id"}
    assert all(set(change) == known for event in sessions(rewriter) for change in event)
    assert json.dumps(sessions(rewriter)).count("-") == 0
