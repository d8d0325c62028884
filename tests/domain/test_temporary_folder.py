"""Temporary folders go with their process, or with the next one when it was killed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import orjson
import pytest

from membench.adapters.isolation import IsolationChoice
from membench.domain.temporary_folder import OWNER, PREFIX, UNLOCKED_S, TemporaryFolder, sweep
from membench.harness.run import start
from membench.records.spec import ExecOptions, RunSpec

FILES = str(Path(__file__).parents[1] / "harness" / "systems" / "files")
"""Recalls how many stores there are in the lane's folder."""


def left_behind(root: Path, name: str = "dead") -> Path:
    """The folder of a lane that was killed."""
    folder = root / f"{PREFIX}{name}"
    folder.mkdir()
    (folder / OWNER).touch()
    (folder / "store.db").write_text("x")
    return folder


def test_the_next_lane_removes_what_nobody_owns(tmp_path: Path) -> None:
    dead = left_behind(tmp_path)
    lane = TemporaryFolder("test", tmp_path)
    assert not dead.exists()
    assert lane.path.is_dir()
    lane.close()
    assert list(tmp_path.iterdir()) == []


def test_a_living_lane_keeps_its_folder(tmp_path: Path) -> None:
    living = TemporaryFolder("test", tmp_path)
    assert sweep(tmp_path) == []
    assert living.path.is_dir()
    living.close()


def test_a_folder_that_is_just_made_is_kept_until_it_is_old(tmp_path: Path) -> None:
    young = tmp_path / f"{PREFIX}young"
    young.mkdir()
    assert sweep(tmp_path) == []
    old = young.stat().st_mtime - 2 * UNLOCKED_S
    os.utime(young, (old, old))
    assert sweep(tmp_path) == [young]


def test_a_lane_that_is_about_to_lock_its_folder_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All lanes of a run start at once, and each sweeps first."""
    lock, removed = fcntl.flock, []

    def sweep_first(owner: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX:
            removed.extend(sweep(tmp_path))
        lock(owner, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    lane = TemporaryFolder("test", tmp_path)
    assert removed == []
    assert (lane.path / OWNER).is_file()
    lane.close()


def test_a_folder_that_somebody_named_so_keeps_what_is_in_it(tmp_path: Path) -> None:
    theirs = tmp_path / f"{PREFIX}results"
    theirs.mkdir()
    (theirs / "run.json").write_text("{}")
    os.utime(theirs, (0, 0))
    assert sweep(tmp_path) == []


def test_what_is_made_in_it_is_beside_the_lock(tmp_path: Path) -> None:
    with TemporaryFolder("test", tmp_path) as inside:
        assert list(inside.iterdir()) == []
        assert sweep(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_links_and_other_folders_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(other)
    assert sweep(tmp_path) == []
    assert other.is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["in-process", "process"])
def test_a_lane_holds_the_files_of_one_case_at_a_time(
    isolation: IsolationChoice, tmp_path: Path
) -> None:
    options = ExecOptions(out=tmp_path, energy="none", isolation=isolation)
    done = start(RunSpec(FILES, "longmemeval", "sample", reader="refuse"), options)
    lines = (done.run.path / "texts.jsonl").read_text().splitlines()
    told = [orjson.loads(line) for line in lines]
    assert len({text["case"] for text in told}) > 2
    assert {text["text"] for text in told} == {"stores: 1"}
