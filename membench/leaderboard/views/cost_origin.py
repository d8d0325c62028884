"""Who stands for a cost figure: what a board computes again, and what is the submitter's word."""

from __future__ import annotations

from collections.abc import Iterable

from membench.records.costs import COSTS, Cost

SELF_REPORTED, SUMMED = "○ self-reported cost", "◐ summed again"

ORIGIN_MEANINGS = {
    SELF_REPORTED: "measured or counted on the submitter's machine alone: a bundle cannot show "
    "that it is so, and nobody can compute it again; what adds up from records is added up again",
    SUMMED: "the board adds it up again from the memories recalled for each question; the tokens "
    "of one memory are the submitter's",
}
"""What each label says."""


def cost_origin(cost: Cost) -> str:
    """The label of a cost: all but context tokens are the submitter's word."""
    return SUMMED if cost.id == "context_tokens" else SELF_REPORTED


def origin_help(cost: Cost) -> str:
    """Label and meaning in a tooltip."""
    label = cost_origin(cost)
    return f"{label}: {ORIGIN_MEANINGS[label]}."


def origin_note(costs: Iterable[Cost] = ()) -> str:
    """What must stand at the head of a table of costs; of every cost if none is named."""
    labels = {cost_origin(cost) for cost in costs or COSTS.values()}
    return " ".join(
        f"{label}: {meaning}." for label, meaning in ORIGIN_MEANINGS.items() if label in labels
    )
