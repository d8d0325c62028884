"""Conformance: does a memory system keep what the interface and its own card promise?

::

    report = run_conformance("bm25")
    print(render(report))
    assert report.passed

The checks are in `checks.py`. They play small histories, call no judge and need no data. A system
that needs a model is given the scripted model server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from membench.adapters.configured import configured_card
from membench.adapters.driven import cannot_be_opened, open_and_leave
from membench.adapters.environment.worker.raised import described
from membench.adapters.parameters import with_folders
from membench.adapters.registry import (
    SystemCard,
    check_installed,
    checked_parameters,
    create,
    get_card,
)
from membench.domain.errors import UsageError, UserError
from membench.domain.labels import Role, Scalar
from membench.domain.system import MemorySystem, ModelEndpoint, SystemContext
from membench.domain.temporary_folder import TemporaryFolder
from membench.metrics.numbers import counted
from membench.testing.checks import CHECKS, Check
from membench.testing.subject import NotApplicable, Subject, Violation, Weakness
from membench.tokens import count_tokens

Status = Literal["passed", "warned", "failed", "skipped", "not run"]
OPENS = "opens"
"""What comes before all checks, and is told where it fails: then no other says anything."""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check.

    Attributes:
        name: The check.
        status: `warned` where nothing is broken and figures will suffer; `skipped` where the card
            does not make the promise; `not run` where the system cannot be opened at all.
        detail: What went wrong, why it was skipped, or a remark.
    """

    name: str
    status: Status
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """All checks of one system."""

    system: str
    version: str
    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(result.status != "failed" for result in self.results)


def run_conformance(
    name: str,
    parameters: Mapping[str, Scalar] | None = None,
    models: Mapping[Role, ModelEndpoint] | None = None,
) -> Report:
    """Check a system by name or by the path of its folder.

    Roles that the card lists and `models` leaves out are played by the scripted model server,
    which is started for the time of the checks.

    Args:
        name: As `--system` takes it.
        parameters: As `--set` gives them.
        models: Endpoints of roles, to check with other models.

    Raises:
        UnknownName: There is no such system or parameter.
        DataError: Its system.toml is broken.
        UsageError: A parameter's value is bad, or a module that it needs is not installed.
    """
    card = get_card(name)
    check_installed(card)
    card = configured_card(card, checked_parameters(card, parameters or {}))
    given = dict(models or {})
    with _scripted([role for role in card.roles if role not in given]) as scripted:
        results = check(card, parameters=parameters, models={**scripted, **given})
    return Report(card.name, card.version, tuple(results))


@contextmanager
def _scripted(roles: Sequence[Role]) -> Iterator[dict[Role, ModelEndpoint]]:
    """Endpoints of a scripted model server that runs inside the block, if any role needs it."""
    if not roles:
        yield {}
        return
    from membench.testing.scripted import ScriptedServer

    with ScriptedServer() as server:
        yield {role: ModelEndpoint(server.base_url, "conformance", "scripted") for role in roles}


def check(
    card: SystemCard,
    make: Callable[[], MemorySystem] | None = None,
    *,
    parameters: Mapping[str, Scalar] | None = None,
    models: Mapping[Role, ModelEndpoint] | None = None,
    seed: int = 0,
    huge_turns: int = 2000,
    report: Callable[[str], None] = lambda _: None,
) -> list[CheckResult]:
    """Run every check.

    Args:
        card: What the system declares.
        make: Makes a fresh instance; by default the registry does, in this process.
        parameters: As `--set` gives them.
        models: Endpoints of the roles that the card lists.
        seed: Given to every instance.
        huge_turns: Turns of the huge session.
        report: Told the name of each check before it begins.

    Returns:
        One result per check, in a fixed order; before them what keeps the system from being opened.
    """
    values = with_folders(card, checked_parameters(card, parameters or {}))
    card = configured_card(card, values)
    missing = [role for role in card.roles if role not in (models or {})]
    if missing and make is None:
        raise UsageError(
            f"system '{card.name}' needs a model for: {', '.join(missing)}",
            "Give its endpoint; membench.testing.scripted has a model server that will do.",
        )
    with TemporaryFolder("conformance") as folder:
        context = SystemContext(values, seed, folder, count_tokens, models or {})
        subject = Subject(card, make or (lambda: create(card, context)), huge_turns)
        if obstacle := _obstacle(subject):
            return [obstacle, *not_run(map(name_of, CHECKS))]
        return [_run(promise, subject, report) for promise in CHECKS]


def _obstacle(subject: Subject) -> CheckResult | None:
    """Why a system cannot be opened; None if it can."""
    try:
        open_and_leave(subject.make(), "conformance")
    except UserError as error:
        return CheckResult(OPENS, "failed", str(error))
    except Exception as error:
        return CheckResult(OPENS, "failed", str(cannot_be_opened(subject.card, error)))
    return None


def not_run(names: Iterable[str]) -> list[CheckResult]:
    """Results of checks that an obstacle kept from being run."""
    return [CheckResult(name, "not run") for name in names]


def name_of(promise: Check) -> str:
    """A check as it is listed."""
    return promise.__name__.replace("_", " ")


def _run(promise: Check, subject: Subject, report: Callable[[str], None]) -> CheckResult:
    name = name_of(promise)
    report(name)
    try:
        return CheckResult(name, "passed", promise(subject) or "")
    except NotApplicable as reason:
        return CheckResult(name, "skipped", str(reason))
    except Weakness as weakness:
        return CheckResult(name, "warned", str(weakness))
    except Violation as violation:
        return CheckResult(name, "failed", str(violation))
    except Exception as error:
        return CheckResult(name, "failed", f"raised {described(error)}")


def render(report: Report) -> str:
    """A plain table of a report, for a terminal or a log."""
    lines = [f"{report.system} {report.version}"]
    if obstacle := next((r for r in report.results if r.name == OPENS), None):
        rest = len(report.results) - 1
        lines += [f"FAILED: {obstacle.detail}", f"not run: {counted(rest, 'check')}"]
        return "\n".join(lines)
    width = max(len(result.name) for result in report.results)
    lines += [
        f"  {result.status:<8}{result.name:<{width}}  {_one_line(result.detail)}".rstrip()
        for result in report.results
    ]
    lines += [f"WARNING: {r.detail}" for r in report.results if r.status == "warned"]
    tally = Counter(result.status for result in report.results)
    warned = f"{tally['warned']} warned, " if tally["warned"] else ""
    lines.append(
        f"{tally['passed']} passed, {warned}{tally['failed']} failed, {tally['skipped']} skipped"
    )
    return "\n".join(lines)


def _one_line(detail: str, width: int = 160, end: int = 40) -> str:
    """A detail in one line; of a long one its middle is left out, since its end says where."""
    flat = " ".join(detail.split())
    return flat if len(flat) <= width else f"{flat[: width - end - 1]}…{flat[-end:]}"
