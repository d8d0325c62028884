"""Rule 8, before scoring: every number, span and hash in a case's records must resolve.

In goes a case of the verifier's data with its records; nothing comes out, or a broken rule:

    memories 0 and 1, and a recall of {"memories": [0, 7]}
    -> rescore.memory: "play.jsonl.gz: case 3f1c..., event 21: there is no memory 7"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from membench.domain.case import Ask, Case, Probe, phase_of
from membench.domain.labels import JsonView
from membench.leaderboard.bundles import layout
from membench.leaderboard.validation.reconstruct import sha256
from membench.leaderboard.validation.rules import RuleViolation
from membench.records.attempts import CaseAttempt, is_answer_alone
from membench.records.telemetry import Telemetry


def check_references(case: Case, attempt: CaseAttempt, *, answers_alone: bool) -> None:
    """Refuse records of a case that point at what does not exist.

    Args:
        case: The public case.
        attempt: What is recorded of it.
        answers_alone: Whether the system declares that it shows nothing but its answers.

    Raises:
        RuleViolation: `questions.cases`, `rescore.memory`, `rescore.tokens` or `rescore.answer`.
    """
    for n, line in enumerate(attempt.texts):
        if line["n"] != n:
            raise RuleViolation("rescore.memory", layout.TEXTS, f"case {case.id} has no memory {n}")
    check_play(case, attempt, answers_alone)
    turns = {turn.id: len(turn.text) for turn in case.turns().values()}
    for event, record in (attempt.answers or {}).items():
        location = f"{layout.ANSWERS}: case {case.id}, event {event}"
        if not isinstance(case.timeline[event], Ask):
            raise RuleViolation("questions.cases", location, "is no question")
        for answer in record.content["answers"]:
            check_answer(answer, turns, len(attempt.texts), location)


def check_play(case: Case, attempt: CaseAttempt, answers_alone: bool) -> None:
    """Records of the play stage: phases, memory numbers, ids, context tokens."""
    ids = 0
    for record in attempt.records:
        location = f"{layout.PLAY}: case {case.id}, event {record.event}"
        event = case.timeline[record.event]
        if record.phase != phase_of(event):
            raise RuleViolation("questions.cases", location, f"is of phase {phase_of(event)}")
        check_memories(record.content, len(attempt.texts), location)
        ids = check_ids(record.content, ids, location)
        if isinstance(event, Ask | Probe) and not (
            answers_alone and is_answer_alone(record.content)
        ):
            check_context(record.content, record.telemetry, attempt.texts, location)


def check_memories(content: JsonView, known: int, location: str) -> None:
    """Memory numbers must exist."""
    listed = [change["n"] for change in listed_changes(content)]
    for n in [*(content.get("memories") or ()), *listed]:
        if n >= known:
            raise RuleViolation("rescore.memory", location, f"there is no memory {n}")


def check_ids(content: JsonView, known: int, location: str) -> int:
    """Ids in changes count up from 0 in order of first appearance.

    Args:
        content: A record's content.
        known: How many ids the case had before.
        location: Of the record.

    Returns:
        How many it has now.
    """
    for change in listed_changes(content):
        number = change.get("id")
        if number is not None and number > known:
            raise RuleViolation(
                "rescore.memory", location, f"id {number}, where {known} is the next that is free"
            )
        known += number == known
    return known


def listed_changes(content: JsonView) -> Sequence[JsonView]:
    """Changes of the store, where they are listed and not only counted."""
    changes = content.get("changes")
    return changes if isinstance(changes, list) else ()


def check_context(
    content: JsonView,
    telemetry: Telemetry,
    texts: Sequence[JsonView],
    location: str,
) -> None:
    """Context tokens must be the sum over what was recalled; of what nobody saw there are none."""
    if content["status"] != "ok" or (telemetry.unseen and telemetry.context_tokens is None):
        return
    if content.get("memories") is None:
        raise RuleViolation("rescore.memory", location, "is ok without a list of memories")
    tokens = sum(texts[n]["tokens"] for n in content["memories"])
    claimed = telemetry.context_tokens
    if claimed != tokens:
        raise RuleViolation(
            "rescore.tokens", location, f"says {claimed} tokens, its memories have {tokens}"
        )


def check_answer(answer: JsonView, turns: Mapping[str, int], memories: int, location: str) -> None:
    """An answer's hash must fit its text, and its spans must lie inside something.

    Args:
        answer: An entry of an answer record.
        turns: Length of each turn's text, by id.
        memories: How many memories the case has.
        location: Of the record.
    """
    if answer["status"] != "ok":
        return
    if "text" in answer and answer.get("sha256") != sha256(answer["text"]):
        raise RuleViolation("rescore.answer", location, "the text has another hash")
    if "parts" not in answer and "sha256" not in answer:
        raise RuleViolation("rescore.answer", location, "has neither parts nor a hash")
    for part in answer.get("parts") or ():
        if "turn" in part and not part["start"] <= part["end"] <= turns.get(part["turn"], -1):
            raise RuleViolation("rescore.answer", location, "a span lies outside its turn")
        if "memory" in part and not (part["memory"] < memories and part["start"] <= part["end"]):
            raise RuleViolation("rescore.answer", location, "a span lies in no memory")
