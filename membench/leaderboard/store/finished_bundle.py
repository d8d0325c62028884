"""A finished run for comparing, from its directory or from what was published of it.

first, second = load_run(Path("runs/mine")), load_run(Path("results/locomo/theirs"))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from membench.domain.labels import JsonObject
from membench.experiments.finished_run import FinishedRun, from_records, load
from membench.harness.places import open_run_or_bundle
from membench.leaderboard.bundles import layout
from membench.leaderboard.store.bundle_lines import BundleRows, read_lines
from membench.leaderboard.store.reading import reading
from membench.leaderboard.validation.parsing import manifest_of, summary_of
from membench.leaderboard.validation.unpacking import UnpackedBundle, open_bundle


def load_run(path: Path) -> FinishedRun:
    """Read a finished run from a run directory or from a bundle.

    Raises:
        RunStateError: It is neither, is unfinished, damaged or altered, or of a newer schema.
    """
    return load_bundle(path) if open_run_or_bundle(path).is_bundle else load(path)


def load_bundle(path: Path) -> FinishedRun:
    """Read a finished run from a bundle; what nobody verified here is read strictly.

    Raises:
        RunStateError: The bundle is not what its SHA256SUMS says, or malformed.
    """
    with reading(path):
        opened = open_bundle(path)
        manifest = manifest_of(opened)
        summary = replace(summary_of(opened), comparison_key=manifest.comparison_key)
        rows = list(BundleRows(opened, trusted=False))
        play, answers = lines(opened, layout.PLAY), lines(opened, layout.ANSWERS)
        return from_records(manifest, summary, rows, play, answers)


def lines(opened: UnpackedBundle, name: str) -> Iterator[JsonObject]:
    """The lines of a file of a bundle."""
    return read_lines(opened, name, trusted=False)
