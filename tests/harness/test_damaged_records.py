"""A record of the wrong shape is not there: the run plays the case again and comes to the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from membench.cli.output.summary import first_errors
from membench.experiments.finished_run import load
from membench.harness.run import resume, start
from membench.leaderboard.bundles.bundle import make_bundle, verdict_lines
from membench.records.attempts import JournalIndex, RawCaseRecords
from membench.records.shape import is_answer, is_play, is_text
from membench.records.spec import ExecOptions, RunSpec

pytestmark = pytest.mark.slow

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    spec = RunSpec("bm25", "locomo", split="sample", limit=1)
    return start(spec, ExecOptions(out=tmp_path_factory.mktemp("runs"), run_id="story")).run.path


def read(path: Path) -> Lines:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def change(name: str, how: Callable[[Lines], Any]) -> Callable[[Path], None]:
    """Change the lines of a journal."""

    def damage(run: Path) -> None:
        lines = read(run / name)
        how(lines)
        (run / name).write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))

    return damage


def recall(lines: Lines) -> dict[str, Any]:
    return next(line for line in lines if line["phase"] == "recall")


def damaged_texts(run: Path) -> None:
    (run / "texts.jsonl").write_bytes(b'{"n": 0}\nnull\n[1]\n')


DAMAGES: dict[str, Callable[[Path], None]] = {
    "a list for content": change("play.jsonl", lambda ls: recall(ls).update(content=[])),
    "words for an event": change("play.jsonl", lambda ls: recall(ls).update(event="3")),
    "no telemetry": change("play.jsonl", lambda ls: recall(ls).pop("telemetry")),
    "null for telemetry": change("play.jsonl", lambda ls: recall(ls).update(telemetry=None)),
    "a record of no case": change("play.jsonl", lambda ls: recall(ls).pop("case")),
    "a memory that is not there": change(
        "play.jsonl", lambda ls: recall(ls)["content"].update(memories=[99_999])
    ),
    "a text without a hash": change("texts.jsonl", lambda ls: ls[0].pop("sha256")),
    "no texts": lambda run: (run / "texts.jsonl").unlink(),
    "damaged texts": damaged_texts,
    "an answer without generations": change(
        "answers.jsonl", lambda ls: ls[0]["content"].update(answers=7)
    ),
    "a note of a list": change("play.jsonl", lambda ls: ls.append({"note": "close", "late": [7]})),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_run_is_gone_on_with_and_comes_to_the_same(
    damage: Callable[[Path], None], finished: Path, tmp_path: Path
) -> None:
    before = orjson.loads((finished / "summary.json").read_bytes())
    run = Path(shutil.copytree(finished, tmp_path / "story"))
    damage(run)
    after = resume(run, ExecOptions(out=run.parent)).summary
    assert after.complete
    assert after.content_sha256 == before["content_sha256"]
    assert after.to_json()["metrics"] == before["metrics"]


def test_who_reads_a_finished_run_passes_over_lines_of_another_shape(
    finished: Path, tmp_path: Path
) -> None:
    """Comparing it, saying what failed in it, and making a bundle of it."""
    run = Path(shutil.copytree(finished, tmp_path / "story"))
    (run / "verdicts" / "calibration").mkdir(parents=True)
    odd = [{}, {"case": read(run / "play.jsonl")[0]["case"]}, {"content": {"status": "failed"}}]
    odd += [{"telemetry": None}, {"content": []}, {"request": "r", "values": []}]
    judged = ("verdicts/odd.jsonl", "verdicts/calibration/odd.jsonl")
    for name in ("play.jsonl", "answers.jsonl", "reader_gate.jsonl", *judged):
        with (run / name).open("ab") as file:
            file.writelines(orjson.dumps(line) + b"\n" for line in odd)
    assert load(run).costs == load(finished).costs
    assert first_errors(run, ["provider_error"]) == []
    made, whole = make_bundle(run, tmp_path / "bundle"), make_bundle(finished, tmp_path / "whole")
    for name in ("play.jsonl.gz", "answers.jsonl.gz", "reader_gate.jsonl.gz"):
        assert (made.path / name).read_bytes() == (whole.path / name).read_bytes()
    for name in judged:
        assert list(verdict_lines(run / name)) == []


def test_what_a_finished_run_holds_has_the_shapes(finished: Path) -> None:
    played = [line for line in read(finished / "play.jsonl") if "note" not in line]
    assert all(map(is_play, played))
    assert all(map(is_answer, read(finished / "answers.jsonl")))
    assert all(map(is_text, read(finished / "texts.jsonl")))


@pytest.mark.parametrize("line", [{}, {"case": 1}, {"case": "c", "event": -1}, {"content": {}}])
def test_other_lines_have_none(line: dict[str, Any]) -> None:
    assert not any(shape(line) for shape in (is_play, is_answer, is_text))


def test_an_attempt_that_names_a_memory_without_a_text_is_no_attempt(finished: Path) -> None:
    play = finished / "play.jsonl"
    (case,) = {line["case"] for line in read(play) if "case" in line}
    lines = JournalIndex(play, is_play).lines(case)
    events = len(lines[1])
    assert RawCaseRecords(events, lines, {}, {}).load().attempt is None
    assert RawCaseRecords(events, lines, {}, {}).load(whole=False).attempt == 1


def test_a_run_that_is_gone_on_with_has_no_summary_until_it_ends(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from membench.domain.errors import Stopped
    from membench.harness import run as runs

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    run = Path(shutil.copytree(finished, tmp_path / "story"))
    monkeypatch.setattr(runs, "work", interrupted)
    with pytest.raises(Stopped):
        resume(run, ExecOptions(out=run.parent))
    assert not (run / "summary.json").exists()
