"""Rule 8 for what the records claim of themselves: checked wherever the verifier knows the text.

The texts of memories are not in a bundle, but many of them are turns of the data, known by their
hash. Of those, tokens are counted again, sources must name a turn of that text, and a reader that
needs no model must answer from them as it did. Where texts are not known, what such a reader wrote
of its own must be something that it can write:

    texts.jsonl.gz  {"n": 0, "sha256": <hash of turn D1:3>, "tokens": 3, "sources": ["D9:9"]}
    -> rescore.memory: memory 0 is the text of turn D1:3 and names D9:9; of a system whose own
       model may have copied the turn, flag.sources while there are few

    answers.jsonl.gz  {"parts": [{"generated": "a red bicycle"}]}
    -> rescore.reader: reader 'extractive' writes no 'a red bicycle'
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from membench.domain.answer import AnswerInput
from membench.domain.case import Ask, Case, Remember
from membench.domain.errors import UserError
from membench.domain.labels import JsonView, Role
from membench.domain.score import Gold
from membench.harness.stages.read import recorded_answer
from membench.leaderboard.bundles import layout
from membench.leaderboard.validation.parsing import ParsedBundle
from membench.leaderboard.validation.rules import RuleViolation
from membench.readers.base import LocalReader
from membench.readers.registry import choose_reader, local_reader
from membench.records.attempts import CaseAttempt
from membench.records.memories import memory_from_line
from membench.records.record import Record
from membench.records.summary import Summary, unrecorded_calls
from membench.tasks.base import AnyTask
from membench.tokens import count_tokens_once

READ_AGAIN = 100
"""Questions of a bundle that its reader answers again, drawn by the hash of the bundle."""

MISNAMED, MISNAMED_ONE_IN = 3, 200
"""How many memories of a system with a model of its own may be the text of a turn and name other
turns: so many, and one in so many of all its memories. A model that copies a turn now and then
names another as what it used; more is a false claim."""

LEAST_SPANS = 20
"""Spans from which on it is odd that most of them took no time."""


class ClaimChecks:
    """Checks case by case what records say of memories and answers."""

    def __init__(self, bundle: ParsedBundle, task: AnyTask) -> None:
        """Start with nothing checked."""
        manifest = bundle.manifest
        self._task = task
        self._seed = bundle.sha256
        self._share = READ_AGAIN / max(manifest["task"]["questions"], 1)
        self._writes_texts = Role.MEMORY in manifest["models"]
        self._memories = 0
        self._misnamed: list[RuleViolation] = []
        self._bounded = "ignores_k" not in manifest["system"]["capabilities"]
        self._asks_model = Role.READER in manifest["models"]
        self._reader_name = manifest["spec"]["reader"]
        self._reader = known_reader(self._reader_name)
        self._literal = known_literal(self._reader_name) if self._reader is not None else None

    def check(self, case: Case, gold: Gold, attempt: CaseAttempt, known: Mapping[int, str]) -> None:
        """Check one case.

        Args:
            case: Of the verifier's data.
            gold: Its gold, for the choices that readers are shown.
            attempt: What is recorded of it.
            known: Text of every memory that is known by its hash, by number.

        Raises:
            RuleViolation: `rescore.memory`, `rescore.tokens`, `rescore.reader` or
                `plausible.usage`.
        """
        self._check_texts(case, attempt, known)
        if self._bounded:
            check_k(case, attempt)
        for event, answered in (attempt.answers or {}).items():
            place = f"{layout.ANSWERS}: case {case.id}, event {event}"
            if self._asks_model:
                check_usage(answered, place)
                continue
            self._check_literals(self._task.options_for(gold, event), answered, place)
            if self._reader is not None and self._is_drawn(case.id, event):
                self._read_again(case, gold, attempt, known, answered, place)

    def _check_texts(self, case: Case, attempt: CaseAttempt, known: Mapping[int, str]) -> None:
        """Tokens and sources of the memories whose texts are known."""
        turns = by_text(case)
        for line in attempt.texts:
            self._memories += 1
            text = known.get(line["n"])
            if text is None:
                continue
            place = f"{layout.TEXTS}: case {case.id}, memory {line['n']}"
            if line["tokens"] != (tokens := count_tokens_once(text)):
                raise RuleViolation(
                    "rescore.tokens", place, f"says {line['tokens']} tokens, its text has {tokens}"
                )
            of_this_text = turns.get(text, ())
            if of_this_text and line["sources"] and of_this_text.isdisjoint(line["sources"]):
                violation = RuleViolation(
                    "rescore.memory", place, f"is the text of {min(of_this_text)}, which it lacks"
                )
                if not self._writes_texts:
                    raise violation
                self._misnamed.append(violation)

    def flags(self) -> list[str]:
        """Remarks on all cases together, once each was checked.

        Raises:
            RuleViolation: `rescore.memory`: too many memories are turns that they do not name.
        """
        if len(self._misnamed) > MISNAMED + self._memories / MISNAMED_ONE_IN:
            raise self._misnamed[0]
        return ["flag.sources"] if self._misnamed else []

    def _check_literals(self, options: Sequence[str], answered: Record, place: str) -> None:
        """What a reader wrote that stands in no text; an official option it may repeat."""
        if self._literal is None:
            return
        for entry in answered.content["answers"]:
            for part in entry.get("parts") or ():
                text = part.get("generated")
                if text is not None and text not in options and not self._literal(text):
                    raise RuleViolation(
                        "rescore.reader", place, f"reader '{self._reader_name}' writes no {text!r}"
                    )

    def _is_drawn(self, case: str, event: int) -> bool:
        digest = hashlib.sha256(f"{self._seed} {case} {event}".encode()).digest()
        return bool(int.from_bytes(digest[:8], "big") / 2**64 < self._share)

    def _read_again(
        self,
        case: Case,
        gold: Gold,
        attempt: CaseAttempt,
        known: Mapping[int, str],
        answered: Record,
        place: str,
    ) -> None:
        """Answer a question again where every recalled text is known."""
        assert self._reader is not None
        numbers = recalled_numbers(attempt, answered.event)
        given = answered.content["answers"]
        if numbers is None or any(n not in known for n in numbers) or given[0]["status"] != "ok":
            return
        ask = case.timeline[answered.event]
        assert isinstance(ask, Ask)
        lines = [{**attempt.texts[n], "text": known[n]} for n in numbers]
        now = ask.question.now
        answer = self._reader.answer(
            AnswerInput(
                ask.question.text,
                tuple(map(memory_from_line, lines)),
                now.isoformat() if now else None,
                self._task.options_for(gold, answered.event),
            ),
            case.turns(),
        )
        own = recorded_answer(answer, numbers)
        for entry in given:
            if not same_answer(entry, own):
                raise RuleViolation("rescore.reader", place, "its reader answers otherwise")


def known_reader(name: str) -> LocalReader | None:
    """The reader of that name, where it needs no model and is known here."""
    try:
        return local_reader(name)
    except (UserError, KeyError):
        return None


def known_literal(name: str) -> Callable[[str], bool] | None:
    """What a reader can write of its own, as its card says it."""
    return choose_reader(name).card.literal


def same_answer(claimed: JsonView, own: JsonView) -> bool:
    """Whether a claimed answer is what a reader answers: by its parts, else by its hash."""
    key = "parts" if "parts" in own else "sha256"
    return bool(claimed.get(key) == own[key])


def by_text(case: Case) -> dict[str, frozenset[str]]:
    """Ids of the turns and items of a case by their text."""
    found: dict[str, set[str]] = defaultdict(set)
    for turn in case.turns().values():
        found[turn.text].add(turn.id)
    for event in case.timeline:
        if isinstance(event, Remember):
            found[event.item.text].add(event.item.id)
    return {text: frozenset(ids) for text, ids in found.items()}


def recalled_numbers(attempt: CaseAttempt, event: int) -> Sequence[int] | None:
    """The memories recalled for an ask; None where nothing says."""
    for record in attempt.records:
        if record.event == event:
            numbers: Sequence[int] | None = record.content.get("memories")
            return numbers
    return None


def check_k(case: Case, attempt: CaseAttempt) -> None:
    """No recall may return more than it was asked for."""
    for record in attempt.records:
        k, memories = record.content.get("k"), record.content.get("memories")
        if k is not None and memories is not None and len(memories) > k:
            place = f"{layout.PLAY}: case {case.id}, event {record.event}"
            raise RuleViolation("rescore.memory", place, f"{len(memories)} memories at k {k}")


def check_usage(answered: Record, place: str) -> None:
    """An answer of a model was a call of that model."""
    usage = answered.telemetry.usage
    ok = answered.content["status"] == "ok"
    if ok and (usage is None or not usage.roles.get(Role.READER)):
        raise RuleViolation("plausible.usage", place, "a model answered, and no call is recorded")


def claim_flags(bundle: ParsedBundle) -> list[str]:
    """Remarks on what the records claim and nobody can check."""
    found = []
    if any(instant(lines) for lines in (bundle.play, bundle.answers)):
        found.append("flag.instant")
    if unrecorded_calls(Summary.from_json(bundle.summary)):
        found.append("flag.unrecorded")
    return found


def instant(lines: Iterable[JsonView]) -> bool:
    """Whether most spans of a file took no time, or all of its work no CPU."""
    spans = idle = working = 0
    for entry in (line["telemetry"] for line in lines):
        if "start" in entry and "end" in entry:
            spans += 1
            idle += entry["end"] <= entry["start"]
        working += bool(entry.get("cpu_s") or entry.get("usage"))
    return spans >= LEAST_SPANS and (idle > spans / 2 or not working)
