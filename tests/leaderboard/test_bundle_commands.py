"""A bundle on the command line: read like a run, and never written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import typer

from membench.cli import app
from membench.domain.errors import RunStateError, UserError
from membench.experiments.compare import compare_with_first, headline
from membench.experiments.finished_run import load
from membench.leaderboard.store.finished_bundle import load_run

WRITING = {
    "score": ("score", "{}"),
    "judge": ("judge", "{}", "--judge", "scripted"),
    "read": ("read", "{}", "--reader", "extractive"),
    "resume": ("run", "--resume", "{}"),
    "submit": ("submit", "{}", "--to", "{}-board"),
    "submit for a pull request": ("submit", "{}", "--pr", "{}-request"),
    "remove": ("runs", "rm", "--yes", "{}"),
}


def membench(*words: str) -> None:
    """Do a command in this process, its errors as they are raised."""
    typer.main.get_command(app).main([*words], prog_name="membench", standalone_mode=False)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("words", WRITING.values(), ids=WRITING.keys())
def test_every_command_that_writes_into_a_run_refuses_a_bundle_and_changes_nothing(
    words: tuple[str, ...], copy: Path
) -> None:
    before = files(copy.parent)
    with pytest.raises(RunStateError, match="is a bundle"):
        membench(*(word.format(copy) for word in words))
    assert files(copy.parent) == before
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_a_question_of_a_bundle_cannot_be_shown_since_its_texts_are_not_there(copy: Path) -> None:
    with pytest.raises(RunStateError, match="is a bundle"):
        membench("show", str(copy), "sample-1/q0")


def test_a_bundle_compares_as_the_run_it_was_made_of(run_path: Path, honest: Path) -> None:
    of_run, of_bundle = load(run_path), load_run(honest)
    assert list(of_bundle.scores) == list(of_run.scores)
    assert {n: dict(by_case) for n, by_case in of_bundle.costs.items()} == {
        n: dict(by_case) for n, by_case in of_run.costs.items()
    }
    (found,) = compare_with_first([of_run, of_bundle], headline(of_run))
    assert {line.difference.value for line in found.metrics} == {0.0}


def test_compare_reads_bundles_and_runs_alike(
    run_path: Path, honest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    membench("compare", str(honest), str(run_path), "--json")
    (found,) = orjson.loads(capsys.readouterr().out)
    assert {line["ratio"]["value"] for line in found["costs"]} <= {1.0, None}


@pytest.mark.parametrize("form", ["run", "bundle"])
def test_a_report_is_made_of_a_run_or_of_a_bundle(
    form: str, run_path: Path, honest: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    membench("report", str(run_path if form == "run" else honest), "--html", str(page))
    assert "bm25 on locomo" in page.read_text()


def test_energy_of_a_bundle_is_shown(honest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    membench("energy", "show", str(honest))
    assert "total" in capsys.readouterr().out


def cut(path: Path) -> None:
    """Lose the end of a file."""
    path.write_bytes(path.read_bytes()[:-20])


def raised(path: Path) -> None:
    """A better figure."""
    path.write_bytes(path.read_bytes().replace(b'"value": 0.', b'"value": 0.9', 1))


ALTERED: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a figure": ("summary.json", raised),
    "a cut file": ("scores.jsonl.gz", cut),
    "a lost file": ("play.jsonl.gz", Path.unlink),
}


@pytest.mark.parametrize(("name", "change"), ALTERED.values(), ids=ALTERED.keys())
@pytest.mark.parametrize("command", ["compare", "report"])
def test_an_altered_bundle_is_refused_with_its_finding(
    command: str, name: str, change: Callable[[Path], None], copy: Path, honest: Path
) -> None:
    change(copy / name)
    rest = [str(honest)] if command == "compare" else ["--html", str(copy.parent / "page.html")]
    with pytest.raises(RunStateError, match=r"is refused: .*\[(checksums|wire)\."):
        membench(command, str(copy), *rest)


def test_a_run_that_is_not_there_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        membench("submit", str(tmp_path / "nosuch"), "--to", str(tmp_path / "board" / "deep"))
    assert list(tmp_path.iterdir()) == []
