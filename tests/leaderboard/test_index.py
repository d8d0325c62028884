"""The index on disk is of one time and one version, and what is known is not read again."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from membench.leaderboard.store import index
from membench.leaderboard.store.index import FILE, FOLDER, Index, refresh
from membench.leaderboard.store.store import BundleEntry, Store
from membench.leaderboard.validation import Rejected
from membench.leaderboard.validation.rules import Finding
from membench.testing.boards import BoardPlan, write_store

PLAN = BoardPlan(runs=3, questions=20)
STRANGER = "no-bundle"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with three rows."""
    write_store(tmp_path, PLAN)
    return Store(tmp_path)


def add_stranger(store: Store) -> None:
    """Add a folder that looks like a bundle and is none."""
    folder = store.root / "locomo" / STRANGER
    folder.mkdir()
    (folder / "SHA256SUMS").write_text("nothing\n")


def remove_one(store: Store) -> str:
    """Take a bundle out, and name it."""
    run_id = min(entry.run_id for entry in store.entries())
    shutil.rmtree(store.root / "locomo" / run_id)
    return run_id


@contextmanager
def disk_full_at(table: int) -> Iterator[None]:
    """The disk has no room for one of the tables that a refresh writes."""
    import pandas as pd

    written = 0
    honest = pd.DataFrame.to_parquet

    def to_parquet(frame: Any, *given: Any, **named: Any) -> Any:
        nonlocal written
        written += 1
        if written == table:
            raise OSError(errno.ENOSPC, "No space left on device")
        return honest(frame, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_parquet", to_parquet)
        with pytest.raises(OSError, match="No space left"):
            yield


def files(store: Store) -> list[str]:
    """What lies in the folder of the index, but for its lock."""
    return sorted(path.name for path in (store.root / FOLDER).iterdir() if path.name != ".lock")


def read_by(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The run ids of bundles that are read from now on."""
    read: list[str] = []
    honest = index.read_row

    def noted(store: Store, entry: BundleEntry) -> Any:
        read.append(entry.run_id)
        return honest(store, entry)

    monkeypatch.setattr(index, "read_row", noted)
    return read


def assert_alike(left: Index, right: Index) -> None:
    import pandas as pd

    for name in ("runs", "figures", "cells"):
        pd.testing.assert_frame_equal(getattr(left, name), getattr(right, name))


@pytest.mark.parametrize("table", [1, 2, 3, 4])
def test_a_disk_that_is_full_while_tables_are_written_leaves_no_table_of_another_time(
    store: Store, table: int
) -> None:
    before = refresh(store)
    kept = (store.root / FOLDER / FILE).read_bytes()
    remove_one(store)
    with disk_full_at(table):
        refresh(store)
    assert (store.root / FOLDER / FILE).read_bytes() == kept
    assert files(store) == [FILE]
    assert len(refresh(store).runs) == len(before.runs) - 1


@pytest.mark.parametrize("table", [1, 4])
def test_tables_of_another_version_never_pass_as_of_this_one(
    store: Store, monkeypatch: pytest.MonkeyPatch, table: int
) -> None:
    """Not even after a new version could not write its own."""
    fresh = refresh(store)
    monkeypatch.setattr(index, "FILE", "v0.zip")
    refresh(store)
    monkeypatch.undo()
    with disk_full_at(table):
        refresh(store)
    read = read_by(store, monkeypatch)
    assert_alike(refresh(store), fresh)
    assert len(read) == PLAN.runs


def test_what_other_versions_and_killed_processes_left_is_removed(store: Store) -> None:
    (store.root / FOLDER).mkdir()
    for name in ("v21", "v22", "runs.parquet", "v21.zip", f".{FILE}.tmp", ".runs.8x2"):
        (store.root / FOLDER / name).touch()
    refresh(store)
    assert files(store) == [FILE]


def test_a_damaged_index_is_made_anew(store: Store) -> None:
    fresh = refresh(store)
    path = store.root / FOLDER / FILE
    path.write_bytes(path.read_bytes()[:1000])
    assert_alike(refresh(store), fresh)


def test_a_folder_that_is_no_bundle_is_read_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_stranger(store)
    read = read_by(store, monkeypatch)
    first = refresh(store)
    assert read.count(STRANGER) == 1
    again = refresh(Store(store.root))
    assert read.count(STRANGER) == 1
    assert first.problems == again.problems
    assert list(first.problems) == [STRANGER]


def test_it_is_read_again_once_it_changes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_stranger(store)
    refresh(store)
    read = read_by(store, monkeypatch)
    (store.root / "locomo" / STRANGER / "SHA256SUMS").write_text("something else\n")
    refresh(store)
    assert read == [STRANGER]


def test_it_is_forgotten_with_its_folder(store: Store) -> None:
    add_stranger(store)
    refresh(store)
    shutil.rmtree(store.root / "locomo" / STRANGER)
    assert refresh(store).problems == {}


def test_nothing_is_written_where_no_table_changed(store: Store) -> None:
    add_stranger(store)
    refresh(store)
    before = (store.root / FOLDER / FILE).stat()
    refresh(store)
    after = (store.root / FOLDER / FILE).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "trouble",
    [
        OSError(errno.EMFILE, "Too many open files"),
        MemoryError(),
        Rejected([Finding("check.ended", "bundle", "OSError: Too many open files")]),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_a_bundle_that_could_not_be_read_this_time_is_read_the_next(
    store: Store, trouble: Exception
) -> None:
    def failing(store: Store, entry: BundleEntry) -> Any:
        raise trouble

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "read_row", failing)
        assert len(refresh(store).problems) == PLAN.runs
    now = refresh(store)
    assert len(now.runs) == PLAN.runs
    assert now.problems == {}
