"""Every built-in system conforms, and every check can fail."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from membench.adapters.card import SystemCard
from membench.adapters.driven import cannot_be_opened, check_answers
from membench.adapters.parts.budget import cut
from membench.adapters.parts.log import TurnLog
from membench.adapters.registry import get_card, list_systems
from membench.domain.answer import Answer
from membench.domain.errors import Reason, SystemFault, UsageError
from membench.domain.labels import Role
from membench.domain.system import Memory, MemoryChange, Query
from membench.testing import checks
from membench.testing.checks import CHECKS
from membench.testing.conformance import CheckResult, Report, check, render, run_conformance
from membench.tokens import count_tokens

SERVERS = {"http", "mcp", "chat_agent"}
"""These drive what others run; their own tests check them against an example server."""

OFFLINE = [
    name
    for name, card in list_systems().items()
    if not card.roles
    and not card.environment
    and name not in SERVERS
    and card.protocol != "handed-in"
]


@pytest.mark.slow
@pytest.mark.parametrize("name", OFFLINE)
def test_every_built_in_system_conforms(name: str) -> None:
    report = run_conformance(name)
    assert report.passed, render(report)


@pytest.mark.parametrize(
    "parameters",
    [
        {"variant": "lucene"},
        {"tokenizer": "whitespace", "granularity": "session", "roles": "user"},
        {"granularity": "window", "text": "dated"},
    ],
    ids=str,
)
def test_bm25_conforms_in_its_variants(parameters: dict[str, str]) -> None:
    report = run_conformance("bm25", parameters)
    assert report.passed, render(report)


CARD = SystemCard(
    name="good",
    title="Good",
    summary="Recalls in order.",
    version="1",
    paper="",
    repo="",
    licence="MIT",
    fidelity="control",
    deviations=(),
    protocol="blind",
    granularity="turn",
    time="kept",
    replay="exact",
    capabilities=frozenset({"memories", "remember"}),
    roles=(),
    parameters={},
    entry="adapter:Good",
    folder=Path(),
)


class Good(TurnLog):
    """Recalls the first k turns; the systems below break one promise each."""

    def recall(self, query: Query) -> Any:
        return cut(self.log, query, count_tokens)


class NoClose:
    def reset(self, case: Any) -> None: ...
    def ingest(self, session: Any) -> list[MemoryChange]:
        return []

    def recall(self, query: Any) -> list[Memory]:
        return []

    def close(self) -> None: ...


class SecretMethod(Good):
    def answer(self, query: Query) -> Answer:
        return Answer("yes")


class ForgetsToReset(Good):
    def reset(self, case: Any) -> None:
        self.case = case.id


class RefillsOnSameName(Good):
    kept: ClassVar[dict[str, list[Memory]]] = {}

    def reset(self, case: Any) -> None:
        self.log = self.kept.setdefault(case.id, [])


class SearchesEveryone(Good):
    """A case without memories falls back on everybody's."""

    everyone: ClassVar[list[Memory]] = []

    def _keep(self, memories: list[Memory]) -> list[MemoryChange]:
        self.everyone.extend(memories)
        return super()._keep(memories)

    def recall(self, query: Query) -> Any:
        return cut(self.log or self.everyone, query, count_tokens)


class SharedStore(Good):
    shared: ClassVar[list[Memory]] = []

    def reset(self, case: Any) -> None:
        self.shared.clear()
        self.log = self.shared


class InventsAMemory(Good):
    def recall(self, query: Query) -> Any:
        return super().recall(query) or [Memory("I know nothing of this.")]


class Ascii(Good):
    def _keep(self, memories: list[Memory]) -> list[MemoryChange]:
        plain = [replace(m, text=m.text.encode("ascii", "replace").decode()) for m in memories]
        return super()._keep(plain)


class RisingScores(Good):
    def recall(self, query: Query) -> Any:
        return [replace(m, score=float(n)) for n, m in enumerate(super().recall(query))]


class FailsOnLongTurns(Good):
    def ingest(self, session: Any) -> list[MemoryChange]:
        if any(len(turn.text) > 10_000 for turn in session.turns):
            raise ValueError("input too long")
        return super().ingest(session)


class OneTooMany(Good):
    def recall(self, query: Query) -> Any:
        return super().recall(replace(query, k=None if query.k is None else query.k + 1))


class IgnoresBudget(Good):
    def recall(self, query: Query) -> Any:
        return super().recall(replace(query, token_budget=None))


class ForeignSources(Good):
    def recall(self, query: Query) -> Any:
        return [replace(m, sources=("elsewhere",)) for m in super().recall(query)]


class LearnsFromQuestions(Good):
    def recall(self, query: Query) -> Any:
        recalled = super().recall(query)
        self.log = self.log[1:] + self.log[:1]
        return recalled


class CountsInstances(Good):
    instances: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).instances += 1
        self.number = self.instances

    def recall(self, query: Query) -> Any:
        return [replace(m, text=f"{self.number} {m.text}") for m in super().recall(query)]


class WallClock(Good):
    def recall(self, query: Query) -> Any:
        return [replace(m, time=datetime.now()) for m in super().recall(query)]


class WritesToday(Good):
    def recall(self, query: Query) -> Any:
        today = datetime.now().date().isoformat()
        return [replace(m, text=f"{today} {m.text}") for m in super().recall(query)]


class NamesNoItem(Good):
    def remember(self, item: Any) -> list[MemoryChange]:
        return self._keep([Memory(item.text, ("somewhere",))])


class RecallsUngranted(Good):
    pass


class LossyRestore(Good):
    def snapshot(self, folder: Path) -> None: ...
    def restore(self, folder: Path) -> None: ...


class AnswersText(Good):
    def answer(self, query: Query) -> Any:
        return "yes"


class LeavesThread(Good):
    stop = threading.Event()

    def close(self) -> None:
        threading.Thread(target=self.stop.wait, daemon=True, name="leftover").start()


class LeavesProcess(Good):
    started: ClassVar[list[subprocess.Popen[bytes]]] = []

    def close(self) -> None:
        self.started.append(
            subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        )


class ClosesOnlyAfterUse(Good):
    def close(self) -> None:
        if not self.case:
            raise RuntimeError("never opened")


class ChangesAsText(Good):
    def ingest(self, session: Any) -> Any:
        super().ingest(session)
        return "stored"


class RecallsText(Good):
    def recall(self, query: Query) -> Any:
        return [memory.text for memory in super().recall(query)]


class EmptyTexts(Good):
    def recall(self, query: Query) -> Any:
        return [replace(memory, text="") for memory in super().recall(query)]


class RecallsNothing(Good):
    def recall(self, query: Query) -> Any:
        return []


class LosesDates(Good):
    def recall(self, query: Query) -> Any:
        return [replace(memory, time=None) for memory in super().recall(query)]


class DatesLate(Good):
    def recall(self, query: Query) -> Any:
        return [_a_moment_later(memory) for memory in super().recall(query)]


class StoresLate(Good):
    def memories(self) -> Any:
        return [_a_moment_later(memory) for memory in super().memories()]


def _a_moment_later(memory: Memory) -> Memory:
    """As a clock dates it that moves on while a model works."""
    return replace(memory, time=memory.time and memory.time + timedelta(milliseconds=20))


class LosesSources(Good):
    def recall(self, query: Query) -> Any:
        return [replace(memory, sources=()) for memory in super().recall(query)]


class CutsTexts(Good):
    def recall(self, query: Query) -> Any:
        return [replace(memory, text=memory.text[:20]) for memory in super().recall(query)]


WEAK: list[tuple[Callable[[], Any], str]] = [
    (LosesDates, "dates kept"),
    (LosesSources, "sources named"),
    (CutsTexts, "nothing lost"),
]


BROKEN: list[tuple[Callable[[], Any], set[str], str]] = [
    (NoClose, {"memories"}, "interface"),
    (SecretMethod, set(), "interface"),
    (ForgetsToReset, set(), "isolation"),
    (ForgetsToReset, set(), "reset empties"),
    (RefillsOnSameName, set(), "reset empties"),
    (SearchesEveryone, set(), "isolation"),
    (SharedStore, set(), "isolation"),
    (InventsAMemory, set(), "empty store"),
    (Ascii, set(), "order and unicode"),
    (RisingScores, set(), "order and unicode"),
    (FailsOnLongTurns, set(), "huge session"),
    (OneTooMany, set(), "number of memories"),
    (Good, {"ignores_k"}, "ignores k truthfully"),
    (IgnoresBudget, set(), "token budget"),
    (ForeignSources, set(), "source ids"),
    (LearnsFromQuestions, set(), "read only recall"),
    (CountsInstances, set(), "determinism"),
    (WallClock, set(), "dataset clock"),
    (WritesToday, set(), "dataset clock"),
    (RecallsNothing, set(), "something recalled"),
    (DatesLate, set(), "dates kept"),
    (StoresLate, set(), "dates kept"),
    (NamesNoItem, set(), "remembered items"),
    (RecallsUngranted, {"evidence_grant"}, "evidence grant"),
    (LossyRestore, {"snapshot"}, "snapshots"),
    (AnswersText, {"answer"}, "own answer"),
    (LeavesThread, set(), "clean close"),
    (LeavesProcess, set(), "clean close"),
    (ClosesOnlyAfterUse, set(), "clean close"),
    (ChangesAsText, set(), "source ids"),
    (RecallsText, set(), "source ids"),
    (EmptyTexts, set(), "source ids"),
]


@pytest.fixture(autouse=True)
def nothing_left_over(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stop what the systems above leave behind on purpose, and empty what they share."""
    monkeypatch.setattr(checks, "PATIENCE_S", 0.01)
    LeavesThread.stop.clear()
    yield
    LeavesThread.stop.set()
    while LeavesProcess.started:
        LeavesProcess.started.pop().communicate(b"\n")
    SearchesEveryone.everyone.clear()
    RefillsOnSameName.kept.clear()


def outcomes(make: Callable[[], Any], card: SystemCard) -> dict[str, tuple[str, str]]:
    results = check(card, make, huge_turns=30)
    return {result.name: (result.status, result.detail) for result in results}


def test_the_good_system_passes() -> None:
    assert {status for status, _ in outcomes(Good, CARD).values()} == {"passed", "skipped"}


@pytest.mark.parametrize(("broken", "claims", "name"), BROKEN)
def test_a_broken_promise_is_found(broken: Callable[[], Any], claims: set[str], name: str) -> None:
    card = replace(CARD, capabilities=CARD.capabilities | claims)
    status, detail = outcomes(broken, card)[name]
    assert (status, bool(detail)) == ("failed", True)


def test_every_check_is_shown_to_fail() -> None:
    names = {promise.__name__.replace("_", " ") for promise in CHECKS}
    assert {name for _, _, name in BROKEN} | {name for _, name in WEAK} == names


@pytest.mark.parametrize(("weak", "name"), WEAK)
def test_what_breaks_no_promise_and_spoils_figures_is_warned_of(
    weak: Callable[[], Any], name: str
) -> None:
    found = outcomes(weak, CARD)
    assert found[name][0] == "warned"
    report = Report("weak", "1", (CheckResult(name, *found[name]),))
    assert report.passed
    assert f"WARNING: {found[name][1]}" in render(report).splitlines()


def test_a_date_in_the_text_is_a_date() -> None:
    class DatesTexts(LosesDates):
        def recall(self, query: Query) -> Any:
            found = super().recall(query)
            return [replace(memory, text=f"(2 March 1998) {memory.text}") for memory in found]

    assert outcomes(DatesTexts, CARD)["dates kept"][0] == "passed"


def test_promises_that_the_card_does_not_make_are_skipped_with_the_reason() -> None:
    card = replace(CARD, capabilities=CARD.capabilities | {"mutates_on_recall"}, replay="none")
    found = outcomes(LearnsFromQuestions, card)
    assert found["read only recall"] == ("skipped", "declares mutates_on_recall")
    assert found["determinism"] == ("skipped", "declares replay = none")


def test_the_report_is_a_plain_table(capsys: pytest.CaptureFixture[str]) -> None:
    report = run_conformance("none")
    lines = render(report).splitlines()
    assert lines[0] == f"none {get_card('none').version}"
    assert lines[-1] == "14 passed, 0 failed, 8 skipped"
    assert len(lines) == len(CHECKS) + 2
    assert capsys.readouterr().out == ""


def test_every_check_is_named_before_it_begins() -> None:
    named: list[str] = []
    results = check(CARD, Good, report=named.append)
    assert named == [result.name for result in results]


def test_a_system_that_needs_a_model_says_which() -> None:
    with pytest.raises(UsageError, match="embedder"):
        check(replace(CARD, roles=(Role.EMBEDDER,)))


def test_a_thread_that_is_only_starting_is_waited_for_and_not_joined() -> None:
    begin, end = threading.Event(), threading.Event()
    starting = threading.Thread(target=end.wait)
    assert checks._outlives(starting, 0.01)  # listed by another thread's start, not yet begun

    def start_late() -> None:
        begin.wait()
        starting.start()
        end.set()

    helper = threading.Thread(target=start_late)
    helper.start()
    begin.set()
    assert not checks._outlives(starting, 60)
    helper.join()


def system_folder(folder: Path, *, entry: str = "adapter:Dairy", head: str = "") -> Path:
    """A system of a newcomer, with the entry and the first line of its adapter as given."""
    folder.mkdir()
    (folder / "adapter.py").write_text(f"{head}\nclass Diary:\n    pass\n")
    (folder / "system.toml").write_text(
        'name = "mine"\ntitle = "Mine"\nsummary = "A diary."\nversion = "1"\nlicence = "MIT"\n'
        'fidelity = "control"\ngranularity = "turn"\ntime = "kept"\nreplay = "exact"\n'
        f'entry = "{entry}"\n'
    )
    return folder


UNOPENED = [
    (
        {"entry": "adapter:Dairy"},
        "adapter.py has no 'Dairy', which `entry = \"adapter:Dairy\"` in system.toml names",
    ),
    ({"entry": "adaptor:Diary"}, 'there is no adaptor.py, which `entry = "adaptor:Diary"`'),
    (
        {"entry": "adapter:Diary", "head": "import no_such_library"},
        "ModuleNotFoundError: No module named 'no_such_library' (adapter.py:1)",
    ),
]


@pytest.mark.parametrize(("given", "why"), UNOPENED)
def test_what_cannot_be_opened_is_told_once_and_nothing_else_is_checked(
    given: dict[str, str], why: str, tmp_path: Path
) -> None:
    report = run_conformance(str(system_folder(tmp_path / "mine", **given)))
    assert not report.passed
    assert [r.status for r in report.results] == ["failed", *["not run"] * len(CHECKS)]
    text = render(report)
    assert "FAILED: system 'mine' cannot be opened: " in text
    assert why in text
    assert "docs/new-system.md" in text
    assert text.endswith(f"not run: {len(CHECKS)} checks")


@pytest.mark.parametrize(("given", "why"), UNOPENED)
def test_a_run_of_what_cannot_be_opened_is_refused_before_it_begins(
    given: dict[str, str], why: str, tmp_path: Path
) -> None:
    folder = system_folder(tmp_path / "mine", **given)
    with pytest.raises(UsageError, match="cannot be opened") as refused:
        check_answers(get_card(str(folder)), {}, "locomo")
    assert why in refused.value.problem


def test_a_server_that_is_off_is_told_once_with_what_to_do() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        report = run_conformance("http", {"url": url})
    text = render(report)
    assert text.count("ConnectionRefusedError") == 1
    assert f"system 'http' cannot be reached: {url}/reset" in text
    assert "Start it" in text


def test_a_system_that_raises_and_cannot_close_is_told_of_by_what_it_raised_first() -> None:
    class Both(Good):
        def ingest(self, session: Any) -> Any:
            raise ValueError("the cause")

        def close(self) -> None:
            raise ValueError("what follows")

    assert "the cause" in outcomes(Both, CARD)["isolation"][1]


def test_an_address_that_nobody_gave_is_called_the_default() -> None:
    card = get_card("http")
    url = str(card.parameters["url"].default)
    fault = SystemFault(Reason.SYSTEM_CRASH, f"{url}/reset: ConnectionRefusedError")
    assert f"{url} is the default; give yours with --set url=URL" in str(
        cannot_be_opened(card, fault)
    )
    other = SystemFault(Reason.SYSTEM_CRASH, "http://127.0.0.1:9/reset: ConnectionRefusedError")
    assert "default" not in str(cannot_be_opened(card, other))


def test_a_long_detail_keeps_the_line_at_its_end() -> None:
    detail = f"raised ValueError: {'x' * 400} (adapter.py:31)"
    (line,) = (
        line
        for line in render(Report("a", "1", (CheckResult("isolation", "failed", detail),))).split(
            "\n"
        )
        if "isolation" in line
    )
    assert line.endswith("(adapter.py:31)") and len(line) < 200
