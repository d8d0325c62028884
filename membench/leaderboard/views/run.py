"""The Run page: everything about one bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from membench.domain.labels import JsonObject, JsonView
from membench.domain.score import Metric, Score
from membench.leaderboard.store.rows import RowFigure, distance, figure_of, task_class
from membench.leaderboard.store.store import Adjudication, Store, tombstones
from membench.leaderboard.validation.rules import FLAGS
from membench.leaderboard.views.bundles import LoadedBundle, load
from membench.leaderboard.views.isolation import isolation_words
from membench.leaderboard.views.tables import amount, percent
from membench.metrics.names import is_fraction
from membench.metrics.numbers import significant
from membench.records.costs import COSTS, phase_cost
from membench.records.energy_summary import EnergyEntry, PhaseEnergy
from membench.records.manifest import Manifest
from membench.records.memory_gate import memory_gate_lines
from membench.records.summary import Summary, never_scored, replies_text
from membench.tasks.wording import (
    MetricWords,
    at_cuts,
    headline_metrics,
    leading_metrics,
    metric_words,
)

Record = JsonObject


@dataclass(frozen=True)
class RunPage:
    """The page.

    Attributes:
        run_id: The run.
        loaded: Its bundle; None for a tombstone without one.
        withdrawn: The decision that withdrew it, if any.
        adjudications: Every decision about it, oldest first.
    """

    run_id: str
    loaded: LoadedBundle | None
    withdrawn: Adjudication | None
    adjudications: tuple[Adjudication, ...]


def run_page(store: Store, run_id: str) -> RunPage:
    """Everything about one run.

    Raises:
        RunStateError: There is neither a bundle nor a tombstone.
    """
    decisions = store.adjudications()
    mine = tuple(decision for decision in decisions if decision.run_id == run_id)
    gone = tombstones(decisions).get(run_id)
    loaded = None if gone is not None and store.find(run_id) is None else load(store, run_id)
    return RunPage(run_id, loaded, gone, mine)


def facts(loaded: LoadedBundle) -> list[Record]:
    """Who, what, when, on what, as a table."""
    manifest, summary = loaded.manifest, loaded.summary
    system, task, code, counts = manifest.system, manifest.task, manifest.code, summary.counts
    badge = loaded.badge or {}
    entries = {
        "system": f"{system.name} {system.version} ({kind_of(manifest)})",
        "isolation": isolation_words(manifest),
        "network": network_words(manifest),
        "parameters": words(system.parameters),
        "deviations": "; ".join(system.deviations) or "none known",
        "task": f"{task.name}, split {task.split} ({task.dataset_version} data)",
        "questions": f"{counts.questions:,} in {counts.cases:,} cases",
        "failures": words(counts.failures) or "none",
        "division": summary.division,
        "reader and judge": f"{manifest.spec.reader}, judge {manifest.spec.judge}",
        "models": words(manifest.models) or "none",
        **own_model(summary),
        **where_it_ran(manifest),
        "membench": f"{manifest.versions.get('membench')}, commit {str(code.commit)[:10]}"
        + (", with uncommitted changes" if code.dirty else ""),
        "made": manifest.created_utc,
        "verified": badge.get("verified_utc", "never"),
        "score badge": badge.get("score", "unchecked"),
        "submitter": badge.get("submitter") or "–",
        "remarks": "; ".join(FLAGS[f] for f in badge.get("flags", ()) if f in FLAGS) or "none",
        "dataset sha256": task.dataset_sha256,
        "question set sha256": task.question_set_sha256,
        "content sha256": summary.content_sha256 or "–",
        "bundle sha256": loaded.opened.sha256,
    }
    return [{"fact": name, "value": str(value)} for name, value in entries.items()]


def kind_of(manifest: Manifest) -> str:
    """How close a system is to its original; of answers that were handed in nobody knows."""
    system = manifest.system
    return "handed in" if system.handed_in else system.fidelity


def where_it_ran(manifest: Manifest) -> Record:
    """Machine and options of a run; of answers that were handed in only the scoring ran here."""
    if manifest.system.handed_in:
        return {"machine": "not known: the answers were made elsewhere"}
    return {"machine": manifest.hardware.kind, "execution": words(manifest.options)}


def network_words(manifest: Manifest) -> str:
    """How far away a hosted system is, and what that is in; a dash for any other."""
    taken = distance(manifest)
    if not taken:
        return "–"
    return f"a connection to the service took {taken}; every latency of the run holds the network"


def own_model(summary: Summary) -> dict[str, str]:
    """What came of a model that the system calls by itself, where that was counted."""
    replies, gate = summary.costs.replies, summary.memory_gate
    found = {"replies of the memory model": replies_text(replies)} if replies else {}
    return found | ({"memory gate": "; ".join(memory_gate_lines(gate))} if gate else {})


def words(values: JsonView) -> str:
    """A mapping in one line."""
    return ", ".join(
        f"{key.replace('_', ' ')} {worded(value)}"
        for key, value in values.items()
        if value not in (None, "", {}, [])
    )


def worded(value: object) -> str:
    """A value in plain words."""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def headline(loaded: LoadedBundle) -> tuple[str, ...]:
    """The task's headline metrics that rows have, the one to rank by first."""
    there = {name for row in loaded.rows() for name in row.values}
    return leading_metrics(task_class(loaded.summary.task).card, there)


def metrics_of(loaded: LoadedBundle) -> dict[str, MetricWords]:
    """The headline metrics for people."""
    card = task_class(loaded.summary.task).card
    names = at_cuts(headline_metrics(card), loaded.summary.metrics)
    return {name: metric_words(card, name) for name in names}


def metric_titles(loaded: LoadedBundle) -> dict[str, tuple[str, str]]:
    """Titles with units and meanings of the headline metrics, for the heads of columns."""
    return {
        name: (words.titled, f"{words.meaning}; {words.direction}.")
        for name, words in metrics_of(loaded).items()
    }


def metric_records(loaded: LoadedBundle) -> list[Record]:
    """All metrics, under title and id, and how each came about."""
    card = task_class(loaded.summary.task).card
    origins = (loaded.badge or {}).get("standing", {})
    blank = never_scored(loaded.summary.metrics)
    return [
        {
            "score": metric_words(card, name).titled,
            "value": "–" if name in blank else figure_text(name, metric),
            "n": metric.n,
            "cases": metric.clusters,
            "came about": origins.get(name.removesuffix(".scored"), "claimed"),
            "metric": name,
        }
        for name, metric in loaded.summary.metrics.items()
    ]


def category_records(loaded: LoadedBundle) -> list[Record]:
    """Headline metrics by category."""
    card = task_class(loaded.summary.task).card
    names = at_cuts(headline_metrics(card), loaded.summary.metrics)
    blank = never_scored(loaded.summary.metrics)
    found = []
    for category, entry in loaded.summary.categories.items():
        record: Record = {"category": category, "n": entry.n}
        for name in names:
            metric = entry.metrics.get(name)
            if metric is not None:
                shown = figure_text(name, metric, interval=False)
                record[name] = "–" if name in blank else shown
        found.append(record)
    return aligned(found)


def figure_text(name: str, metric: Metric, *, interval: bool = True) -> str:
    """A metric of a summary: fractions in percent, counts as they are."""
    figure = figure_of(metric)
    if figure is None:
        return "–"
    shown = figure if interval else RowFigure(figure.value)
    return percent(shown) if is_fraction(name) else amount(shown)


def aligned(records: Sequence[Record]) -> list[Record]:
    """Every record with the columns of all of them."""
    names = dict.fromkeys(name for record in records for name in record)
    return [{name: record.get(name, "–") for name in names} for record in records]


def cost_records(loaded: LoadedBundle) -> list[Record]:
    """Costs by phase."""
    summary = loaded.summary
    return [
        {
            "phase": phase,
            "seconds": costs["seconds"],
            "p50 (ms)": milliseconds(time.p50),
            "p95 (ms)": milliseconds(time.p95),
            "CPU seconds": costs["cpu_s"],
            "calls": summary.costs.usage[phase].total.calls,
            "prompt tokens": costs["prompt_tokens"],
            "completion tokens": costs["completion_tokens"],
            "embedding tokens": costs["embedding_tokens"],
            "model tokens": costs["tokens"],
            "USD": costs["usd"],
            "energy": joules(summary.energy.phases.get(phase, PhaseEnergy()).total),
        }
        for phase, time in summary.costs.time_s.items()
        for costs in [phase_costs(summary, phase)]
    ]


def phase_costs(summary: Summary, phase: str) -> dict[str, str]:
    """Every cost of a phase, as text."""
    return {name: significant(phase_cost(summary, cost, phase)) for name, cost in COSTS.items()}


def milliseconds(seconds: float | None) -> str:
    """Seconds as milliseconds."""
    return "–" if seconds is None else significant(seconds * 1000)


def joules(energy: EnergyEntry) -> str:
    """Joules, never without their label."""
    if energy.joules is None:
        return "unavailable"
    return f"{significant(energy.joules)} J {energy.provenance}"


def question_records(
    rows: Sequence[Score],
    names: Sequence[str],
    category: str = "",
    search: str = "",
    only: str = "",
    worst: float = 0.0,
) -> list[Record]:
    """Questions of a run that fit the filters.

    Args:
        rows: Score rows.
        names: Metrics to show.
        category: Only this category; empty for all.
        search: Part of a question id.
        only: `failed`, `wrong` (the first metric is at its worst), or empty for all.
        worst: The worst value of the first metric.
    """
    found = []
    for row in rows:
        value = row.values.get(names[0]) if names else None
        if category not in ("", row.category) or search not in row.item_id:
            continue
        if (only == "failed" and row.status != "failed") or (only == "wrong" and value != worst):
            continue
        shown = {name: rounded(row.values.get(name)) for name in names}
        found.append(
            {
                "question": row.item_id,
                "category": row.category or "",
                **shown,
                "status": row.status + (f" ({row.reason})" if row.reason else ""),
                "flags": ", ".join(row.flags),
            }
        )
    return found


def rounded(value: float | None) -> float | None:
    """A score of a question without digits that say nothing."""
    return None if value is None else round(value, 4)


def adjudication_records(page: RunPage) -> list[Record]:
    """Decisions about the run."""
    return [
        {
            "when": decision.when_utc,
            "who": decision.who,
            "what": decision.state or decision.score or "note",
            "why": decision.why,
            "rests on": ", ".join(decision.links),
        }
        for decision in page.adjudications
    ]
