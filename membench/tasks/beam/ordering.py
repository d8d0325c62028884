"""The order in which an answer names events, against the order of the rubric.

As the official script does it: the answer is cut into lines; each line in turn takes the first free
rubric item that a judge calls the same event; what matches nothing stands for itself. Both lists
become ranks over all items, absent ones sharing the last rank, and are compared by Kendall's tau-b.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class OrderingFigures:
    """How an answer's order compares.

    Attributes:
        tau: (tau-b + 1) / 2; None where it has no meaning, because there is a single item.
        f1: F1 of the named items against the rubric's.
    """

    tau: float | None
    f1: float


def lines_of(answer: str) -> list[str]:
    """The lines of an answer; officially blank ones are items that match nothing."""
    return answer.split("\n")


def aligned(
    rubric: Sequence[str], lines: Sequence[str], same: Callable[[int, str], bool]
) -> list[str]:
    """Each line replaced by the first free rubric item that it is the same as.

    Args:
        rubric: The items in their order.
        lines: The lines in theirs.
        same: Whether the item at an index and a line are the same event.
    """
    free = list(range(len(rubric)))
    found = []
    for line in lines:
        match = next((index for index in free if same(index, line)), None)
        if match is None:
            found.append(line)
        else:
            free.remove(match)
            found.append(rubric[match])
    return found


def compare(rubric: Sequence[str], named: Sequence[str]) -> OrderingFigures:
    """Order and overlap of aligned items against the rubric."""
    hits = len(set(rubric) & set(named))
    extra = sum(item not in rubric for item in named)
    missed = sum(item not in named for item in rubric)
    precision = hits / (hits + extra) if hits + extra else 0.0
    recall = hits / (hits + missed) if hits + missed else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return OrderingFigures(tau(rubric, named), f1)


def tau(rubric: Sequence[str], named: Sequence[str]) -> float | None:
    """Kendall's tau-b of the two orders, moved into 0..1."""
    from scipy.stats import kendalltau

    union = list(dict.fromkeys([*rubric, *named]))
    if len(union) < 2:
        return None
    value = float(kendalltau(ranks(rubric, union), ranks(named, union), variant="b").statistic)
    return (value + 1) / 2 if value == value else None


def ranks(items: Sequence[str], union: Sequence[str]) -> list[int]:
    """The rank of each item of `union` in `items`; those that are not there share the last."""
    known = {item: rank for rank, item in enumerate(items, start=1)}
    return [known.get(item, len(union) + 1) for item in union]
