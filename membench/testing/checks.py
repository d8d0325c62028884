"""The checks of conformance, one promise each.

A check gets a `Subject` (a card and a way to make fresh instances), plays a small history and
raises `Violation` if the promise is broken, or `NotApplicable` if the card does not make it.
Anything else that a system raises is a violation too. What a check returns is a remark.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from membench.adapters.card import METHODS, SystemCard
from membench.domain.answer import Answer
from membench.domain.case import Session
from membench.domain.labels import Role
from membench.domain.system import Memory, MemoryChange, MemorySystem, Query
from membench.testing.histories import SCRIPTS, START, TALK, huge, info, item, session
from membench.tokens import count_tokens

QUESTIONS = (
    "How many hives does the sister keep?",
    "Which day is the pottery course?",
    "Where does Ines work?",
)
PATIENCE_S = 2.0
"""How long a thread may take to end after close."""
CANARY = "The vault code is quokka-7319-marzipan."
SECRET = "7319"
"""What only the canary holds: a model that repeats the question has not remembered it."""
CANARY_QUESTION = "What is the vault code, quokka marzipan?"


class Violation(Exception):
    """The system does not keep the promise."""


class Weakness(Exception):
    """Nothing promised is broken, but figures will suffer: a warning."""


class NotApplicable(Exception):
    """The card does not make the promise."""


@dataclass(frozen=True)
class Subject:
    """What is checked.

    Attributes:
        card: What the system declares.
        make: A fresh instance, as the harness makes one per lane.
        huge_turns: Turns of the huge session.
    """

    card: SystemCard
    make: Callable[[], MemorySystem]
    huge_turns: int = 2000

    def can(self, capability: str) -> bool:
        """Whether the card declares a capability."""
        return capability in self.card.capabilities

    @contextmanager
    def fresh(self, case: str = "case-a") -> Iterator[Any]:
        """A fresh instance at the start of a case, closed afterwards."""
        with closing(self.make()) as system:
            system.reset(info(case))
            yield system

    @contextmanager
    def played(self, case: str = "case-a") -> Iterator[Any]:
        """A fresh instance that has been through a short case."""
        with self.fresh(case) as system:
            self.play(system, case)
            yield system

    def play(self, system: Any, case: str, lines: tuple[tuple[str, str], ...] = TALK) -> None:
        """Ingest three sessions and finalize."""
        for index in range(3):
            system.ingest(session(case, index, lines[2 * index : 2 * index + 2]))
        if self.can("finalize"):
            system.finalize()

    def query(self, text: str, k: int | None = 5, **more: Any) -> Query:
        """A query; systems that are granted evidence are granted the first turns of any case."""
        cases = ("case-a", "case-b")
        everything = tuple(f"{c}/{n}/{m}" for c in cases for n in range(4) for m in range(2))
        granted = everything if self.can("evidence_grant") else None
        return replace(Query(text, k, granted=granted), **more)


def interface(subject: Subject) -> str:
    """The object has the methods of a memory system and those that its card declares."""
    with closing(subject.make()) as system:
        if not isinstance(system, MemorySystem):
            raise Violation("lacks one of reset, ingest, recall, close")
        for capability, methods in METHODS.items():
            _compare_methods(system, capability, methods, subject.can(capability))
    return f"declares {', '.join(sorted(subject.card.capabilities)) or 'nothing optional'}"


def _compare_methods(
    system: object, capability: str, methods: Sequence[str], declared: bool
) -> None:
    for method in methods:
        present = callable(getattr(system, method, None))
        if declared and not present:
            raise Violation(f"declares '{capability}' and has no {method}()")
        if present and not declared:
            raise Violation(f"has {method}() and does not declare '{capability}'")


def empty_store(subject: Subject) -> None:
    """Before anything is stored, recall is empty; an empty session is no trouble."""
    with subject.fresh() as system:
        _expect_nothing(system.recall(subject.query(CANARY_QUESTION)), "an empty store")
        _changes(system.ingest(Session("case-a/empty", 0, ())), ())
        _expect_nothing(system.recall(subject.query(CANARY_QUESTION)), "an empty session")
        _recall(system, subject.query(""))


def isolation(subject: Subject) -> None:
    """A secret of one case is never recalled in another, not even in an empty one."""
    with subject.fresh("case-a") as system:
        system.ingest(session("case-a", 0, (("Ines", CANARY),)))
        _recall(system, subject.query(CANARY_QUESTION))
        system.reset(info("case-b"))
        _expect_nothing(system.recall(subject.query(CANARY_QUESTION, 50)), "another, empty case")
        subject.play(system, "case-b")
        _no_canary(subject, system)
        with subject.fresh("case-b") as neighbour:
            neighbour.ingest(session("case-b", 0, TALK[:2]))
            system.ingest(session("case-b", 3, (("Tom", CANARY),)))
            _no_canary(subject, neighbour)


def _no_canary(subject: Subject, system: Any) -> None:
    seen = list(system.recall(subject.query(CANARY_QUESTION, 50)))
    if subject.can("memories"):
        seen += system.memories()
    for memory in seen:
        if SECRET in memory.text or any(name.startswith("case-a") for name in memory.sources):
            raise Violation(f"remembers another case: {memory.text!r}")


def reset_empties(subject: Subject) -> None:
    """`reset` empties the store, also when a case of the same name starts again."""
    with subject.played() as system:
        system.reset(info("case-a"))
        _expect_nothing(system.recall(subject.query(QUESTIONS[0])), "reset")
        if subject.can("memories"):
            _expect_nothing(system.memories(), "reset")


def order_and_unicode(subject: Subject) -> None:
    """Any script survives; sessions may come between questions; scores fall along the ranking."""
    verbatim = Role.MEMORY not in subject.card.roles and not subject.card.hosted
    with subject.fresh() as system:
        for index, line in enumerate(SCRIPTS):
            given = session("case-a", index, (line,))
            system.ingest(given)
            memories = _recall(system, subject.query(line[1], 50))
            _falling(memories)
            if verbatim:
                _unharmed(memories, given)


def _unharmed(memories: Sequence[Memory], given: Session) -> None:
    (turn,) = given.turns
    for memory in memories:
        if memory.sources == (turn.id,) and turn.content not in memory.text:
            raise Violation(f"stored {turn.content!r} and recalled {memory.text!r}")


def _falling(memories: Sequence[Memory]) -> None:
    scores = [memory.score for memory in memories if memory.score is not None]
    if any(later > earlier for earlier, later in pairwise(scores)):
        raise Violation(f"scores do not fall along the ranking: {scores}")


def huge_session(subject: Subject) -> str:
    """A session of thousands of turns, one of them very long, is stored and recalled from."""
    with subject.fresh() as system:
        system.ingest(huge("case-a", subject.huge_turns))
        memories = _recall(system, subject.query("Which shelf was empty?", token_budget=500))
        _within(memories, 500)
    return f"{subject.huge_turns} turns"


def number_of_memories(subject: Subject) -> None:
    """At most k memories come back, unless the card says that k is ignored."""
    if subject.can("ignores_k"):
        raise NotApplicable("declares ignores_k")
    with subject.played() as system:
        for k in (1, 2, 3, 100, None):
            got = len(_recall(system, subject.query(QUESTIONS[0], k)))
            if k is not None and got > k:
                raise Violation(f"asked for {k} memories, got {got}")


def ignores_k_truthfully(subject: Subject) -> None:
    """A system that declares to ignore k returns the same for every k."""
    if not subject.can("ignores_k"):
        raise NotApplicable("does not declare ignores_k")
    with subject.played() as system:
        one, many = (_recall(system, subject.query(QUESTIONS[0], k)) for k in (1, 100))
        if one != many:
            raise Violation(f"k=1 gives {len(one)} memories, k=100 gives {len(many)}")


def token_budget(subject: Subject) -> None:
    """The recalled texts together keep within the token budget."""
    with subject.played() as system:
        for budget in (0, 1, 20, 45, 1000):
            _within(_recall(system, subject.query(QUESTIONS[0], 50, token_budget=budget)), budget)


def _within(memories: Sequence[Memory], budget: int) -> None:
    tokens = sum(count_tokens(memory.text) for memory in memories)
    if tokens > budget:
        raise Violation(f"a budget of {budget} tokens was answered with {tokens}")


def source_ids(subject: Subject) -> str:
    """Every source that a memory names is a turn or an item of this case."""
    with subject.fresh() as system:
        known: set[str] = set()
        for index in range(3):
            given = session("case-a", index, TALK[2 * index : 2 * index + 2])
            known.update(turn.id for turn in given.turns)
            _known(_changes(system.ingest(given), known), known)
        memories = _recall(system, subject.query(QUESTIONS[0], 50))
        _known(memories, known)
        if subject.can("memories"):
            _known(system.memories(), known)
    named = sum(bool(memory.sources) for memory in memories)
    return f"{named} of {len(memories)} recalled memories name their sources"


def _known(memories: Sequence[Memory], known: set[str]) -> None:
    for memory in memories:
        if unknown := set(memory.sources) - known:
            raise Violation(f"names sources that were never given: {sorted(unknown)}")


def _changes(changes: object, known: Sequence[str] | set[str]) -> list[Memory]:
    """The memories of an ingest's reply, whose form is checked."""
    if changes is None:
        return []
    if not isinstance(changes, Sequence) or isinstance(changes, str):
        raise Violation(f"ingest returned {type(changes).__name__}, not a sequence or None")
    for change in changes:
        if not isinstance(change, MemoryChange) or change.kind not in ("add", "update", "delete"):
            raise Violation(f"ingest returned {change!r} as a change")
    return [change.memory for change in changes]


def read_only_recall(subject: Subject) -> None:
    """Recalling changes nothing: asked again, after other questions, it returns the same."""
    if subject.can("mutates_on_recall"):
        raise NotApplicable("declares mutates_on_recall")
    with subject.played() as system:
        before = list(system.memories()) if subject.can("memories") else []
        first = _recall(system, subject.query(QUESTIONS[0]))
        for question in QUESTIONS:
            _recall(system, subject.query(question, 50))
        if _recall(system, subject.query(QUESTIONS[0])) != first:
            raise Violation("the same question, asked later, recalls something else")
        if subject.can("memories") and list(system.memories()) != before:
            raise Violation("its memories differ after recall")


def determinism(subject: Subject) -> None:
    """Two fresh instances with the same seed recall the same."""
    if subject.card.replay != "exact":
        raise NotApplicable(f"declares replay = {subject.card.replay}")
    first, second = (_answers(subject) for _ in range(2))
    for question, one, other in zip(QUESTIONS, first, second, strict=True):
        if one != other:
            raise Violation(f"two fresh instances differ on {question!r}")


def _answers(subject: Subject) -> list[list[tuple[str, tuple[str, ...]]]]:
    with subject.played() as system:
        recalled = [_recall(system, subject.query(question)) for question in QUESTIONS]
    return [[(memory.text, memory.sources) for memory in memories] for memories in recalled]


def dataset_clock(subject: Subject) -> str:
    """Times of memories are the dataset's, never those of the wall clock."""
    today = datetime.now().date()
    with subject.played() as system:
        memories = _recall(system, subject.query(QUESTIONS[0], 50, now=datetime(1998, 4, 1)))
        if subject.can("memories"):
            memories += system.memories()
    for memory in memories:
        if memory.time is not None and memory.time.year != 1998:
            raise Violation(f"a memory of 1998 carries the time {memory.time}")
        if today.isoformat() in memory.text:
            raise Violation(f"today's date is in a memory: {memory.text!r}")
    dated = sum(memory.time is not None for memory in memories)
    return f"{dated} of {len(memories)} memories carry a time"


def _needs_recall(subject: Subject) -> None:
    if subject.card.reference == "floor":
        raise NotApplicable("is a floor: it need not recall anything")
    if subject.card.protocol == "answer-only":
        raise NotApplicable("answers by itself and recalls nothing")


RECALLED = 50
"""More memories than the short history has turns."""


def something_recalled(subject: Subject) -> str:
    """What was stored can be recalled: an empty reply to everything is no memory."""
    _needs_recall(subject)
    with subject.played() as system:
        found = [bool(_recall(system, subject.query(text, RECALLED))) for _, text in TALK]
    if not any(found):
        raise Violation(f"recalled nothing for any of {len(found)} questions in the stored words")
    return f"{sum(found)} of {len(found)} questions in the stored words recall something"


def nothing_lost(subject: Subject) -> None:
    """Asked for in its own words, every stored text comes back; only a model may rewrite it."""
    _needs_recall(subject)
    if Role.MEMORY in subject.card.roles:
        raise NotApplicable("may rewrite or drop what it is given")
    with subject.played() as system:
        recalled = {text: _recall(system, subject.query(text, RECALLED)) for _, text in TALK}
    lost = [
        text
        for text, memories in recalled.items()
        if not any(text in memory.text for memory in memories)
    ]
    if lost:
        raise Weakness(f"{len(lost)} of {len(TALK)} stored texts never come back, as {lost[0]!r}")


def dates_kept(subject: Subject) -> str:
    """Memories of dated sessions carry their date: in `time`, or in the text."""
    memories = _everything(subject)
    dated = sum(m.time is not None or str(START.year) in m.text for m in memories)
    if not dated:
        raise Weakness(
            f"the sessions had dates, none of {len(memories)} memories has one: temporal "
            "questions will fail (`time` of a memory is `turn.time or session.time`)"
        )
    return f"{dated} of {len(memories)} memories have a date"


def sources_named(subject: Subject) -> str:
    """Memories name the turns they came from; without, evidence metrics count nothing."""
    memories = _everything(subject)
    named = sum(bool(memory.sources) for memory in memories)
    if not named:
        raise Weakness(f"none of {len(memories)} memories names its sources: no evidence metrics")
    return f"{named} of {len(memories)} memories name their sources"


def _everything(subject: Subject) -> list[Memory]:
    """What the short history leaves to recall."""
    with subject.played() as system:
        found = [m for _, text in TALK for m in _recall(system, subject.query(text, RECALLED))]
    if not found:
        raise NotApplicable("recalled nothing")
    return found


def remembered_items(subject: Subject) -> None:
    """Items are stored as they are and name themselves as their source."""
    if not subject.can("remember"):
        raise NotApplicable("does not declare remember")
    given = item("case-a", "Ines is allergic to walnuts.")
    with subject.fresh() as system:
        stored = _changes(system.remember(given), {given.id})
        recalled = _recall(system, subject.query("Is Ines allergic to walnuts?", granted=None))
        _known([*stored, *recalled], {given.id})
        system.reset(info("case-b"))
        _expect_nothing(system.recall(subject.query("walnuts")), "another, empty case")


def evidence_grant(subject: Subject) -> None:
    """A system that is granted evidence recalls that evidence and nothing else."""
    if not subject.can("evidence_grant"):
        raise NotApplicable("does not declare evidence_grant")
    with subject.played() as system:
        granted = ("case-a/1/0", "case-a/2/1")
        recalled = _recall(system, subject.query(QUESTIONS[0], granted=granted))
        _known(recalled, set(granted))
        _expect_nothing(system.recall(subject.query(QUESTIONS[0], granted=None)), "no grant")


def snapshots(subject: Subject) -> None:
    """A restored snapshot recalls what was recalled when it was taken."""
    if not subject.can("snapshot"):
        raise NotApplicable("does not declare snapshot")
    with tempfile.TemporaryDirectory() as folder, subject.played() as system:
        system.snapshot(Path(folder))
        before = _recall(system, subject.query(QUESTIONS[0]))
        system.ingest(session("case-a", 3, (("Tom", CANARY),)))
        system.restore(Path(folder))
        if _recall(system, subject.query(QUESTIONS[0])) != before:
            raise Violation("recalls something else after restore")
        _no_later_secret(_recall(system, subject.query(CANARY_QUESTION, 50)))


def _no_later_secret(memories: Sequence[Memory]) -> None:
    if any(SECRET in memory.text for memory in memories):
        raise Violation("remembers after restore what came after the snapshot")


def own_answer(subject: Subject) -> None:
    """`answer` returns an `Answer`."""
    if not subject.can("answer"):
        raise NotApplicable("does not declare answer")
    with subject.played() as system:
        answer = system.answer(subject.query(QUESTIONS[0]))
        if not isinstance(answer, Answer):
            raise Violation(f"answer returned {type(answer).__name__}")


def clean_close(subject: Subject) -> None:
    """`close` works at any time and leaves no thread and no process behind."""
    threads, children = set(threading.enumerate()), _children()
    subject.make().close()
    with subject.played():
        pass
    with subject.fresh():
        pass
    for thread in set(threading.enumerate()) - threads:
        if _outlives(thread, PATIENCE_S):
            raise Violation(f"thread '{thread.name}' is still running after close")
    if left := _children() - children:
        raise Violation(f"{len(left)} processes are still running after close")


def _outlives(thread: threading.Thread, seconds: float) -> bool:
    """Whether a thread still runs after so many seconds.

    `threading.enumerate` also lists a thread that another one is just starting; it has no
    identifier yet and cannot be joined.
    """
    deadline = time.monotonic() + seconds
    while thread.ident is None and time.monotonic() < deadline:
        time.sleep(0.001)
    if thread.ident is not None:
        thread.join(timeout=max(0.0, deadline - time.monotonic()))
    return thread.ident is None or thread.is_alive()


def _children() -> set[str]:
    """Process ids of our children, where the operating system tells (Linux)."""
    tasks = Path("/proc/self/task")
    files = tasks.glob("*/children") if tasks.is_dir() else ()
    return {pid for file in files for pid in file.read_text().split()}


def _recall(system: Any, query: Query) -> list[Memory]:
    """Recall, and check the form of the reply."""
    reply = system.recall(query)
    if not isinstance(reply, Sequence) or isinstance(reply, str):
        raise Violation(f"recall returned {type(reply).__name__}, not a sequence")
    for memory in reply:
        if not isinstance(memory, Memory):
            raise Violation(f"recall returned {memory!r} as a memory")
        if not memory.text:
            raise Violation("recall returned a memory without text")
        memory.text.encode("utf-8")
    return list(reply)


def _expect_nothing(memories: Sequence[Memory], after: str) -> None:
    if memories:
        raise Violation(f"after {after} it recalled {memories[0].text!r}")


Check = Callable[[Subject], str | None]
CHECKS: tuple[Check, ...] = (
    interface,
    empty_store,
    isolation,
    reset_empties,
    order_and_unicode,
    huge_session,
    number_of_memories,
    ignores_k_truthfully,
    token_budget,
    source_ids,
    read_only_recall,
    determinism,
    dataset_clock,
    something_recalled,
    nothing_lost,
    dates_kept,
    sources_named,
    remembered_items,
    evidence_grant,
    snapshots,
    own_answer,
    clean_close,
)
"""In the order in which they are reported."""
