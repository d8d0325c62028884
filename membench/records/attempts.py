"""What a run has recorded so far, case by case.

Journals are interleaved by lanes and hold abandoned attempts, so they are indexed once by byte
offset; a case's records are then read when it is scored. The **final attempt** at a case is its
last complete one: an attempt with a record for every event of the timeline.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import orjson

from membench.domain.case import Ask, Case, Probe, Turn
from membench.domain.labels import JsonObject, JsonView
from membench.domain.outcome import Answered, Ingested, Outcome, PlayedCase, Recalled
from membench.domain.packed import PackedNumbers
from membench.domain.system import Memory
from membench.records.journal import read_offsets
from membench.records.memories import changes_from_content, memory_from_line
from membench.records.record import Record
from membench.records.shape import Shape, is_answer, is_note, is_play, is_text

OPAQUE = re.compile(r"[0-9a-f]{16}")

Lines = Mapping[int, Sequence[bytes]]
"""The lines of one case in one journal as they were written, by attempt."""


class JournalIndex:
    """Where the lines of each (case, attempt) stand in a journal; `notes` belong to none.

    Kept is one **stretch** for lines of one attempt that follow each other, about 20 bytes
    each: a million cases with one question are a million stretches.
    """

    def __init__(self, path: Path, shape: Shape) -> None:
        """Scan the file once; a missing file has no lines, nor has one line another shape."""
        self._path = path
        self.notes: list[JsonObject] = []
        self._cases = array("Q")
        self._attempts, self._starts = PackedNumbers(), PackedNumbers()
        self._sizes = PackedNumbers()
        for start, end, line in read_offsets(path):
            if "case" not in line:
                if is_note(line):
                    self.notes.append(line)
            elif shape(line) and (case := case_number(line["case"])) is not None:
                self._extend(case, line["attempt"], start, end)
        self._sort()

    def _extend(self, case: int, attempt: int, start: int, end: int) -> None:
        """Take in a line: it goes on with the last stretch, or begins another."""
        if self._cases and (case, attempt, start) == self._last():
            self._sizes[-1] = end - self._starts[-1]
            return
        self._cases.append(case)
        self._attempts.append(attempt)
        self._starts.append(start)
        self._sizes.append(end - start)

    def _last(self) -> tuple[int, int, int]:
        """Case and attempt of the last stretch, and where it ends."""
        return self._cases[-1], self._attempts[-1], self._starts[-1] + self._sizes[-1]

    def _sort(self) -> None:
        """Order the stretches by case; those of one case stay as they were written."""
        import numpy as np  # lanes import this module, and index nothing

        order = np.argsort(np.asarray(self._cases), kind="stable")
        self._cases = array("Q", np.asarray(self._cases)[order].tobytes())
        for column in (self._attempts, self._starts, self._sizes):
            values = column.values
            column.values = array(values.typecode, np.asarray(values)[order].tobytes())

    def _stretches(self, case: str) -> range:
        """The stretches of a case."""
        number = case_number(case)
        if number is None:
            return range(0)
        return range(bisect_left(self._cases, number), bisect_right(self._cases, number))

    def attempts(self, case: str) -> list[int]:
        """Attempts at a case, oldest first."""
        return sorted({self._attempts[at] for at in self._stretches(case)})

    def cases(self) -> Iterator[str]:
        """Every case with a line, sorted."""
        return (f"{number:016x}" for number, _ in groupby(self._cases))

    def lines(self, case: str) -> Lines:
        """The lines of every attempt at a case, oldest attempt first."""
        stretches = self._stretches(case)
        if not stretches:
            return {}
        found: dict[int, list[bytes]] = {attempt: [] for attempt in self.attempts(case)}
        with self._path.open("rb") as file:
            for at in stretches:
                file.seek(self._starts[at])
                data = file.read(self._sizes[at])
                found[self._attempts[at]] += filter(None, data.split(b"\n"))
        return found


def case_number(case: str) -> int | None:
    """An opaque case id (16 hexadecimal digits) as a number; None for what is none."""
    return int(case, 16) if OPAQUE.fullmatch(case) else None


@dataclass(frozen=True)
class CaseAttempt:
    """The final attempt at one case.

    Attributes:
        attempt: Its number; None if no attempt is complete.
        records: One play record per event, in order; empty without a complete attempt.
        texts: The memory lines, by number n.
        answers: Answer records by event, of this attempt.
        abandoned: Records of other attempts and replaced ones; what they cost is shown apart.
    """

    attempt: int | None
    records: tuple[Record, ...] = ()
    texts: tuple[JsonView, ...] = ()
    answers: Mapping[int, Record] | None = None
    abandoned: tuple[Record, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether any event of the attempt failed."""
        return any(record.content["status"] == "failed" for record in self.records)

    @property
    def whole(self) -> bool:
        """Whether every memory that the attempt names by number is there."""
        known = len(self.texts)
        return all(line["n"] == n for n, line in enumerate(self.texts)) and all(
            n < known for record in self.records for n in named_memories(record.content)
        )


@dataclass(frozen=True)
class RawCaseRecords:
    """What is recorded of one case, unparsed: cheap to hand to a lane, which then loads it.

    Attributes:
        events: How many events its timeline has.
        play: Lines of its events.
        texts: Lines of its memories.
        answers: Lines of its answers.
    """

    events: int
    play: Lines
    texts: Lines
    answers: Lines

    def load(self, *, whole: bool = True) -> CaseAttempt:
        """The final attempt with its texts and answers.

        Args:
            whole: Whether an attempt without all its memories counts as none.
        """
        play, answers = records_of(self.play), records_of(self.answers)
        attempt = self._final_attempt(play)
        kept, others = latest_by_event(play, attempt)
        answered, other_answers = latest_by_event(answers, attempt)
        abandoned = (*others, *other_answers)
        if attempt is None:
            return CaseAttempt(None, abandoned=abandoned)
        texts = {line["n"]: line for line in map(orjson.loads, self.texts.get(attempt, ()))}
        loaded = CaseAttempt(
            attempt,
            tuple(kept[event] for event in sorted(kept)),
            tuple(texts[n] for n in sorted(texts)),
            answered,
            abandoned,
        )
        if whole and not loaded.whole:
            return CaseAttempt(None, abandoned=(*loaded.records, *answered.values(), *abandoned))
        return loaded

    def _final_attempt(self, play: Mapping[int, Sequence[Record]]) -> int | None:
        """The last attempt with a record for every event."""
        complete = (
            attempt
            for attempt in sorted(play, reverse=True)
            if len({record.event for record in play[attempt]}) == self.events
        )
        return next(complete, None)


def named_memories(content: JsonView) -> list[int]:
    """The numbers of the memories that a record names."""
    changes = content.get("changes")
    listed = changes if isinstance(changes, list) else ()
    return [*(content.get("memories") or ()), *(entry["n"] for entry in listed)]


def records_of(lines: Lines) -> dict[int, list[Record]]:
    """Records by attempt, in the order they were written."""
    return {
        attempt: [Record.from_json(orjson.loads(line)) for line in of_one]
        for attempt, of_one in lines.items()
    }


def latest_by_event(
    records: Mapping[int, Sequence[Record]], final: int | None
) -> tuple[dict[int, Record], list[Record]]:
    """The last record of each event of the final attempt, and all other records."""
    kept: dict[int, Record] = {}
    others: list[Record] = []
    for attempt, of_one in records.items():
        if attempt != final:
            others.extend(of_one)
            continue
        for record in of_one:
            if record.event in kept:
                others.append(kept[record.event])
            kept[record.event] = record
    return kept, others


class RunRecords:
    """Everything a run directory has recorded, indexed."""

    def __init__(self, play: Path, texts: Path, answers: Path) -> None:
        """Index the three journals; any of them may not exist yet."""
        self._play = JournalIndex(play, is_play)
        self._texts = JournalIndex(texts, is_text)
        self._answers = JournalIndex(answers, is_answer)

    @property
    def notes(self) -> list[JsonObject]:
        """What lanes noted outside any event: late calls, trouble at closing."""
        return self._play.notes

    def attempts(self, case: str) -> list[int]:
        """Attempts at playing a case, oldest first."""
        return self._play.attempts(case)

    def lines(self, case: Case) -> RawCaseRecords:
        """What is recorded of a case, unparsed."""
        return RawCaseRecords(
            len(case.timeline),
            self._play.lines(case.id),
            self._texts.lines(case.id),
            self._answers.lines(case.id),
        )

    def load(self, case: Case, *, whole: bool = True) -> CaseAttempt:
        """The final attempt at a case with its texts and answers (`RawCaseRecords.load`)."""
        return self.lines(case).load(whole=whole)


def is_answer_alone(content: JsonView) -> bool:
    """Whether a system answered without showing what it recalled: retrieval is then not scored."""
    return content["status"] == "ok" and content.get("memories") is None


def played_case(case: Case, recorded: CaseAttempt) -> PlayedCase:
    """Turn records back into what scoring works on."""
    memories = [memory_from_line(line) for line in recorded.texts]
    ingested: dict[int, Ingested] = {}
    recalled: dict[int, Recalled] = {}
    answered: dict[int, tuple[Answered, ...]] = {}
    turns = case.turns()
    for record in recorded.records:
        content, outcome = record.content, outcome_of(record.content)
        if isinstance(case.timeline[record.event], Ask | Probe):
            if is_answer_alone(content):
                continue
            chosen = tuple(memories[n] for n in content.get("memories", ()))
            recalled[record.event] = Recalled(outcome, chosen, content.get("k"))
        else:
            ingested[record.event] = Ingested(
                outcome, changes_from_content(content, recorded.texts)
            )
    for event, record in (recorded.answers or {}).items():
        answered[event] = tuple(
            Answered(outcome_of(answer), answer_text(answer, turns, memories), generation)
            for generation, answer in enumerate(record.content["answers"])
        )
    return PlayedCase(case, ingested, recalled, answered)


def outcome_of(content: JsonView) -> Outcome:
    """Status and reason of a record's content."""
    return Outcome(content["status"] == "ok", content.get("reason"))


def answer_text(
    answer: JsonView, turns: Mapping[str, Turn], memories: Sequence[Memory]
) -> str | None:
    """The text of a recorded answer: as given, or resolved from its parts; None if it failed."""
    if answer["status"] == "failed":
        return None
    if "parts" not in answer:
        return str(answer["text"])
    return "".join(part_text(part, turns, memories) for part in answer["parts"])


def part_text(part: JsonView, turns: Mapping[str, Turn], memories: Sequence[Memory]) -> str:
    """The text that one recorded part refers to."""
    if "generated" in part:
        return str(part["generated"])
    source = turns[part["turn"]].text if "turn" in part else memories[part["memory"]].text
    return source[part["start"] : part["end"]]
