"""Whether a line of a journal has the shape of what is written there.

A journal can hold anything that was valid JSON once: lines of another version, of a disk that
lied, of an editor. What has not the shape counts as not there, so that it is recorded again.
Standard library alone, since lanes import it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from membench.domain.labels import JsonView, Phase, Role
from membench.records.usage import UNKNOWN_BEFORE, Usage

Shape: TypeAlias = Callable[[JsonView], bool]

COUNTED = frozenset(Usage.__slots__) - {*UNKNOWN_BEFORE, "prompt_sq", "source"}
"""Figures of usage that are never unknown."""

PLAYED = frozenset({Phase.INGEST.value, Phase.FINALIZE.value, Phase.RECALL.value})


def is_number(value: object) -> bool:
    """A number as JSON has it."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: object) -> bool:
    """A whole number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_play(line: JsonView) -> bool:
    """A record of an event: `play.jsonl`."""
    return is_record(line) and line["phase"] in PLAYED and is_played(line["content"])


def is_answer(line: JsonView) -> bool:
    """A record of an answer: `answers.jsonl`."""
    answers = line.get("content", {}).get("answers") if is_record(line) else None
    return isinstance(answers, list) and bool(answers) and all(map(is_generation, answers))


def is_record(line: JsonView) -> bool:
    """What records of all stages have in common."""
    content = line.get("content")
    return (
        isinstance(line.get("case"), str)
        and is_count(line.get("event"))
        and isinstance(line.get("phase"), str)
        and is_count(line.get("attempt"))
        and isinstance(content, Mapping)
        and is_outcome(content)
        and is_telemetry(line.get("telemetry"))
    )


def is_outcome(entry: Mapping[str, object]) -> bool:
    """`ok`, or `failed` with a reason."""
    return entry.get("status") in ("ok", "failed") and isinstance(
        entry.get("reason", ""), str | None
    )


def is_played(content: JsonView) -> bool:
    """What an event came to: memories and changes by number, an answer of the system's own."""
    memories, changes = content.get("memories"), content.get("changes")
    answer = content.get("answer")
    return (
        (memories is None or (isinstance(memories, list) and all(map(is_count, memories))))
        and (changes is None or is_count(changes) or is_change_list(changes))
        and (content.get("k") is None or is_count(content["k"]))
        and (answer is None or (isinstance(answer, Mapping) and is_words(answer)))
    )


def is_change_list(changes: object) -> bool:
    """Changes of a store, each naming its memory."""
    return isinstance(changes, list) and all(
        isinstance(entry, Mapping)
        and isinstance(entry.get("kind"), str)
        and is_count(entry.get("n"))
        and (entry.get("id") is None or is_count(entry["id"]))
        for entry in changes
    )


def is_generation(entry: object) -> bool:
    """One answer: failed, words, or parts."""
    if not isinstance(entry, Mapping) or not is_outcome(entry):
        return False
    if entry["status"] == "failed":
        return True
    parts = entry.get("parts")
    return (
        is_words(entry) if parts is None else isinstance(parts, list) and all(map(is_part, parts))
    )


def is_words(entry: Mapping[str, object]) -> bool:
    """A free answer: its text, or the hash that stands for it in a bundle."""
    text, digest = entry.get("text"), entry.get("sha256")
    return isinstance(text, str) or (text is None and isinstance(digest, str))


def is_part(part: object) -> bool:
    """A quote of a turn or a memory, or a literal."""
    if not isinstance(part, Mapping):
        return False
    if "generated" in part:
        return isinstance(part["generated"], str)
    place = isinstance(part.get("turn"), str) or is_count(part.get("memory"))
    return place and is_count(part.get("start")) and is_count(part.get("end"))


def is_telemetry(entry: object) -> bool:
    """Figures, and by role what was called."""
    if not isinstance(entry, Mapping):
        return False
    figures = ("start", "end", "cpu_s", "rss_bytes", "store_bytes", "stored", "turns", "tokens")
    numbers = (*figures, "context_tokens", "cut", "node")
    if any(not is_number(entry[name]) for name in numbers if entry.get(name) is not None):
        return False
    usage, replies = entry.get("usage"), entry.get("replies")
    return (usage is None or is_usage(usage)) and (
        replies is None or (isinstance(replies, Mapping) and all(map(is_count, replies.values())))
    )


def is_usage(entry: object) -> bool:
    """Model calls: numbers, and the same by role."""
    if not isinstance(entry, Mapping) or not is_figures(entry):
        return False
    roles, faults = entry.get("roles") or {}, entry.get("faults", [])
    return (
        isinstance(faults, list)
        and isinstance(roles, Mapping)
        and all(isinstance(use, Mapping) and is_figures(use) for use in roles.values())
    )


def is_figures(entry: Mapping[str, object]) -> bool:
    """Numbers, but for the words that say where they are from; what is counted is known."""
    words = ("source", "roles", "faults", "case", "phase", "event", "abandoned")
    return all(
        is_number(value) or (value is None and name not in COUNTED)
        for name, value in entry.items()
        if name not in words
    )


def is_text(line: JsonView) -> bool:
    """A memory: `texts.jsonl`."""
    sources = line.get("sources")
    return (
        isinstance(line.get("case"), str)
        and is_count(line.get("attempt"))
        and is_count(line.get("n"))
        and isinstance(line.get("text"), str)
        and isinstance(line.get("sha256"), str)
        and is_count(line.get("tokens"))
        and isinstance(sources, list)
        and all(isinstance(source, str) for source in sources)
        and isinstance(line.get("time"), str | None)
    )


def is_note(line: JsonView) -> bool:
    """What belongs to no event: calls that came late, trouble at closing."""
    late = line.get("late", [])
    if not is_count(line.get("carried_over", 0)):
        return False
    return "note" in line and isinstance(late, list) and all(map(is_late, late))


def is_late(entry: object) -> bool:
    """Usage outside any open phase, and where it belongs."""
    if not isinstance(entry, Mapping) or not is_usage(entry):
        return False
    return is_place(entry)


def is_place(entry: Mapping[str, object]) -> bool:
    """Case, event and phase of a call, each of which may be missing."""
    event = entry.get("event")
    return (event is None or is_count(event)) and all(
        isinstance(entry.get(name), str | None) for name in ("case", "phase")
    )


def is_verdict(line: JsonView) -> bool:
    """What a judge said of one request."""
    return (
        isinstance(line.get("request"), str)
        and is_outcome(line)
        and isinstance(line.get("values"), Mapping)
        and is_telemetry(line.get("telemetry"))
    )


def is_gate_answer(line: JsonView) -> bool:
    """An answer to a question of the reader gate."""
    named = isinstance(line.get("arm"), str) and isinstance(line.get("set_sha256"), str)
    return named and is_count(line.get("question")) and is_telemetry(line.get("telemetry"))


def is_payment(line: JsonView) -> bool:
    """A call that was paid: `spent.jsonl`."""
    return line.get("role") in tuple(Role) and is_usage(line.get("usage")) and is_place(line)


def is_model_call(line: JsonView) -> bool:
    """A call of a case, whatever became of it: `spent.jsonl`."""
    event, told = line.get("event"), (line.get("phase"), line.get("reason"))
    return (
        line.get("role") in tuple(Role)
        and isinstance(line.get("case"), str)
        and any(is_usage(line.get(outcome)) for outcome in ("usage", "replayed", "failed"))
        and (event is None or is_count(event))
        and all(isinstance(value, str | None) for value in (*told, line.get("request_sha256")))
        and isinstance(line.get("sample", ""), str)
        and is_count(line.get("n", 0))
    )
