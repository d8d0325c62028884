"""The GPU benchmark says so where there is no GPU, and fits into eight minutes on paper."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_without_a_gpu_the_benchmark_ends_with_one_clear_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/gpu_energy.py", "--out", str(tmp_path / "out")],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("no GPU: ")
    assert done.stdout.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_every_test_has_its_time_and_together_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu_energy as benchmark

    names = [test.__name__.partition("_")[0].upper() for test in benchmark.TESTS]
    assert sorted(names) == sorted(benchmark.NEEDS_S)
    before = 3 * benchmark.IDLE_S + 10 + 15 + 10  # idle, ticks, warm-up, making the model
    assert before + sum(benchmark.NEEDS_S.values()) <= benchmark.BUDGET_S
