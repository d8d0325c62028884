"""The Systems and Tasks pages: what there is, and what of it is on the board."""

from __future__ import annotations

from membench.adapters.registry import discover
from membench.domain.labels import JsonObject
from membench.leaderboard.store.index import Index
from membench.leaderboard.views.board.choices import listed
from membench.tasks.registry import list_tasks

Record = JsonObject


def system_records(index: Index) -> list[Record]:
    """Every system known here or on the board."""
    runs = listed(index.runs)
    counts = runs["system"].value_counts().to_dict() if len(runs) else {}
    cards = discover().cards
    known = [
        {
            "system": name,
            "title": card.title,
            "kind": card.fidelity,
            "what": card.summary,
            "rows": int(counts.get(name, 0)),
            "models": ", ".join(card.default_roles) or "none",
            "granularity": card.granularity,
            "paper": card.paper or "–",
            "licence": card.licence,
            "deviations": "; ".join(card.deviations) or "none known",
        }
        for name, card in cards.items()
    ]
    unlisted = [
        dict.fromkeys(known[0] if known else ("system", "rows"), "–") | {"system": name, "rows": n}
        for name, n in sorted(counts.items())
        if name not in cards
    ]
    return known + unlisted


def task_records(index: Index) -> list[Record]:
    """Every task with its size, licence and warning."""
    runs = listed(index.runs)
    counts = runs["task"].value_counts().to_dict() if len(runs) else {}
    return [
        {
            "task": name,
            "title": card.title,
            "paper": card.paper,
            "licence": card.licence,
            "answers in bundles": "in clear"
            if card.may_redistribute_text
            else "as parts or hashes",
            "splits": ", ".join((*card.splits, "sample")),
            "questions": sum(card.counts.values()),
            "categories": ", ".join(f"{key} {n:,}" for key, n in card.counts.items()),
            "ranked by": f"{card.main_metric}; offline {card.offline_metric}",
            "warning": card.warning or "–",
            "rows": int(counts.get(name, 0)),
        }
        for name, card in list_tasks().items()
    ]
