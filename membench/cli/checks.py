"""`membench conformance NAME`."""

from __future__ import annotations

from dataclasses import asdict

from membench.cli.console import out
from membench.cli.listing import print_json
from membench.testing.conformance import render, run_conformance


def print_conformance(name: str, *, as_json: bool) -> bool:
    """Print the report of a system.

    Returns:
        Whether every check passed or was skipped with a reason.
    """
    report = run_conformance(name)
    if as_json:
        print_json(asdict(report))
    else:
        out().print(render(report), markup=False)
    return report.passed
