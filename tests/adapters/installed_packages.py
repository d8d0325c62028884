"""Environments of packages, for tests that need one."""

from __future__ import annotations

import pytest

from membench.adapters.environment import environments
from membench.adapters.environment.problem import EnvironmentProblem
from membench.adapters.registry import SystemCard


def ensure_or_skip(card: SystemCard) -> None:
    """Have a system's environment; the test is skipped where packages cannot be fetched."""
    try:
        environments.ensure(card, lambda _: None)
    except EnvironmentProblem as problem:
        if "could not be built" not in problem.problem:
            raise
        pytest.skip(problem.problem)
