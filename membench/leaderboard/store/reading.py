"""Reading one bundle for a person: what is wrong with it is one message, never a traceback.

with reading(path):
opened = open_bundle(path)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from membench.domain.errors import RunStateError
from membench.leaderboard.validation.rules import RuleViolation
from membench.records.run_directory import MALFORMED


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say what keeps a bundle from being read.

    Raises:
        RunStateError: Its files are not those of its SHA256SUMS, are malformed, or went away.
    """
    try:
        yield
    except RuleViolation as violation:
        finding = violation.finding
        raise RunStateError(f"bundle {path} is refused: {finding}", finding.remedy) from None
    except OSError as error:
        problem = f"bundle {path} cannot be read: {error.strerror or error}"
        raise RunStateError(problem, "It may have been removed meanwhile.") from None
    except MALFORMED as error:
        problem = f"bundle {path} is malformed: {type(error).__name__}: {error}"[:300]
        raise RunStateError(problem, f"See every fault with: membench verify {path}") from None
