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

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from membench.domain.errors import Reason
from membench.domain.labels import JsonView
from membench.domain.outcome import PlayedCase
from membench.domain.score import Score, Verdict
from membench.tasks.base import request_id
from membench.tasks.halumem.data import (
    HaluMemGold,
    HaluMemQuestion,
    MemoryPoint,
    SessionGold,
    session_of_turn,
)
from membench.tasks.halumem.evidence import Values, evidence_values
from membench.tasks.halumem.extraction import (
    Extraction,
    State,
    extraction,
    failed_state,
    played_state,
)
from membench.tasks.halumem.judge_requests import first_answer, goes_to_update, memory_ids
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
from membench.tasks.halumem.verdict_values import labelled, whole

IMPORTANCE = "importance"
INTEGRITY_SCORE = "integrity.score"
PER_SESSION = "extraction.memories_per_session"
OLD_VALUE = "update.old_value_share"
ADD_MS = "time.add_ms"
SEARCH_MS = "time.search_ms"
STRICT = "strict."
NO_JUDGE = "no_judge"
NO_VERDICT = "no_verdict"
PARTIAL = "partial"
INCLUDED = "is_included_in_golden_memories"
T = TypeVar("T")


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
