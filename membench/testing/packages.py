"""Conformance of third-party packages: the checks of every system, and those of a foreign one.

A package is played against the scripted model server through the gateway, as a run would play it.
Beyond what `conformance` checks: dates reach it and today's does not; vectors of any width do;
every call is metered; nothing is left running, nothing is written outside its case, no connection
leaves the lane; and how exactly a cassette replays it is measured. The result is stored as
`conformance.json` in the system's folder and shown by `membench systems`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from membench.adapters.environment import environments
from membench.adapters.environment.worker.processes import read_process
from membench.adapters.environment.worker.raised import described
from membench.adapters.environment.worker_folder import worker_user
from membench.adapters.registry import SystemCard
from membench.domain.case import Ask, Case, Event, Finalize, Ingest, Question
from membench.domain.errors import UsageError
from membench.domain.labels import Role, Scalar
from membench.domain.system import ModelEndpoint
from membench.domain.temporary_folder import TemporaryFolder
from membench.llm.config import CassetteMode
from membench.testing import conformance
from membench.testing.conformance import CheckResult, Report
from membench.testing.histories import START, TALK, session
from membench.testing.package_rules import RULES
from membench.testing.scripted import ScriptedServer
from membench.testing.stored import Replay, write_stored
from membench.testing.subject import QUESTIONS, NotApplicable, Violation
from membench.testing.trial import Trial, play

WIDTHS = (384, 1024, 1536)
HUGE_TURNS = 100
"""Turns of the huge session; a package makes several calls per turn."""
DATE_FORMATS = ("%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%Y/%m/%d", "%m/%d/%Y", "%d %b %Y")
REPLAYS = 3
"""How often a cassette is replayed; the weakest outcome counts."""
ORDER: tuple[Replay, ...] = ("none", "answers", "exact")


def check_package(
    card: SystemCard,
    parameters: Mapping[str, Scalar] | None = None,
    *,
    write: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[Report, Replay]:
    """Check a package by all checks; its environment must be installed.

    Args:
        card: The system.
        parameters: As `--set` gives them.
        write: Whether to store the result in the system's folder.
        report: Told the name of each check before it begins: all of them take minutes.

    Returns:
        The report and the measured class of replay.

    Raises:
        UsageError: It is no package, its environment is not installed, or a parameter's value is
            bad.
    """
    if card.environment is None:
        raise UsageError(f"system '{card.name}' is part of membench; use run_conformance")
    environments.python_of(card)
    given = parameters or {}
    bench = PackageTrial(card, given)
    results = _general(card, given, report)
    if results[0].name == conformance.OPENS:
        results += conformance.not_run(CHECKS)
    else:
        for name, check in CHECKS.items():
            report(name)
            results.append(_run(name, check, bench))
    made = Report(card.name, card.version, tuple(results))
    replay = bench.replay or "none"
    if write:
        write_stored(card, made, replay)
    return made, replay


def _general(
    card: SystemCard, parameters: Mapping[str, Scalar], report: Callable[[str], None]
) -> list[CheckResult]:
    """The checks of every system, against the scripted server without a gateway."""
    with ScriptedServer(RULES.get(card.name, ()), width=WIDTHS[-1]) as server:
        endpoint = ModelEndpoint(server.base_url, "scripted", "scripted", WIDTHS[-1])
        models = dict.fromkeys(Role, endpoint)
        return conformance.check(
            card, parameters=parameters, models=models, huge_turns=HUGE_TURNS, report=report
        )


class PackageTrial:
    """Plays the history of the package checks and keeps what was seen.

    Args:
        card: The package.
        parameters: As `--set` gives them.

    Attributes:
        replay: The measured class of replay, once it was.
    """

    def __init__(self, card: SystemCard, parameters: Mapping[str, Scalar]) -> None:
        """Nothing is played yet."""
        self.card = card
        self.replay: Replay | None = None
        self._parameters = parameters
        self._first: Trial | None = None

    @property
    def first(self) -> Trial:
        """A trial with the widest vectors."""
        if self._first is None:
            self._first = self.play()
        return self._first

    @property
    def answers_alone(self) -> bool:
        """Whether it answers by itself and recalls nothing."""
        return self.card.protocol == "answer-only"

    def play(
        self,
        width: int = WIDTHS[-1],
        cassette: Path | None = None,
        cassette_mode: CassetteMode = "off",
    ) -> Trial:
        """Play the history once more."""
        return play(
            self.card,
            history(),
            parameters=self._parameters,
            width=width,
            cassette=cassette,
            cassette_mode=cassette_mode,
        )


def history() -> Case:
    """Three sessions of 1998, a finalize and three questions."""
    sessions = [
        Ingest(session("case-p", index, TALK[2 * index : 2 * index + 2])) for index in range(3)
    ]
    asks = [Ask(Question(text, datetime(1998, 4, 1))) for text in QUESTIONS]
    events: tuple[Event, ...] = (*sessions, Finalize(), *asks)
    return Case("0123456789abcdef", "conformance", events)


def written(day: date) -> tuple[str, ...]:
    """A date in the usual ways of writing it, with and without leading zeros."""
    forms = {day.strftime(form) for form in DATE_FORMATS}
    return tuple(sorted(forms | {form.replace(" 0", " ") for form in forms}))


def holds_any(text: str, words: Iterable[str]) -> bool:
    """Whether a text holds one of the words."""
    return any(word in text for word in words)


# --- the checks ----------------------------------------------------------------------------------


def dates_reach_it(bench: PackageTrial) -> str:
    """The session's date is on the wire or in the store."""
    days = written(START.date())
    wire = sum(holds_any(_body(request.body), days) for request in bench.first.requests)
    stored = sum(
        memory.time is not None and memory.time.year == START.year
        for memory in bench.first.stored or ()
    )
    if bench.answers_alone and not bench.first.requests and not bench.first.stored:
        raise NotApplicable("calls no model, and what it keeps cannot be read")
    if not wire and not stored:
        raise Violation("the session's date is in no request and in no stored memory")
    return f"in {wire} of {len(bench.first.requests)} requests; dates {stored} memories"


def no_wall_clock(bench: PackageTrial) -> str:
    """Today's date is in no request, no stored memory and no recalled one."""
    today = written(datetime.now().date())
    for request in bench.first.requests:
        if holds_any(_body(request.body), today):
            raise Violation(f"a request to {request.endpoint} holds today's date")
    memories = [*(bench.first.stored or ()), *(m for found in bench.first.recalled for m in found)]
    for memory in memories:
        late = memory.time is not None and memory.time.year >= datetime.now().year
        if late or holds_any(memory.text, today):
            raise Violation(f"a memory carries the wall clock: {memory.text!r} {memory.time}")
    return f"{len(bench.first.requests)} requests, {len(memories)} memories searched"


def embedding_widths(bench: PackageTrial) -> str:
    """Vectors of every usual width go in and come out."""
    if bench.answers_alone:
        raise NotApplicable("answers by itself and recalls nothing")
    for width in WIDTHS:
        trial = bench.first if width == WIDTHS[-1] else bench.play(width)
        if not all(trial.recalled):
            raise Violation(f"recalls nothing with vectors {width} wide")
    return ", ".join(map(str, WIDTHS))


def metering(bench: PackageTrial) -> str:
    """The gateway saw every call that the upstream served."""
    trial = bench.first
    if trial.metered != trial.served or trial.faults:
        raise Violation(f"{trial.metered} calls metered, {trial.served} served, {trial.faults}")
    outside = [late for late in trial.late if late.phase is not None]
    if outside:
        raise Violation(f"{len(outside)} phases were charged after they ended")
    start = sum(late.usage.total.calls for late in trial.late)
    return f"{trial.served} calls" + (f", {start} of them at start-up" if start else "")


def nothing_left_running(bench: PackageTrial) -> str:
    """After close, no process of the worker's tree is left."""
    left = [pid for pid in bench.first.processes if _runs(pid)]
    if left:
        raise Violation(f"{len(left)} processes are still running")
    return f"{len(bench.first.processes)} processes ended"


def nothing_written_outside(bench: PackageTrial) -> str:
    """No file outside the case's folder is opened for writing; the home folder stays as it was.

    Others on this machine write to both places: something new there counts if it comes twice.
    """
    if _written_outside(bench) and (new := _written_outside(bench)):
        raise Violation(f"written: {new[:5]}")
    return "home folder and shared memory unchanged"


def _written_outside(bench: PackageTrial) -> list[str]:
    """What the sandbox saw opened, and what is new where it cannot look, after one history."""
    before = _entries()
    trial = bench.play()
    new = sorted(str(path) for path in _entries() - before if _may_be_its(path, bench.card))
    return [*trial.sandbox_violations["outside"], *new]


def _may_be_its(path: Path, card: SystemCard) -> bool:
    """Whether a file is of the user that the package runs as; a file may be gone by now."""
    user = worker_user(card.worker)
    try:
        return path.lstat().st_uid == (user.pw_uid if user else os.getuid())
    except FileNotFoundError:
        return False


def no_network_outside(bench: PackageTrial) -> str:
    """Connections to anything but the lane are refused; a package should not try."""
    refused = bench.first.sandbox_violations["refused"]
    return f"refused: {', '.join(refused)}" if refused else "none was tried"


def replay_class(bench: PackageTrial) -> str:
    """A cassette reproduces at least what the card declares, every time it is replayed.

    What a package does at once, it may record in one order and replay in another: once is luck.
    """
    with TemporaryFolder("replay") as folder:
        cassette = folder / "cassette.sqlite"
        first = bench.play(cassette=cassette, cassette_mode="record")
        measured = [_replayed(bench, first, cassette) for _ in range(REPLAYS)]
    bench.replay, said = min(measured, key=lambda found: ORDER.index(found[0]))
    if ORDER.index(bench.replay) < ORDER.index(bench.card.replay):
        raise Violation(f"declares {bench.card.replay}, measured {bench.replay}: {said}")
    return f"{bench.replay}: {said}"


def _replayed(bench: PackageTrial, first: Trial, cassette: Path) -> tuple[Replay, str]:
    """What one replay of a recorded trial comes to."""
    try:
        again = bench.play(cassette=cassette, cassette_mode="replay")
    except Exception as error:
        return "none", f"replay fails: {error}"
    return _compared(first, again)


def _compared(first: Trial, again: Trial) -> tuple[Replay, str]:
    if again.faults:
        return "none", f"{len(again.faults)} requests were not on the cassette"
    if _content(first) == _content(again):
        return "exact", f"{first.served} calls replayed, {again.served} made"
    return "answers", "every request was on the cassette; memories or their order differ"


def _content(trial: Trial) -> list[Any]:
    """What records would hold: texts, sources, times, in order."""
    lists = [*trial.recalled, trial.stored or []]
    return [[(m.text, m.sources, m.time) for m in memories] for memories in lists]


def _body(body: object) -> str:
    return json.dumps(body, ensure_ascii=False, default=str)


def _runs(pid: int) -> bool:
    process = read_process(pid)
    return process is not None and not process.zombie


def _entries() -> set[Path]:
    """What lies in the home folder and in shared memory."""
    places = [folder for folder in (Path.home(), Path("/dev/shm")) if folder.is_dir()]
    return {path for folder in places for path in folder.iterdir()}


def _run(name: str, check: Callable[[PackageTrial], str], bench: PackageTrial) -> CheckResult:
    try:
        return CheckResult(name, "passed", check(bench))
    except NotApplicable as reason:
        return CheckResult(name, "skipped", str(reason))
    except Violation as violation:
        return CheckResult(name, "failed", str(violation))
    except Exception as error:
        return CheckResult(name, "failed", f"raised {described(error)}")


CHECKS: dict[str, Callable[[PackageTrial], str]] = {
    "dates reach it": dates_reach_it,
    "no wall clock": no_wall_clock,
    "embedding widths": embedding_widths,
    "metering complete": metering,
    "nothing left running": nothing_left_running,
    "nothing written outside": nothing_written_outside,
    "no network outside": no_network_outside,
    "replay class": replay_class,
}
"""In the order in which they are reported."""
