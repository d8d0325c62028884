"""What every page needs: settings from the environment, the store, its index.

Settings travel in environment variables because Streamlit runs the script anew for every
session; `serving` sets them.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

from membench.leaderboard.bundles.layout import CHECKSUMS
from membench.leaderboard.store.index import FOLDER, Index, refresh
from membench.leaderboard.store.store import ADJUDICATIONS, Store
from membench.leaderboard.views.board.board import Board, answers, board, in_unit, limited
from membench.leaderboard.views.board.choices import listed
from membench.leaderboard.views.board.query import BoardQuery, RowFilter

RESULTS = "MEMBENCH_BOARD_RESULTS"
DATA = "MEMBENCH_BOARD_DATA"
SHOW_TEXT = "MEMBENCH_BOARD_SHOW_TEXT"
SUBMISSIONS = "MEMBENCH_BOARD_SUBMISSIONS"
RUNS = "MEMBENCH_BOARD_RUNS"


@dataclass(frozen=True)
class BoardSettings:
    """How the board is served.

    Attributes:
        results: The store.
        data: Benchmark data of this machine; None looks where `run` does.
        show_text: Whether the dataset's words may be shown: on loopback only.
        submissions: Whether bundles can be posted here.
        runs: Run directories of this machine; they name model calls one by one.
    """

    results: Path
    data: Path | None
    show_text: bool
    submissions: bool
    runs: Path


def settings() -> BoardSettings:
    """As `serving` left them."""
    data = os.environ.get(DATA)
    return BoardSettings(
        Path(os.environ.get(RESULTS, "results")),
        Path(data) if data else None,
        os.environ.get(SHOW_TEXT) == "1",
        os.environ.get(SUBMISSIONS) == "1",
        Path(os.environ.get(RUNS, "runs")),
    )


def store() -> Store:
    """The store."""
    return Store(settings().results)


def stamp(root: Path) -> str:
    """Changes when a bundle, a badge or a decision is added: cheap to take.

    The store's own folder is left out: writing the first index into it changes no row.
    """
    folders = sorted(p for p in root.glob("*") if p.is_dir() and p.name != FOLDER)
    parts = [f"{path.name}:{path.stat().st_mtime_ns}" for path in folders]
    decisions = root / ADJUDICATIONS
    if decisions.exists():
        parts.append(str(decisions.stat().st_size))
    return " ".join(parts)


@lru_cache(maxsize=2)
def _index(root: str, stamped: str) -> Index:
    return refresh(Store(Path(root)))


def index() -> Index:
    """The index of the store as it is now."""
    root = settings().results
    return _index(str(root), stamp(root))


@lru_cache(maxsize=2)
def _run_names(root: str, stamped: str) -> dict[str, str]:
    runs = listed(_index(root, stamped).runs)
    columns = (runs[name] for name in ("run_id", "label", "task", "division", "created"))
    return {
        run: f"{label} · {task}, {division} · {created[:10]} · {run[-8:]}"
        for run, label, task, division, created in zip(*columns, strict=True)
    }


def run_names() -> dict[str, str]:
    """Every run of the store in words: what was run on what, when, and the end of its id."""
    root = settings().results
    return _run_names(str(root), stamp(root))


BOARDS_KEPT = 32
_boards: deque[tuple[str, BoardQuery, Board]] = deque(maxlen=BOARDS_KEPT)
_computing = Lock()


def _board(root: str, stamped: str, choice: BoardQuery) -> Board:
    """A board of a state of the store, computed once although it is asked for in several ways."""
    state = f"{root} {stamped}"
    with _computing:
        for known, asked, whole in _boards:
            if known == state and answers(whole, asked, choice):
                return whole
        made = board(_index(root, stamped), choice)
        _boards.append((state, choice, made))
        return made


def the_board(choice: BoardQuery) -> Board:
    """A board of the store as it is now."""
    root = settings().results
    free = replace(choice, budget=None, least=0.0, most=1.0, rows=RowFilter(), unit="")
    whole = _board(str(root), stamp(root), free)
    whole = in_unit(whole, choice.unit) if choice.unit else whole
    return limited(whole, choice.budget, choice.least, choice.most, choice.rows)


def empty() -> bool:
    """Whether there is no bundle at all."""
    return next(store().root.glob(f"*/*/{CHECKSUMS}"), None) is None


__all__ = ["BoardSettings", "empty", "index", "run_names", "settings", "store", "the_board"]
