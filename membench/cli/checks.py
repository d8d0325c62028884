"""`membench conformance NAME`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from membench.cli.console import out
from membench.cli.listing import print_json
from membench.harness.model import Scalar
from membench.testing.conformance import render, run_conformance


def print_conformance(name: str, parameters: Mapping[str, Scalar], *, as_json: bool) -> bool:
    """Print the report of a system.

    Args:
        name: As `--system` takes it.
        parameters: As `--set` gives them.
        as_json: Print JSON alone on stdout.

    Returns:
        Whether every check passed or was skipped with a reason.
    """
    report = run_conformance(name, parameters)
    if as_json:
        print_json(asdict(report))
    else:
        out().print(render(report), markup=False)
    return report.passed
