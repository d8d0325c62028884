"""`membench systems install`."""

from __future__ import annotations

from collections.abc import Sequence

from membench.adapters.environment import environments
from membench.adapters.registry import get_card
from membench.cli.output.console import err, out, report
from membench.domain.errors import UserError


def install_all(names: Sequence[str]) -> None:
    """Install one after another; a system that cannot be installed does not stop the others.

    Raises:
        UserError: The last problem, after all were tried.
    """
    problem: UserError | None = None
    for name in names:
        try:
            status = environments.install(get_card(name), say)
        except UserError as error:
            if problem is not None:
                report(problem)
            problem = error
            continue
        out().print(f"{name}: {status.state}, {(status.size_bytes or 0) / 1e6:,.0f} MB")
    if problem is not None:
        raise problem


def say(line: str) -> None:
    """One line of progress."""
    err().print(line, markup=False)
