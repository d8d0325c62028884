"""Predictions made elsewhere, scored and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from membench.cli.output.console import err
from membench.cli.output.listing import print_json
from membench.cli.output.summary import print_closing
from membench.domain.labels import Scalar
from membench.experiments.external import External, ExternalResult, score_external
from membench.metrics.numbers import counted


def score_and_show(
    given: External, options: Mapping[str, Scalar], out: Path | None, *, as_json: bool
) -> bool:
    """Score predictions and print what they come to.

    Returns:
        Whether every question has one, and nothing failed.
    """
    result = score_external(given, dict(options), out)
    if as_json:
        print_json(result.to_json())
    else:
        print_closing(result.summary, None if out is None else out / result.summary.run_id)
    print_data(result)
    if result.missing:
        print_missing(result.missing)
    return result.summary.complete


def print_data(result: ExternalResult) -> None:
    """Say which data was scored against."""
    data = result.data
    err().print(
        f"scored against {result.file}, split {result.summary.split}, version {data.name}, "
        f"sha256 {data.sha256[:12]}",
        markup=False,
    )
    if result.others:
        err().print(f"note: {result.others}", markup=False)
    if data.warning:
        err().print(
            f"note: {data.warning}; predictions made on other data may not belong to it",
            markup=False,
        )


def print_missing(ids: Sequence[str], shown: int = 20) -> None:
    """Name the questions without a prediction."""
    more = f", and {len(ids) - shown} more" if len(ids) > shown else ""
    listed = ", ".join(ids[:shown])
    err().print(f"no prediction for {counted(len(ids), 'question')}: {listed}{more}", markup=False)
