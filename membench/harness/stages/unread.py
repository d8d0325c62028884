"""Scoring of a run without a reader: what was recalled is scored, answers are not.

A figure that needs an answer is not there: it is neither a failure nor 0. Which figures those are,
tasks need not say: a case is scored once without any answer and once with a placeholder in place of
each, every recall taken as done, and what only one of the two has a value for needs an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from membench.domain.case import Ask
from membench.domain.outcome import Answered, Outcome, PlayedCase, Recalled
from membench.domain.score import Gold, Score, Verdict
from membench.tasks.base import AnyTask

NO_READER = "no_reader"
"""Why a question is unscored."""

PLACEHOLDER = "-"

RowKey = tuple[str, str, int | None]


def score_case(
    task: AnyTask,
    played: PlayedCase,
    gold: Gold,
    verdicts: Mapping[str, Verdict],
    *,
    unread: bool = False,
) -> list[Score]:
    """The rows of a case, with or without answers (`unread`)."""
    if not unread:
        return list(task.score(played, gold, verdicts))
    blank, filled = (_values(task, case, gold) for case in _both(played))
    return [
        _of_recalls(row, blank.get(_key(row), {}), filled.get(_key(row), {}))
        for row in task.score(with_placeholders(played), gold, {})
    ]


def with_placeholders(played: PlayedCase) -> PlayedCase:
    """A case in which every ask that was recalled for has an answer that says nothing."""
    answered = {
        event: tuple(Answered(Outcome(), PLACEHOLDER, n) for n in range(ask.generations))
        for event, ask in _asks(played).items()
        if event in played.recalled
    }
    return replace(played, answered=answered)


def needing_answers(
    blank: Mapping[str, float | None], filled: Mapping[str, float | None]
) -> set[str]:
    """Figures of a row that have a value with an answer alone, or a place without one alone."""
    names = {*blank, *filled}
    return {
        name
        for name in names
        if blank.get(name) is None and (name not in filled or filled[name] is not None)
    }


def _asks(played: PlayedCase) -> dict[int, Ask]:
    return {event: e for event, e in enumerate(played.case.timeline) if isinstance(e, Ask)}


def _both(played: PlayedCase) -> tuple[PlayedCase, PlayedCase]:
    """The case without and with answers, as if every recall had gone well."""
    known = played.recalled
    recalled = {
        event: Recalled(Outcome(), k=known[event].k if event in known else None)
        for event in _asks(played)
    }
    whole = replace(played, recalled={**known, **recalled}, answered={})
    return whole, with_placeholders(whole)


def _values(
    task: AnyTask, played: PlayedCase, gold: Gold
) -> dict[RowKey, Mapping[str, float | None]]:
    return {_key(row): row.values for row in task.score(played, gold, {})}


def _key(row: Score) -> RowKey:
    return row.kind, row.item_id, row.event


def _of_recalls(
    row: Score, blank: Mapping[str, float | None], filled: Mapping[str, float | None]
) -> Score:
    """A row without the figures of answers; one that has nothing else is unscored.

    A failed row keeps what it could have had without an answer: that counts as 0.
    """
    if row.status == "failed":
        kept = {name: value for name, value in row.values.items() if blank.get(name) is not None}
        return replace(row, values=kept)
    names = needing_answers(blank, filled)
    values = {name: value for name, value in row.values.items() if name not in names}
    if values and row.status == "scored":
        return replace(row, values=values)
    return replace(row, values=values, status="unscored", reason=NO_READER)
