"""The glossary: every metric, cost and badge with title, meaning, unit and direction."""

from __future__ import annotations

from membench.domain.labels import JsonObject
from membench.leaderboard.views.cost_origin import ORIGIN_MEANINGS, cost_origin
from membench.leaderboard.views.isolation import ISOLATION_MEANINGS
from membench.leaderboard.views.tables import (
    BADGES,
    ENERGY_BADGES,
    ENERGY_MEANINGS,
    SCORE_MEANINGS,
)
from membench.records.costs import COSTS
from membench.tasks.registry import list_tasks
from membench.tasks.wording import headline_metrics, metric_words


def metric_records() -> list[JsonObject]:
    """Headline metrics of every task."""
    found = []
    for task, card in list_tasks().items():
        for name in headline_metrics(card):
            words = metric_words(card, name)
            found.append(
                {
                    "task": card.title,
                    "metric": words.title,
                    "meaning": words.meaning,
                    "unit": words.unit or "count",
                    "direction": words.direction,
                    "id": f"{task}: {name}",
                }
            )
    return found


COMPARES = {
    "nothing": "anywhere",
    "machine": "on one machine, at one concurrency and schedule",
    "meter": "on one machine, with one boundary and provenance",
}
"""Where figures of a cost may stand beside each other."""


def cost_records() -> list[JsonObject]:
    """Every cost."""
    return [
        {
            "cost": cost.title,
            "meaning": cost.meaning,
            "unit": cost.unit,
            "direction": "less is better",
            "compares": COMPARES[cost.depends_on],
            "who says so": cost_origin(cost),
            "id": cost.id,
        }
        for cost in COSTS.values()
    ]


def badge_records() -> list[JsonObject]:
    """Badges of scores, of costs, of joules and of isolation."""
    scores = [("scores", BADGES[name], words) for name, words in SCORE_MEANINGS.items()]
    joules = [("energy", ENERGY_BADGES[name], words) for name, words in ENERGY_MEANINGS.items()]
    walls = [("isolation", label, words) for label, words in ISOLATION_MEANINGS.items()]
    costs = [("costs", label, words) for label, words in ORIGIN_MEANINGS.items()]
    return [
        {"badge of": kind, "badge": badge, "meaning": words}
        for kind, badge, words in (*scores, *costs, *joules, *walls)
    ]
