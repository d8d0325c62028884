"""Readers are found by name: folders of ours, entry points of others, models by any other name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from membench.domain.errors import UsageError
from membench.harness.divisions import division_of
from membench.readers.refuse.reader import RefuseReader
from membench.readers.registry import (
    choose_reader,
    folder_names,
    get_reader,
    list_readers,
    local_reader,
    reads_nothing,
)
from membench.records.spec import RunSpec

PLUGIN = """
from membench.domain.answer import Answer, Generated
from membench.readers.card import ReaderCard
from membench.readers.llm.reader import LlmReader


class Parrot:
    def answer(self, given, turns):
        text = given.question
        return Answer(text=text, parts=(Generated(text),))


PARROT = ReaderCard("parrot", "local", "Repeats the question.", Parrot)
NOTES = ReaderCard("notes", "model", "Takes notes first.", LlmReader, prompt="Notes: {question}")
"""
POINTS = (
    "[membench.readers]\nparrot = parrots:PARROT\nnotes = parrots:NOTES\nbroken = parrots:Parrot\n"
)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution with readers, installed for this process and those below it."""
    info = tmp_path / "site" / "parrots-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parrots\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    (tmp_path / "site" / "parrots.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "parrots", raising=False)
    return tmp_path / "site"


def run(site: Path, cwd: Path, *more: str) -> subprocess.CompletedProcess[str]:
    given = ["--system", "bm25", "--task", "locomo", "--split", "sample", "--limit", "1", "--json"]
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-m", "membench", "run", *given, *more],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{site}"},
        capture_output=True,
        text=True,
        check=False,
    )


def answers(cwd: Path) -> list[dict[str, Any]]:
    (file,) = cwd.glob("runs/*/answers.jsonl")
    lines = map(json.loads, file.read_text().splitlines())
    return [answer for line in lines for answer in line["content"]["answers"]]


def test_every_folder_with_a_reader_is_registered_under_its_own_name() -> None:
    assert {"extractive", "refuse", "system", "none", "llm"} <= set(list_readers())


def test_a_folder_without_a_reader_is_none(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert folder_names(tmp_path) == []
    (tmp_path / "mine" / "reader.py").touch()
    assert folder_names(tmp_path) == ["mine"]


@pytest.mark.parametrize(
    ("spec", "kind", "model"),
    [
        ("extractive", "local", None),
        ("system", "system", None),
        ("openai/gpt-4o-mini", "model", "openai/gpt-4o-mini"),
        ("ollama/llama3:8b", "model", "ollama/llama3:8b"),
        ("gguf:/some/file", "model", "gguf:/some/file"),
        ("llm:openai/gpt-4o", "model", "openai/gpt-4o"),
    ],
)
def test_a_name_is_a_reader_and_any_other_is_a_model(
    spec: str, kind: str, model: str | None
) -> None:
    choice = choose_reader(spec)
    assert (choice.card.kind, choice.model) == (kind, model)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("llm", "Write --reader llm:MODEL"),
        ("extractive:gpt", "takes no model"),
    ],
)
def test_what_cannot_read_is_refused_with_what_to_write(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        choose_reader(spec)


def test_a_system_that_answers_itself_has_no_local_reader() -> None:
    assert local_reader("system") is None
    assert isinstance(local_reader("refuse"), RefuseReader)


@pytest.mark.usefixtures("plugin")
def test_a_reader_of_another_distribution_is_found_by_its_entry_point() -> None:
    assert get_reader("parrot").summary == "Repeats the question."
    assert choose_reader("notes:openai/gpt-4o").model == "openai/gpt-4o"
    assert division_of(RunSpec("bm25", "locomo", reader="parrot")) == "offline"
    assert division_of(RunSpec("bm25", "locomo", reader="notes:x")) == "open"


@pytest.mark.usefixtures("plugin")
def test_what_is_registered_and_is_no_reader_is_said_to_be_none() -> None:
    with pytest.raises(UsageError, match="is no ReaderCard of that name"):
        get_reader("broken")


@pytest.mark.slow
def test_a_run_reads_with_a_local_reader_of_another_distribution(
    plugin: Path, tmp_path: Path
) -> None:
    done = run(plugin, tmp_path, "--reader", "parrot")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["comparison_key"]["reader"] == "parrot"
    assert all(answer["parts"][0]["generated"].endswith("?") for answer in answers(tmp_path))


@pytest.mark.slow
def test_a_run_with_a_reader_that_has_its_own_prompt_publishes_that_prompts_hash(
    plugin: Path, tmp_path: Path
) -> None:
    ours, own = tmp_path / "ours", tmp_path / "own"
    for folder, reader in ((ours, "scripted"), (own, "notes:scripted")):
        folder.mkdir()
        done = run(plugin, folder, "--reader", reader)
        assert done.returncode == 0, done.stderr
    keys = [
        json.loads(file.read_text())["comparison_key"]
        for folder in (ours, own)
        for file in folder.glob("runs/*/manifest.json")
    ]
    assert [key["reader"] for key in keys] == ["scripted", "notes:scripted"]
    assert keys[0]["answer_prompt_sha256"] != keys[1]["answer_prompt_sha256"]


def test_a_run_without_a_reader_reads_nothing() -> None:
    assert reads_nothing("none")
    assert not reads_nothing("refuse")
    assert local_reader("none") is None
    assert division_of(RunSpec("bm25", "locomo", reader="none")) == "offline"
