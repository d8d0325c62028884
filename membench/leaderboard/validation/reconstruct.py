"""A bundle's records as scoring reads them, with stand-ins for the text that is not published.

A bundle holds no text of a memory, and no free answer whose licence forbids it. Put in are:

- the hash, sources and order of every memory, and the parts of extractive answers (spans of turns);
- the verifier's own copy of the data: the turns of the case;

and out come several versions of the case, equal in all but the stand-ins:

    texts.jsonl.gz  {"n": 0, "sha256": sha256("Ana: I bought a kayak."), "sources": ["D1:3"]}
                    {"n": 1, "sha256": "9c1e...", "sources": ["D1:3"]}     (rewritten by a system)
    data            turn D1:3 is "Ana: I bought a kayak."

    version.played                      memory 0 is turn D1:3, memory 1 is "memory 1"
    first of version.with_other_texts   memory 1 is every string of the gold instead

A metric with the same value in all versions does not depend on the text; `scoring` uses that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace

from membench.domain.case import Case, Remember
from membench.domain.labels import JsonObject, JsonView
from membench.domain.outcome import PlayedCase
from membench.domain.score import Gold
from membench.records.attempts import CaseAttempt, played_case
from membench.records.record import Record

PlaceholderAnswer = Callable[[Gold, int], str]
"""Text in place of an answer that is not published, from the case's gold and the event."""

PLACEHOLDER_ANSWERS: tuple[PlaceholderAnswer, ...] = (
    lambda gold, event: "",
    lambda gold, event: (gold.questions[event].answer if event in gold.questions else None) or "x",
    lambda gold, event: "No information available",
)
"""Nothing, the right answer, and a refusal: no metric of an answer is equal on all three."""

SEPARATORS = ("\n", "\n\n", " ")
"""How systems join several turns into one memory."""


@dataclass(frozen=True)
class CaseVersions:
    """One case with different stand-ins for unpublished text.

    Attributes:
        played: The case as it is scored: empty answers, "memory n" for unknown memories.
        with_other_answers: The same with other answers; empty if all are published.
        other_texts: Makes `with_other_texts`.
        hidden_answers: Events whose answers are not published.
        known: Texts of the memories that are known by their hash, by number.
    """

    played: PlayedCase
    with_other_answers: tuple[PlayedCase, ...]
    other_texts: Callable[[], Iterator[PlayedCase]]
    hidden_answers: frozenset[int]
    known: Mapping[int, str]

    @property
    def with_other_texts(self) -> Iterator[PlayedCase]:
        """The same with other texts in unknown memories; none if all are known.

        They are the gold's text, all of it and field by field, and what their sources say. Made one
        after the other: each repeats the gold in every unknown memory.
        """
        return self.other_texts()

    def __iter__(self) -> Iterator[PlayedCase]:
        """Every version, the one that is scored first."""
        yield self.played
        yield from self.with_other_answers
        yield from self.with_other_texts


def case_versions(case: Case, gold: Gold, attempt: CaseAttempt) -> CaseVersions:
    """Every version of a case that scoring has to see.

    Args:
        case: The case of the verifier's data.
        gold: Its gold.
        attempt: The records of the bundle; `texts` without text.
    """
    known = known_texts(case, attempt.texts)
    plain = replace(attempt, texts=with_texts(attempt.texts, known, placeholder_text))
    hidden = hidden_answers(attempt, known)

    def played(records: CaseAttempt, placeholder: PlaceholderAnswer) -> PlayedCase:
        answers = with_answers(records.answers, hidden, lambda event: placeholder(gold, event))
        return played_case(case, replace(records, answers=answers))

    first, *others = PLACEHOLDER_ANSWERS

    def other_texts() -> Iterator[PlayedCase]:
        if len(known) == len(attempt.texts):
            return
        told = told_by_sources(case, attempt.texts)
        gold_texts = dict.fromkeys([all_gold_text(gold), *gold_text_by_field(gold).values()])
        for stand_in in (*map(numbered, gold_texts), lambda n: f"{told[n]} {n}"):
            lines = with_texts(attempt.texts, known, stand_in)
            yield played(replace(attempt, texts=lines), first)

    return CaseVersions(
        played(plain, first),
        tuple(played(plain, other) for other in others) if hidden else (),
        other_texts,
        hidden,
        known,
    )


# --- memories ------------------------------------------------------------------------------------


def known_texts(case: Case, lines: Sequence[JsonView]) -> dict[int, str]:
    """Texts of the memories that are turns or items of the case, or several joined, by hash."""
    sources = source_texts(case)
    by_hash = {sha256(text): text for text in sources.values()}
    found: dict[int, str] = {}
    for line in lines:
        parts = [sources[name] for name in line["sources"] if name in sources]
        joined = (separator.join(parts) for separator in SEPARATORS)
        text = by_hash.get(line["sha256"]) or next(
            (text for text in joined if sha256(text) == line["sha256"]), None
        )
        if text is not None:
            found[line["n"]] = text
    return found


def source_texts(case: Case) -> dict[str, str]:
    """What every turn and every item of a case says, by its id."""
    turns = {turn.id: turn.text for turn in case.turns().values()}
    return turns | {e.item.id: e.item.text for e in case.timeline if isinstance(e, Remember)}


def told_by_sources(case: Case, lines: Sequence[JsonView]) -> dict[int, str]:
    """What the sources of every memory say, by its number; empty where it names none."""
    sources = source_texts(case)
    return {
        line["n"]: "\n".join(sources[name] for name in line["sources"] if name in sources)
        for line in lines
    }


def placeholder_text(n: int) -> str:
    """Text in place of a memory's own."""
    return f"memory {n}"


def with_texts(
    lines: Iterable[JsonView], known: Mapping[int, str], unknown: Callable[[int], str]
) -> tuple[JsonView, ...]:
    """Lines of texts.jsonl with their texts, or with what `unknown` gives in place of them."""
    return tuple(
        {**line, "text": known[n] if (n := line["n"]) in known else unknown(n)} for line in lines
    )


def all_gold_text(gold: object) -> str:
    """Every string in a gold, joined: a metric that looks at a memory's text must react to it."""
    if isinstance(gold, str):
        return gold
    if is_dataclass(gold):
        return all_gold_text([getattr(gold, field.name) for field in fields(gold)])
    if isinstance(gold, Mapping):
        return all_gold_text(list(gold.values()))
    if isinstance(gold, list | tuple | set | frozenset):
        return " ".join(filter(None, map(all_gold_text, gold)))
    return ""


def gold_text_by_field(gold: object) -> dict[str, str]:
    """The strings of a gold by the name of the field that holds them.

    A metric may react to one of them and not to all at once: stale is what tells an old value
    and not the new one.
    """
    found: dict[str, list[str]] = {}
    for name, text in _leaves("", gold):
        found.setdefault(name, []).append(text)
    return {name: " ".join(texts) for name, texts in found.items()}


def _leaves(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _leaves(field.name, getattr(value, field.name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(name, inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _leaves(name, inner)


def numbered(text: str) -> Callable[[int], str]:
    """A stand-in that says the same for every memory, and its number."""
    return lambda n: f"{text} {n}"


# --- answers -------------------------------------------------------------------------------------


def hidden_answers(attempt: CaseAttempt, known: Mapping[int, str]) -> frozenset[int]:
    """Events with an answer whose text the bundle does not hold."""
    return frozenset(
        event
        for event, record in (attempt.answers or {}).items()
        if any(has_hidden_text(answer, known) for answer in record.content["answers"])
    )


def has_hidden_text(answer: JsonView, known: Mapping[int, str]) -> bool:
    """Whether an answer is free text that is left out, or quotes a memory of unknown text."""
    if answer["status"] != "ok":
        return False
    if "parts" in answer:
        return any("memory" in part and part["memory"] not in known for part in answer["parts"])
    return "text" not in answer


def with_answers(
    records: Mapping[int, Record] | None, events: frozenset[int], text: Callable[[int], str]
) -> dict[int, Record]:
    """Answer records in which those of `events` have the text that `text` gives."""
    return {
        event: replace(record, content=with_answer(record.content, text(event)))
        if event in events
        else record
        for event, record in (records or {}).items()
    }


def with_answer(content: JsonView, text: str) -> JsonObject:
    """An answer record's content with `text` in place of every answer that is ok."""
    answers = [
        {"status": "ok", "text": text} if answer["status"] == "ok" else answer
        for answer in content["answers"]
    ]
    return {**content, "answers": answers}


def sha256(text: str) -> str:
    """Hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
