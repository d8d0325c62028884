"""The metrics that a task has, known before anything is run.

A task is asked for the figures of its own sample three times: as if nothing had been recorded, as
if nothing had been stored, found or said, and the latter as if it had been judged. So it names its
metrics, whatever their values. Its card and the retrieval metrics, whose cut depends on k, come on
top.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from membench.domain.case import Ask, Case, Probe, opaque_ids
from membench.domain.errors import UnknownName
from membench.domain.outcome import Answered, Ingested, Outcome, PlayedCase, Recalled
from membench.domain.score import Gold, Score, Verdict
from membench.tasks.base import AnyTask
from membench.tasks.find import SAMPLE, find_source
from membench.tasks.registry import get_task
from membench.tasks.wording import EVIDENCE, PREFIXES, SCORED, headline_metrics

DEEP = 50
"""Memories asked for, so that every metric at a cut has a place."""

CUT = re.compile(r"@\d+")


def check_metric(task: str, metric: str) -> None:
    """Refuse a metric that no run of a task can have.

    Raises:
        UnknownName: Suggests the nearest; or there is no such task.
    """
    names = metric_names(get_task(task))
    if at_any_cut(metric.removesuffix(SCORED)) not in set(map(at_any_cut, names)) and not (
        is_retrieval(metric)
    ):
        raise UnknownName(f"metric of task '{task}'", metric, names)


def metric_names(task: type[AnyTask]) -> tuple[str, ...]:
    """The metrics of a task as far as they can be listed, without `.scored` and errata."""
    card = task.card
    of_card = (*headline_metrics(card), *card.metric_titles, *card.metric_labels)
    further = (*card.lower_is_better, *card.never_ranks)
    return tuple(dict.fromkeys((*of_card, *further, *names_of_sample(task))))


def names_of_sample(task: type[AnyTask]) -> Iterator[str]:
    """The metrics of a task's own sample, over all of it and by category."""
    made, source = task({}, 0, None), find_source(task, SAMPLE, None)
    cases = list(made.cases(source, opaque_ids(task.card.name, 0)))
    for played, judge in ((PlayedCase, no_verdicts), (in_vain, no_verdicts), (in_vain, accepted)):
        rows = (row for case, gold in cases for row in judged_rows(made, played(case), gold, judge))
        found = made.aggregate(rows)
        tables = (found.metrics, *(category.metrics for category in found.categories.values()))
        yield from (name for table in tables for name in table if not name.endswith(SCORED))


Judging = Callable[[AnyTask, PlayedCase, Gold], dict[str, Verdict]]
"""Verdicts on a case, by request id."""


def judged_rows(task: AnyTask, played: PlayedCase, gold: Gold, judge: Judging) -> Sequence[Score]:
    """Score rows of a case as judged."""
    return task.score(played, gold, judge(task, played, gold))


def no_verdicts(task: AnyTask, played: PlayedCase, gold: Gold) -> dict[str, Verdict]:
    """No judge was run."""
    return {}


def accepted(task: AnyTask, played: PlayedCase, gold: Gold) -> dict[str, Verdict]:
    """A verdict for all that a judge would be asked, with the first label that it may give."""
    judges = task.card.judges
    return {
        request.id: Verdict(request.id, Outcome(), {"label": judges[request.kind].labels[0]})
        for request in task.judgements(played, gold)
    }


def in_vain(case: Case) -> PlayedCase:
    """A case of which nothing was stored, found or said, and nothing failed."""
    timeline = dict(enumerate(case.timeline))
    asks = {event: each for event, each in timeline.items() if isinstance(each, Ask)}
    recalls = {event for event, each in timeline.items() if isinstance(each, Ask | Probe)}
    return PlayedCase(
        case,
        {event: Ingested(Outcome(), ()) for event in timeline.keys() - recalls},
        {event: Recalled(Outcome(), k=DEEP) for event in recalls},
        {
            event: tuple(Answered(Outcome(), "-", n) for n in range(ask.generations))
            for event, ask in asks.items()
        },
    )


def at_any_cut(metric: str) -> str:
    """A name without the number of memories it is of, whichever gold it is against."""
    return CUT.sub("@n", metric.removeprefix("errata."))


def is_retrieval(metric: str) -> bool:
    """Whether a name is one of those that retrieval has for every task."""
    bare = metric.removesuffix(SCORED)
    for prefix in PREFIXES:
        bare = bare.removeprefix(prefix)
    return bare.startswith("evidence.") and EVIDENCE.match(bare) is not None
