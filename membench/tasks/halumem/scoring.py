"""From what was played to HaluMem's score rows, and the judge requests on the way.

One row per session (sizes, times), per gold point (`integrity`), per extracted memory
(`accuracy`), per update probe (`update`) and per question. A row lists what it adds to each
ratio; `aggregate` adds up. Routing is the official one, with the `strict.` one beside it:

- an update point whose probe recalled anything goes to `update`; one whose probe recalled nothing
  goes to `integrity` officially, and is an omission strictly;
- a session with a blank extraction scores 0 on all its points without a call;
- a system that cannot tell what it stored has no extraction figures: its rows are unscored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TypeVar

from membench.domain.case import Ask, Case, Ingest, Session
from membench.domain.errors import Reason
from membench.domain.labels import JsonView
from membench.domain.outcome import Answered, Ingested, Outcome, PlayedCase, Recalled
from membench.domain.score import JudgeRequest, Score, ScoreStatus, Verdict
from membench.domain.system import MemoryChange
from membench.metrics.retrieval import MEASURES, cuts, rank_in_pool, why_undetermined
from membench.tasks.base import request_id
from membench.tasks.halumem.data import (
    HaluMemGold,
    HaluMemQuestion,
    MemoryPoint,
    SessionGold,
    session_of_turn,
)
from membench.tasks.halumem.metrics import (
    ANSWER_LABELS,
    PRECISION,
    UPDATE_LABELS,
    Accuracy,
    Integrity,
    Part,
    accuracy_parts,
    answer_parts,
    holds_old_value,
    included_in_gold,
    integrity_parts,
    update_parts,
)

CUTS = (1, 5, 10, 20)
IMPORTANCE = "importance"
INTEGRITY_SCORE = "integrity.score"
PER_SESSION = "extraction.memories_per_session"
OLD_VALUE = "update.old_value_share"
ADD_MS = "time.add_ms"
SEARCH_MS = "time.search_ms"
STRICT = "strict."

NO_JUDGE = "no_judge"
NO_VERDICT = "no_verdict"
CANNOT_TELL = "changes_unknown"
PARTIAL = "partial"

INCLUDED = "is_included_in_golden_memories"
Values = dict[str, float | None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class State:
    """Status and reason of a row, shared by all that could not be judged for the same cause."""

    status: ScoreStatus = "scored"
    reason: str | None = None

    @property
    def open(self) -> bool:
        """Whether nothing has spoilt the row yet."""
        return self.status == "scored"


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a session left in the store, or why nobody knows."""

    state: State
    texts: tuple[str, ...] = ()

    @property
    def joined(self) -> str:
        """The memories as the judge reads them."""
        return "\n".join(self.texts)

    @property
    def blank(self) -> bool:
        """Whether there is nothing to read."""
        return not self.joined.strip()


# --- what a session stored -----------------------------------------------------------------------


def extraction(played: PlayedCase, session: SessionGold) -> Extraction:
    """The memories created or changed by a session: by its Ingest and the Finalize after it."""
    ingest = played.ingested.get(session.ingest)
    finalize = played.ingested.get(session.ingest + 1)
    state = played_state(ingest)
    if state.open and finalize is not None:
        state = played_state(finalize)
    if ingest is None or not state.open:
        return Extraction(state)
    if ingest.changes is None:
        return Extraction(State("unscored", CANNOT_TELL))
    later = finalize.changes if finalize is not None and finalize.changes else ()
    return Extraction(State(), remaining((*ingest.changes, *later)))


def remaining(changes: Iterable[MemoryChange]) -> tuple[str, ...]:
    """Texts that were added or updated and are still there: the difference of the store.

    A memory with an id that changes twice counts once, in its last form; one without an id cannot
    be followed and counts each time.
    """
    kept: dict[str, str] = {}
    for number, change in enumerate(changes):
        key = f"id:{change.memory.id}" if change.memory.id is not None else f"at:{number}"
        if change.kind == "delete":
            kept.pop(key, None)
        else:
            kept[key] = change.memory.text
    return tuple(kept.values())


def played_state(record: Ingested | Recalled | Answered | None) -> State:
    """Whether an event went well; one that was never recorded is missing."""
    if record is None:
        return State("failed", Reason.MISSING)
    return failed_state(record.outcome)


def failed_state(outcome: Outcome) -> State:
    """The state an outcome leads to."""
    return State() if outcome.ok else State("failed", outcome.reason or Reason.HARNESS_ERROR)


# --- judge requests ------------------------------------------------------------------------------


def requests(played: PlayedCase, gold: HaluMemGold) -> Iterator[JudgeRequest]:
    """Every verdict that scoring a user needs, session by session."""
    for session in gold.sessions:
        if not session.generated:
            found = extraction(played, session)
            if found.state.open and not found.blank:
                yield from integrity_requests(played, session, found)
                yield from accuracy_requests(played.case, session, found)
            yield from update_requests(played, session)
    for event, question in gold.questions.items():
        answer = first_answer(played, event)
        if answer is not None and answer.text is not None:
            yield question_request(played.case, event, question, answer.text)


def integrity_requests(
    played: PlayedCase, session: SessionGold, found: Extraction
) -> Iterator[JudgeRequest]:
    """One per point that is routed to integrity."""
    for point in session.points:
        if not goes_to_update(played, point):
            fields = {"memories": found.joined, "expected_memory_point": point.text}
            yield JudgeRequest(request_id(point.id, "integrity"), "integrity", fields)


def accuracy_requests(
    case: Case, session: SessionGold, found: Extraction
) -> Iterator[JudgeRequest]:
    """One per extracted memory, each with the whole dialogue and the session's true points."""
    shared = {
        "dialogue": dialogue(case, session),
        "golden_memories": "\n".join(p.text for p in session.points if not p.interference),
    }
    for item, text in zip(memory_ids(session, found), found.texts, strict=True):
        fields = {**shared, "candidate_memory": text}
        yield JudgeRequest(request_id(item, "accuracy"), "accuracy", fields)


def update_requests(played: PlayedCase, session: SessionGold) -> Iterator[JudgeRequest]:
    """One per update probe that recalled anything."""
    for point in session.points:
        recalled = probe_record(played, point)
        if recalled is not None and recalled.outcome.ok and recalled.memories:
            fields = {
                "memories": "\n".join(memory.text for memory in recalled.memories),
                "updated_memory": point.text,
                "original_memory": "\n".join(point.originals),
            }
            yield JudgeRequest(request_id(point.id, "update"), "update", fields)


def question_request(
    case: Case, event: int, question: HaluMemQuestion, response: str
) -> JudgeRequest:
    """The request for one answer."""
    ask = case.timeline[event]
    fields = {
        "question": ask.question.text if isinstance(ask, Ask) else "",
        "reference_answer": question.answer or "",
        "key_memory_points": "\n".join(question.evidence_texts),
        "response": response,
    }
    return JudgeRequest(request_id(question.question_id, "question"), "question", fields)


def dialogue(case: Case, session: SessionGold) -> str:
    """A session as the accuracy judge reads it: a blank line after each assistant message."""
    turns = session_at(case, session.ingest).turns
    return "\n".join(t.text if t.role == "user" else f"{t.text}\n" for t in turns)


def session_at(case: Case, event: int) -> Session:
    """The session of an `Ingest`."""
    found = case.timeline[event]
    assert isinstance(found, Ingest)
    return found.session


def memory_ids(session: SessionGold, found: Extraction) -> list[str]:
    """`<uuid>/s<session>/m<index>` of each extracted memory."""
    return [f"{session.id}/m{number}" for number in range(len(found.texts))]


def probe_record(played: PlayedCase, point: MemoryPoint) -> Recalled | None:
    """What an update point's probe recalled."""
    return None if point.probe is None else played.recalled.get(point.probe)


def goes_to_update(played: PlayedCase, point: MemoryPoint) -> bool:
    """The official routing: an update whose probe found something, or failed to be played."""
    if point.probe is None:
        return False
    recalled = played.recalled.get(point.probe)
    return recalled is None or not recalled.outcome.ok or bool(recalled.memories)


def first_answer(played: PlayedCase, event: int) -> Answered | None:
    """The answer to a question; the protocol wants one."""
    answers = played.answered.get(event, ())
    return answers[0] if answers else None


# --- score rows ----------------------------------------------------------------------------------


def rows(played: PlayedCase, gold: HaluMemGold, verdicts: Mapping[str, Verdict]) -> Iterator[Score]:
    """Every score row of a user."""
    scorer = Scorer(played, gold, verdicts)
    for session in gold.sessions:
        yield from scorer.session_rows(session)
    for event, question in gold.questions.items():
        yield scorer.question_row(event, question)


@dataclass(frozen=True)
class Scorer:
    """One user's records, gold and verdicts."""

    played: PlayedCase
    gold: HaluMemGold
    verdicts: Mapping[str, Verdict]

    @cached_property
    def session_of(self) -> Mapping[str, str]:
        """Public turn id -> public session id."""
        return session_of_turn(self.played.case)

    def session_rows(self, session: SessionGold) -> Iterator[Score]:
        """The session's own row, and those of its points, memories and probes."""
        found = extraction(self.played, session)
        yield self.size_row(session, found)
        if session.generated:
            return
        for point in session.points:
            yield from self.point_rows(session, point, found)
        for item in memory_ids(session, found):
            yield self.accuracy_row(session, item)

    def size_row(self, session: SessionGold, found: Extraction) -> Score:
        """How much a session added and how long that took; a generated one only has a time."""
        values: Values = {}
        if not session.generated:
            values[PER_SESSION] = float(len(found.texts)) if found.state.open else None
        ingest = self.played.ingested.get(session.ingest)
        if ingest is not None and ingest.duration_ms is not None:
            values[ADD_MS] = ingest.duration_ms
        state = State() if session.generated and found.state.status != "failed" else found.state
        return self.row(session.id, "session", None, session.ingest, state, values)

    def point_rows(
        self, session: SessionGold, point: MemoryPoint, found: Extraction
    ) -> Iterator[Score]:
        """Integrity, update, or (an update that recalled nothing) one row for each reading."""
        if not goes_to_update(self.played, point):
            yield self.integrity_row(session, point, found)
        if point.probe is not None:
            yield self.update_row(point, point.probe)

    def integrity_row(self, session: SessionGold, point: MemoryPoint, found: Extraction) -> Score:
        """Whether a point was stored."""
        request = request_id(point.id, "integrity")
        state, score = found.state, None
        if state.open and found.blank and request not in self.verdicts:
            score = 0
        elif state.open:
            state, score = self.judged(request, whole("score", "label"))
        record = Integrity(point.memory_type, point.interference, point.importance, score)
        parts = integrity_parts(record)
        values = numerators(parts)
        if not point.interference and point.probe is None:
            values |= {f"{STRICT}{name}": value for name, value in values.items()}
        values[INTEGRITY_SCORE] = score
        if not point.interference:
            values[IMPORTANCE] = point.importance
        return self.row(point.id, "integrity", point.memory_type, session.ingest, state, values)

    def accuracy_row(self, session: SessionGold, item: str) -> Score:
        """Whether an extracted memory is true, and about something gold holds."""
        request = request_id(item, "accuracy")
        state, score = self.judged(request, whole("accuracy_score", "label"))
        included = state.open and included_in_gold(self.verdicts[request].values.get(INCLUDED))
        values = numerators(accuracy_parts(Accuracy(score, included)))
        if state.status == "unscored":
            values[PRECISION] = None
        return self.row(item, "accuracy", None, session.ingest, state, values)

    def update_row(self, point: MemoryPoint, probe: int) -> Score:
        """Whether a changed fact is found in its new form."""
        recalled = self.played.recalled.get(probe)
        state, label = played_state(recalled), None
        texts = [memory.text for memory in recalled.memories] if recalled is not None else []
        if state.open and not texts:
            values = strict(numerators(update_parts("omission")))
            return self.row(point.id, "update", point.memory_type, probe, state, values)
        values = {}
        if state.open:
            values[OLD_VALUE] = float(holds_old_value(texts, point.originals, point.text))
            state, label = self.judged(request_id(point.id, "update"), labelled(UPDATE_LABELS))
        official = numerators(update_parts(label))
        values |= official | strict(official)
        return self.row(point.id, "update", point.memory_type, probe, state, values)

    def question_row(self, event: int, question: HaluMemQuestion) -> Score:
        """What became of a question, and whether its evidence was recalled."""
        answer = first_answer(self.played, event)
        state, label = played_state(answer), None
        if state.open:
            request = request_id(question.question_id, "question")
            state, label = self.judged(request, labelled(ANSWER_LABELS))
        values = numerators(answer_parts(label))
        recalled = self.played.recalled.get(event)
        if recalled is not None and recalled.duration_ms is not None:
            values[SEARCH_MS] = recalled.duration_ms
        evidence, flags = evidence_values(
            self.played.case, event, question, recalled, self.session_of
        )
        row = self.row(
            question.question_id, "question", question.category, event, state, values | evidence
        )
        return replace(row, flags=row.flags + flags)

    def judged(self, request: str, read: Callable[[JsonView], T | None]) -> tuple[State, T | None]:
        """What a verdict says, or why it says nothing."""
        verdict = self.verdicts.get(request)
        if verdict is None:
            return State("unscored", NO_VERDICT if self.verdicts else NO_JUDGE), None
        state = failed_state(verdict.outcome)
        if not state.open:
            return state, None
        value = read(verdict.values)
        return (
            (state, value)
            if value is not None
            else (State("failed", Reason.JUDGE_UNPARSABLE), None)
        )

    def row(
        self,
        item: str,
        kind: str,
        category: str | None,
        event: int,
        state: State,
        values: Values,
    ) -> Score:
        """A score row of this user."""
        return Score(
            case_id=self.gold.case_id,
            item_id=item,
            kind=kind,
            category=category,
            status=state.status,
            values=values,
            reason=state.reason,
            flags=(PARTIAL,) if self.gold.partial else (),
            event=event,
        )


def numerators(parts: Mapping[str, Part]) -> Values:
    """What a record adds to each ratio."""
    return {name: part.numerator for name, part in parts.items()}


def strict(values: Values) -> Values:
    """The same values under the strict names."""
    return {f"{STRICT}{name}": value for name, value in values.items()}


def whole(*keys: str) -> Callable[[JsonView], int | None]:
    """Reads a score of 0, 1 or 2 under the first key there is."""

    def read(values: JsonView) -> int | None:
        found = next((values[key] for key in keys if key in values), None)
        if isinstance(found, float) and found.is_integer():
            found = int(found)
        if isinstance(found, bool) or str(found) not in ("0", "1", "2"):
            return None
        return int(str(found))

    return read


def labelled(labels: Sequence[str]) -> Callable[[JsonView], str | None]:
    """Reads a label under our own key, or under the official one in the official spelling.

    The official scorer compares `evaluation_result` with `Correct` and the like as they are.
    """

    def read(values: JsonView) -> str | None:
        if "label" in values:
            found = str(values["label"]).strip().lower()
            return found if found in labels else None
        spelled = {label.capitalize(): label for label in labels}
        return spelled.get(str(values.get("evaluation_result")).strip())

    return read


# --- evidence ------------------------------------------------------------------------------------


def evidence_values(
    case: Case,
    event: int,
    question: HaluMemQuestion,
    recalled: Recalled | None,
    session_of: Mapping[str, str],
) -> tuple[Values, tuple[str, ...]]:
    """How much of a question's evidence was recalled, by session, and remarks on it.

    HaluMem names the gold points that a question rests on; the sessions they were stated in
    follow by exact match. Turns do not, so there are no turn figures.
    """
    wanted = question.evidence_sessions
    if wanted is None:
        return {}, ("evidence_outside_file",)
    if not wanted or recalled is None:
        return {}, ()
    if not recalled.outcome.ok:
        return dict.fromkeys(evidence_names(CUTS)), ()
    if recalled.memories and not any(memory.sources for memory in recalled.memories):
        return {}, ("no_sources",)
    units = [
        frozenset(session_of[turn] for turn in memory.sources if turn in session_of)
        for memory in recalled.memories
    ]
    return ranked_values(case, event, wanted, units, recalled.k)


def ranked_values(
    case: Case, event: int, wanted: Sequence[str], units: Sequence[frozenset[str]], k: int | None
) -> tuple[Values, tuple[str, ...]]:
    """The evidence figures at every cut the recall serves."""
    past = case.timeline[:event]
    pool = frozenset(e.session.id for e in past if isinstance(e, Ingest) and e.session.turns)
    why = partial(why_undetermined, units=units, pool=pool, k=k, recalled=len(units))
    values: Values = {"evidence.session.mrr": rank_in_pool(units, wanted, pool)}
    flags: list[str] = []
    for n in cuts(CUTS, k):
        reason = why(n)
        flags += [reason] if reason and reason not in flags else []
        for name, measure in MEASURES.items():
            values[cut_name(name, n)] = None if reason else measure(units, wanted, n)
    return values, tuple(flags)


def evidence_names(at: Iterable[int]) -> list[str]:
    """Every evidence figure, for a recall that failed."""
    return ["evidence.session.mrr", *(cut_name(name, n) for n in at for name in MEASURES)]


def cut_name(measure: str, n: int) -> str:
    """The name of a figure at a cut."""
    return f"evidence.session.{measure}@{n}"
