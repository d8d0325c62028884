"""The benchmark of the sampler pairs its rounds and decides by the interval."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from membench.energy.verification.overhead import Overhead

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "energy_overhead.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    found = importlib.util.spec_from_file_location("energy_overhead", SCRIPT)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["energy_overhead"] = module
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("ratios", "begins"),
    [
        ((0.001,) * 12, "below 1 %"),
        ((0.03,) * 12, "above 1 %"),
        ((0.001, 0.002, 0.02, 0.03, -0.01, 0.001), "not decided: the interval"),
        ((0.001,) * 5, "not decided: fewer"),
    ],
)
def test_the_interval_decides(
    benchmark: ModuleType, ratios: tuple[float, ...], begins: str
) -> None:
    assert benchmark.verdict(Overhead(ratios)).startswith(begins)


def test_a_round_pairs_the_inner_two_pieces_with_the_outer_two(benchmark: ModuleType) -> None:
    pieces = tuple(benchmark.Spent(wall, 1.0) for wall in (1.0, 1.1, 1.2, 1.1))
    found = benchmark.Round(pieces)
    assert found.ratio("wall") == pytest.approx(2.3 / 2.1 - 1)
    assert found.ratio("cpu") == 0.0
    assert found.apart("wall") == pytest.approx(0.1)


def test_it_prints_a_median_with_its_interval() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--only", "sampler", "--seconds", "0.002", "--rounds", "6"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "6 rounds of A-B-B-A" in done.stdout
    assert "wall overhead: median" in done.stdout
    assert "95 % interval" in done.stdout
