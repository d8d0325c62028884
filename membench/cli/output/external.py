"""Predictions made elsewhere, scored and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from membench.cli.output.console import err
from membench.cli.output.summary import print_summary
from membench.domain.labels import JsonView, Scalar
from membench.experiments.external import External, score_external


def score_and_show(
    given: External, options: Mapping[str, Scalar], out: Path | None, *, as_json: bool
) -> bool:
    """Score predictions and print what they come to.

    Returns:
        Whether every question has one, and nothing failed.
    """
    summary = score_external(given, dict(options), out)
    print_summary(summary, None if out is None else out / summary["run_id"], as_json=as_json)
    print_data(summary["data"])
    if summary["missing"]:
        print_missing(summary["missing"])
    return bool(summary["complete"])


def print_data(data: JsonView) -> None:
    """Say which data was scored against."""
    err().print(
        f"scored against {data['file']}, split {data['split']}, version {data['version']}, "
        f"sha256 {data['sha256'][:12]}",
        markup=False,
    )
    if data["others"]:
        err().print(f"note: {data['others']}", markup=False)
    if data["warning"]:
        err().print(
            f"note: {data['warning']}; predictions made on other data may not belong to it",
            markup=False,
        )


def print_missing(ids: Sequence[str], shown: int = 20) -> None:
    """Name the questions without a prediction."""
    more = f", and {len(ids) - shown} more" if len(ids) > shown else ""
    listed = ", ".join(ids[:shown])
    err().print(f"no prediction for {len(ids)} questions: {listed}{more}", markup=False)
