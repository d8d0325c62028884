"""A run is published under a card in its author's own words, not in those of the scaffold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from membench.adapters.registry import list_systems
from membench.adapters.scaffold import new_system
from membench.domain.errors import DataError
from membench.harness.run import start
from membench.leaderboard.submission.scaffold_text import TASK_FILE, scaffold_text
from membench.leaderboard.submission.submission import Submission, submit_pr, submit_to
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.registry import list_tasks
from membench.tasks.scaffold import new_task

TASKS = Path(__file__).parents[2] / "membench" / "tasks"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system as `membench new system` leaves it."""
    return new_system("fresh", tmp_path_factory.mktemp("systems"))


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of it."""
    options = ExecOptions(tmp_path_factory.mktemp("runs"), "fresh", isolation="in-process")
    return start(RunSpec(str(folder), "locomo", split="sample"), options).run.path


@pytest.mark.parametrize("submit", [submit_to, submit_pr])
def test_a_card_that_still_has_text_of_the_scaffold_is_refused_with_file_and_line(
    submit: Callable[[Path, Path], Submission], run: Path, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="Replace this sentence") as told:
        submit(run, tmp_path / "board")
    card = folder / "system.toml"
    number = int(told.value.place.removeprefix("line "))
    assert told.value.file == str(card)
    assert card.read_text().splitlines()[number - 1].startswith("summary =")
    assert list(tmp_path.iterdir()) == []


def test_once_the_sentence_is_replaced_the_same_run_is_taken(
    run: Path, folder: Path, tmp_path: Path
) -> None:
    card = folder / "system.toml"
    scaffolded = card.read_text()
    card.write_text(scaffolded.replace("Replace this sentence.", "It has no threshold."))
    try:
        assert submit_to(run, tmp_path / "board").verification.accepted
    finally:
        card.write_text(scaffolded)


def test_the_scaffold_of_a_task_is_known_by_its_paper(tmp_path: Path) -> None:
    (file,) = (made for made in new_task("fresh_task", tmp_path) if made.name == TASK_FILE)
    found = scaffold_text(file)
    assert found is not None
    assert "arXiv:0000.00000" in found[1]


def test_no_card_of_membench_has_text_of_the_scaffold() -> None:
    cards = [card.folder / "system.toml" for card in list_systems().values() if card.folder]
    files = [*cards, *(TASKS / name / TASK_FILE for name in list_tasks())]
    assert [file for file in files if file.is_file() and scaffold_text(file)] == []
