"""What a run has recorded so far, case by case.

Journals are interleaved by lanes and hold abandoned attempts, so they are indexed once by byte
offset; a case's records are then read when it is scored. The **final attempt** at a case is its
last complete one: an attempt with a record for every event of the timeline.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from membench.harness.journal import Record, read_offsets
from membench.harness.model import (
    Answered,
    Ask,
    Case,
    Ingested,
    Memory,
    MemoryChange,
    Outcome,
    PlayedCase,
    Probe,
    Recalled,
    Turn,
)


class JournalIndex:
    """Where the lines of each (case, attempt) stand in a journal; `notes` belong to none."""

    def __init__(self, path: Path) -> None:
        """Scan the file once; a missing file has no lines."""
        self._path = path
        self.notes: list[dict[str, Any]] = []
        self._offsets: dict[tuple[str, int], array[int]] = {}
        self._events: dict[tuple[str, int], array[int]] = {}
        self._attempts: dict[str, list[int]] = defaultdict(list)
        for offset, line in read_offsets(path):
            if "case" not in line:
                self.notes.append(line)
                continue
            key = (line["case"], line["attempt"])
            if key not in self._offsets:
                self._offsets[key] = array("q")
                self._events[key] = array("l")
                self._attempts[line["case"]].append(line["attempt"])
            self._offsets[key].append(offset)
            self._events[key].append(line.get("event", 0))

    def attempts(self, case: str) -> list[int]:
        """Attempts at a case, oldest first."""
        return sorted(self._attempts.get(case, ()))

    def lines(self, case: str, attempt: int) -> Iterator[dict[str, Any]]:
        """The lines of one attempt, in the order they were written."""
        offsets = self._offsets.get((case, attempt))
        if offsets is None:
            return
        with self._path.open("rb") as file:
            for offset in offsets:
                file.seek(offset)
                yield orjson.loads(file.readline())

    def events(self, case: str, attempt: int) -> int:
        """How many different events an attempt has lines of."""
        return len(set(self._events.get((case, attempt), ())))


@dataclass(frozen=True)
class RecordedCase:
    """The final attempt at one case.

    Attributes:
        attempt: Its number; None if no attempt is complete.
        records: One play record per event, in order; empty without a complete attempt.
        texts: The memory lines, by number n.
        answers: Answer records by event, of this attempt.
    """

    attempt: int | None
    records: tuple[Record, ...] = ()
    texts: tuple[Mapping[str, Any], ...] = ()
    answers: Mapping[int, Record] | None = None

    @property
    def failed(self) -> bool:
        """Whether any event of the attempt failed."""
        return any(record.content["status"] == "failed" for record in self.records)


class Recorded:
    """Everything a run directory has recorded, indexed."""

    def __init__(self, play: Path, texts: Path, answers: Path) -> None:
        """Index the three journals; any of them may not exist yet."""
        self._play = JournalIndex(play)
        self._texts = JournalIndex(texts)
        self._answers = JournalIndex(answers)

    @property
    def notes(self) -> list[dict[str, Any]]:
        """What lanes noted outside any event: late calls, trouble at closing."""
        return self._play.notes

    def attempts(self, case: str) -> list[int]:
        """Attempts at playing a case, oldest first."""
        return self._play.attempts(case)

    def final_attempt(self, case: Case) -> int | None:
        """The last attempt with a record for every event."""
        for attempt in reversed(self._play.attempts(case.id)):
            if self._play.events(case.id, attempt) == len(case.timeline):
                return attempt
        return None

    def play_records(self, case: str, attempt: int) -> list[Record]:
        """Records of one attempt by event; of records written twice the last counts."""
        by_event = {line["event"]: line for line in self._play.lines(case, attempt)}
        return [Record.from_json(by_event[event]) for event in sorted(by_event)]

    def load(self, case: Case) -> RecordedCase:
        """The final attempt at a case with its texts and answers."""
        attempt = self.final_attempt(case)
        if attempt is None:
            return RecordedCase(None)
        texts = {line["n"]: line for line in self._texts.lines(case.id, attempt)}
        answers = {
            line["event"]: Record.from_json(line) for line in self._answers.lines(case.id, attempt)
        }
        return RecordedCase(
            attempt,
            tuple(self.play_records(case.id, attempt)),
            tuple(texts[n] for n in sorted(texts)),
            answers,
        )

    def abandoned(self, case: Case) -> list[Record]:
        """Records of other attempts and replaced ones; what they cost is shown apart."""
        final = self.final_attempt(case)
        return [
            *superseded(self._play, case.id, final),
            *superseded(self._answers, case.id, final),
        ]


def superseded(journal: JournalIndex, case: str, final: int | None) -> Iterator[Record]:
    """Lines of a journal that are not the last about their event in the final attempt."""
    for attempt in journal.attempts(case):
        lines = list(journal.lines(case, attempt))
        last = {line["event"]: place for place, line in enumerate(lines)}
        for place, line in enumerate(lines):
            if attempt != final or last[line["event"]] != place:
                yield Record.from_json(line)


def played_case(case: Case, recorded: RecordedCase) -> PlayedCase:
    """Turn records back into what scoring works on."""
    memories = [memory_from_line(line) for line in recorded.texts]
    ingested: dict[int, Ingested] = {}
    recalled: dict[int, Recalled] = {}
    answered: dict[int, tuple[Answered, ...]] = {}
    turns = case.turns()
    for record in recorded.records:
        content, outcome = record.content, outcome_of(record.content)
        if isinstance(case.timeline[record.event], Ask | Probe):
            chosen = tuple(memories[n] for n in content.get("memories", ()))
            recalled[record.event] = Recalled(outcome, chosen, content.get("k"))
        else:
            ingested[record.event] = Ingested(outcome, changes_of(content, memories))
    for event, record in (recorded.answers or {}).items():
        answered[event] = tuple(
            Answered(outcome_of(answer), answer_text(answer, turns, memories), generation)
            for generation, answer in enumerate(record.content["answers"])
        )
    return PlayedCase(case, ingested, recalled, answered)


def outcome_of(content: Mapping[str, Any]) -> Outcome:
    """Status and reason of a record's content."""
    return Outcome(content["status"] == "ok", content.get("reason"))


def memory_from_line(line: Mapping[str, Any]) -> Memory:
    """A line of texts.jsonl as a memory."""
    time = datetime.fromisoformat(line["time"]) if line["time"] else None
    return Memory(line["text"], tuple(line["sources"]), time)


def changes_of(
    content: Mapping[str, Any], memories: Sequence[Memory]
) -> tuple[MemoryChange, ...] | None:
    """Recorded changes; None where the system cannot tell or only their number was recorded."""
    changes = content.get("changes")
    if not isinstance(changes, list):
        return None
    return tuple(MemoryChange(change["kind"], memories[change["n"]]) for change in changes)


def answer_text(
    answer: Mapping[str, Any], turns: Mapping[str, Turn], memories: Sequence[Memory]
) -> str | None:
    """The text of a recorded answer: as given, or resolved from its parts; None if it failed."""
    if answer["status"] == "failed":
        return None
    if "parts" not in answer:
        return str(answer["text"])
    return "".join(part_text(part, turns, memories) for part in answer["parts"])


def part_text(
    part: Mapping[str, Any], turns: Mapping[str, Turn], memories: Sequence[Memory]
) -> str:
    """The words one recorded part stands for."""
    if "generated" in part:
        return str(part["generated"])
    source = turns[part["turn"]].text if "turn" in part else memories[part["memory"]].text
    return source[part["start"] : part["end"]]
