"""SIGKILL at random moments, of a run or of a child of it: the small version of the benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.kills import Killer


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_run_comes_to_the_same_and_leaves_nothing(tmp_path: Path, seed: int) -> None:
    killer = Killer(tmp_path, seed=seed)
    killer.chain("killed", 3)
    tally = killer.tally
    assert (tally.chains, tally.equal, tally.incomplete) == (1, 1, 0)
    assert tally.processes_left == 0
    assert killer.start("another").wait() == 0  # sweeps what no process owns
    assert list(killer.temporary.iterdir()) == []
