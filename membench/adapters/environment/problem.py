"""Why an environment cannot be had."""

from __future__ import annotations

from membench.domain.errors import UserError


class EnvironmentProblem(UserError):
    """An environment that cannot be built: no uv, no Python, no disk, an outdated lock."""
