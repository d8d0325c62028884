"""What can go wrong, and who it belongs to.

::

    MembenchError
    ├── UserError            a mistake the user can mend: one message, exit code 2
    │   ├── UsageError       an option or a combination of options
    │   ├── UnknownName      no such system, task, split, parameter (suggests the nearest)
    │   ├── DataError        a file: names file, place, problem and remedy
    │   └── RunStateError    a run directory that is missing, taken, foreign, or of a newer schema
    ├── Fault                recorded as `failed(reason)`, never a wrong answer
    │   ├── SystemFault      the memory system raised, crashed, hung or replied nonsense
    │   ├── ProviderFault    a model endpoint refused, timed out or replied nonsense
    │   ├── JudgeFault       a verdict could not be had or not be parsed
    │   └── HarnessFault     our own side: lane lost, disk full
    └── Stopped              the run was stopped and can be resumed: exit code 3
        ├── BudgetSpent      what it may spend is spent
        └── ModelUnusable    a model refuses every call, or cannot be reached

A fault names its boundary by its class and its reason by a word of `Reason`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import StrEnum


class Reason(StrEnum):
    """The failure vocabulary of records: `failed(reason)`."""

    SYSTEM_ERROR = "system_error"
    SYSTEM_CRASH = "system_crash"
    SYSTEM_TIMEOUT = "system_timeout"
    SYSTEM_BAD_REPLY = "system_bad_reply"
    SYSTEM_MEMORY = "system_memory"
    EARLIER_EVENT_FAILED = "earlier_event_failed"
    RECALL_FAILED = "recall_failed"
    PROVIDER_ERROR = "provider_error"
    PROVIDER_RATE_LIMIT = "provider_rate_limit"
    PROVIDER_TIMEOUT = "provider_timeout"
    PROVIDER_BAD_REPLY = "provider_bad_reply"
    CONTEXT_OVERFLOW = "context_overflow"
    CASSETTE_MISS = "cassette_miss"
    BUDGET_EXHAUSTED = "budget_exhausted"
    READER_ERROR = "reader_error"
    JUDGE_UNPARSABLE = "judge_unparsable"
    JUDGE_ERROR = "judge_error"
    HARNESS_ERROR = "harness_error"
    MISSING = "missing"


class MembenchError(Exception):
    """Root of everything membench raises on purpose."""


class UserError(MembenchError):
    """A mistake the user can mend.

    Args:
        problem: What is wrong, naming file and place.
        remedy: What to do about it.
    """

    exit_code = 2

    def __init__(self, problem: str, remedy: str = "") -> None:
        """Keep both halves of the message."""
        super().__init__(f"{problem}\n{remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


class UsageError(UserError):
    """An option, its value, or a combination of options."""


LONGEST_NAME = 80
"""Characters of a name that a message repeats."""

LISTED = 20
"""Known names that a message lists; a benchmark has thousands of questions."""


class UnknownName(UserError):
    """No such system, task, split, parameter.

    Args:
        kind: What was looked for (`"system"`, `"parameter of system 'bm25'"`).
        name: The name that was given.
        known: The names there are.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """Suggest the nearest known name, else list them."""
        names = sorted(known)
        near = near_names(name, names)
        remedy = f"Did you mean {' or '.join(repr(each) for each in near)}?" if near else ""
        listed = ", ".join(names[:LISTED])
        more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
        listing = f"Known: {listed}{more}." if names else f"There is no {kind} to choose from."
        what, of, whole = kind.partition(" of ")
        shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
        super().__init__(f"unknown {what} '{shown}'{of}{whole}", f"{remedy} {listing}".strip())


SUGGESTED = 3
"""Names that hold the given one, of which a message suggests so many."""
WORD = 3
"""Characters from which on a name that is held by another is taken for a part of it."""


def near_names(name: str, names: Iterable[str]) -> list[str]:
    """What may have been meant: names that hold the given one, else the one most like it."""
    known = list(names)
    part = name.casefold()
    holding = [each for each in known if len(part) >= WORD and part in each.casefold()]
    if holding:
        return sorted(holding, key=len)[:SUGGESTED]
    return difflib.get_close_matches(name, known, n=1, cutoff=0.5)


class DataError(UserError):
    """A file that cannot be used.

    Args:
        file: The file.
        place: Where in it (`"line 12"`, `"[3].qa[17].evidence"`); empty for the whole file.
        problem: What is wrong there.
        remedy: What to do about it.
    """

    def __init__(self, file: object, place: str, problem: str, remedy: str = "") -> None:
        """Compose `file: place: problem`."""
        super().__init__(": ".join(part for part in (str(file), place, problem) if part), remedy)
        self.file = str(file)
        self.place = place


class RunStateError(UserError):
    """A run directory that is missing, taken, foreign, unfinished or of a newer schema."""


class Fault(MembenchError):
    """Something failed that is nobody's wrong answer; recorded as `failed(reason)`."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        """Keep the reason (deterministic, in `content`) apart from the detail (telemetry)."""
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class SystemFault(Fault):
    """The memory system raised, crashed, hung or replied nonsense."""


class ProviderFault(Fault):
    """A model endpoint refused, timed out or replied nonsense."""


class JudgeFault(Fault):
    """A verdict could not be had or not be parsed."""


class HarnessFault(Fault):
    """Our own side."""


class Stopped(MembenchError):
    """The run was stopped on purpose (Ctrl-C, a budget) and can be resumed."""

    exit_code = 3
    remedy = ""


class BudgetSpent(Stopped):
    """What a run may spend is spent."""

    remedy = "Raise the budget."


class ModelUnusable(Stopped):
    """A model refuses every call, or cannot be reached.

    Args:
        problem: Which model, where and why.
        remedy: What to do about it.
        reason: What a call to it fails with.
    """

    def __init__(self, problem: str, remedy: str, reason: Reason) -> None:
        """Keep what callers need."""
        super().__init__(problem)
        self.remedy = remedy
        self.reason = reason
