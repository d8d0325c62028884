"""Calibration of a judge: its verdicts on answers whose correctness is known by construction.

From the gold of a task, answers are made by rule. The gold itself and the gold in another form must
be accepted; the gold of another question, the gold with other dates and numbers, a vague answer on
the topic, and a refusal must be rejected (where a refusal is the right answer, the other way
round). The shares of false accepts and false rejects stand beside every judged score.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from membench.domain.case import Ask, Case, Ingest, Probe, Remember
from membench.domain.labels import JsonObject
from membench.domain.outcome import Answered, Ingested, Outcome, PlayedCase, Recalled
from membench.domain.score import Gold, JudgeRequest, Verdict
from membench.domain.system import Memory, MemoryChange
from membench.tasks.base import AnyTask
from membench.tasks.card import JudgeCard

CASE = "calibration"
REFUSAL = "I don't know. That was not mentioned."
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_MONTH = re.compile(rf"\b({'|'.join(MONTHS)})\b")
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+({'|'.join(MONTHS)}),?\s+(\d{{4}})\b")
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class LabelledCandidate:
    """A request whose correct verdict is known.

    Attributes:
        request: What is judged; its candidate was made by rule.
        rule: Which rule made it.
        right: Whether it should be accepted.
    """

    request: JudgeRequest
    rule: str
    right: bool


@dataclass(frozen=True)
class RuleRate:
    """Verdicts of a judge on the candidates of one rule.

    Attributes:
        right: Whether they should be accepted.
        n: Candidates with a verdict.
        accepted: How many were accepted.
        failed: Candidates without a verdict.
    """

    right: bool
    n: int
    accepted: int
    failed: int

    @property
    def wrong(self) -> int:
        """Verdicts that are false."""
        return self.n - self.accepted if self.right else self.accepted


@dataclass(frozen=True)
class Calibration:
    """Verdicts of a judge on all labelled candidates, by request kind and rule."""

    rates: Mapping[str, Mapping[str, RuleRate]]

    def to_json(self) -> JsonObject:
        """By request kind: false-accept and false-reject shares, and the rules behind them."""
        return {kind: _kind_json(rules) for kind, rules in self.rates.items()}


def _kind_json(rules: Mapping[str, RuleRate]) -> JsonObject:
    """One request kind; a share is None where no rule applies."""
    return {
        "false_accept": _share(rate for rate in rules.values() if not rate.right),
        "false_reject": _share(rate for rate in rules.values() if rate.right),
        "failed": sum(rate.failed for rate in rules.values()),
        "rules": {
            name: {
                "right": rate.right,
                "n": rate.n,
                "accepted": rate.accepted,
                "failed": rate.failed,
            }
            for name, rate in rules.items()
        },
    }


def _share(rates: Iterable[RuleRate]) -> JsonObject:
    """False verdicts among all, with a 95 % interval (Wilson)."""
    from membench.metrics.statistics import wilson

    listed = list(rates)
    n, wrong = sum(rate.n for rate in listed), sum(rate.wrong for rate in listed)
    if not n:
        return {"value": None, "ci95": None, "n": 0}
    return {"value": wrong / n, "ci95": list(wilson(wrong / n, n)), "n": n}


# --- making the set ----------------------------------------------------------------------------


def calibration_set(
    task: AnyTask, cases: Iterable[tuple[Case, Gold]], per_rule: int = 20, seed: int = 0
) -> list[LabelledCandidate]:
    """Candidates made from gold by rule.

    Args:
        task: Whose gold and judge prompts.
        cases: Cases with their gold.
        per_rule: How many requests of each kind every rule is applied to, drawn by `seed`.
        seed: For the draw.
    """
    by_kind: dict[str, list[JudgeRequest]] = {}
    for case, gold in cases:
        for request in task.judgements(placeholder_case(case), gold):
            by_kind.setdefault(request.kind, []).append(request)
    drawn = {kind: _drawn(requests, seed) for kind, requests in by_kind.items()}
    references = [
        text for kind in drawn for text in _references(task.card.judges[kind], drawn[kind])
    ]
    return [
        known
        for kind, requests in drawn.items()
        for known in _of_kind(task, task.card.judges[kind], requests[:per_rule], references)
    ]


def _drawn(requests: Sequence[JudgeRequest], seed: int) -> list[JudgeRequest]:
    """Requests that differ, in an order that depends on their ids and the seed alone."""
    distinct = {tuple(sorted(each.fields.items())): each for each in reversed(requests)}
    return sorted(
        distinct.values(), key=lambda each: hashlib.sha256(f"{seed}/{each.id}".encode()).hexdigest()
    )


def placeholder_case(case: Case) -> PlayedCase:
    """A case as if something had been stored, recalled and answered at every event."""
    memory = Memory("-", ("-",))
    fine = Outcome()
    ingested, recalled, answered = {}, {}, {}
    for index, event in enumerate(case.timeline):
        if isinstance(event, Ingest | Remember):
            ingested[index] = Ingested(fine, (MemoryChange("add", memory),))
        elif isinstance(event, Ask | Probe):
            recalled[index] = Recalled(fine, (memory,))
        if isinstance(event, Ask):
            answered[index] = tuple(Answered(fine, "-", n) for n in range(event.generations))
    return PlayedCase(case, ingested, recalled, answered)


def _references(card: JudgeCard, requests: Iterable[JudgeRequest]) -> Iterator[str]:
    """Gold texts of answerable requests, for use where they are wrong."""
    if card.reference and not card.wants_refusal:
        yield from (reference_of(card, request) for request in requests)


def reference_of(card: JudgeCard, request: JudgeRequest) -> str:
    """The gold of a request; of several lines the first."""
    lines = request.fields.get(card.reference, "").strip().splitlines() if card.reference else []
    return lines[0].strip() if lines else ""


def _of_kind(
    task: AnyTask, card: JudgeCard, requests: Sequence[JudgeRequest], references: Sequence[str]
) -> Iterator[LabelledCandidate]:
    """Every rule that applies, for the requests of one kind."""
    for index, request in enumerate(requests):
        other = unrelated_reference(reference_of(card, request), references, index)
        made = (
            refusal_wanted(other)
            if task.wants_refusal(request)
            else answer_wanted(request, reference_of(card, request), other)
        )
        for rule, (candidate, right) in made.items():
            fields = {**request.fields, card.candidate: candidate}
            name = f"{request.id}/{rule}"
            yield LabelledCandidate(replace(request, id=name, fields=fields), rule, right)


def refusal_wanted(other: str | None) -> dict[str, tuple[str, bool]]:
    """Candidates where only a refusal is right."""
    made = {"refusal": (REFUSAL, True)}
    if other:
        made["wrong_entity"] = (other, False)
    return made


def answer_wanted(
    request: JudgeRequest, gold: str, other: str | None
) -> dict[str, tuple[str, bool]]:
    """Candidates where an answer is right."""
    made = {"vague": (vague(request.fields), False), "refusal": (REFUSAL, False)}
    if gold:
        made["gold"] = (gold, True)
        made["reformatted"] = (reformatted(gold), True)
        shifted = with_other_dates(gold)
        if shifted != gold:
            made["wrong_date"] = (shifted, False)
        if other:
            made["wrong_entity"] = (other, False)
    return made


def reformatted(gold: str) -> str:
    """The same in another form: inside a sentence, dates written month first."""
    turned = _DAY_FIRST.sub(lambda match: f"{match[2]} {match[1]}, {match[3]}", gold)
    return f"From what I recall, it is the following: {turned}"


def with_other_dates(gold: str) -> str:
    """The gold with other months and numbers; unchanged if it has neither."""
    moved = _MONTH.sub(lambda match: MONTHS[(MONTHS.index(match[1]) + 5) % 12], gold)
    return _NUMBER.sub(lambda match: str(int(match[0]) + 3), moved)


def vague(fields: Mapping[str, str]) -> str:
    """An answer that fits the topic without answering the question."""
    topic = next((fields[name] for name in ("question", "query") if fields.get(name)), "")
    topics = [word for word in _WORD.findall(topic) if len(word) > 4 and word[0].islower()][-2:]
    return f"Something to do with {' and '.join(topics) or 'that'}, as came up in conversation."


def unrelated_reference(gold: str, others: Sequence[str], index: int) -> str | None:
    """The gold of another question that shares no word with this one."""
    own = {word.lower() for word in _WORD.findall(gold)}
    for step in range(len(others)):
        other = others[(index + 1 + step) % len(others)]
        if other and own.isdisjoint(word.lower() for word in _WORD.findall(other)):
            return other
    return None


# --- counting what it said ---------------------------------------------------------------------


def tallied(task: AnyTask, judged: Iterable[tuple[LabelledCandidate, Verdict]]) -> Calibration:
    """Count accepted and failed candidates by kind and rule."""
    rates: dict[str, dict[str, RuleRate]] = {}
    for known, verdict in judged:
        rules = rates.setdefault(known.request.kind, {})
        rate = rules.get(known.rule, RuleRate(known.right, 0, 0, 0))
        if not verdict.outcome.ok:
            rules[known.rule] = replace(rate, failed=rate.failed + 1)
            continue
        accepts = task.card.judges[known.request.kind].accepts
        accepted = rate.accepted + (verdict.values["label"] in accepts)
        rules[known.rule] = replace(rate, n=rate.n + 1, accepted=accepted)
    return Calibration({kind: dict(sorted(rates[kind].items())) for kind in sorted(rates)})
