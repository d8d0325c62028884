"""The head of a run's page as HTML: scores between floor and ceiling, costs, the command."""

from __future__ import annotations

from collections.abc import Sequence

from membench.domain.labels import JsonObject
from membench.leaderboard.rendering.html import definitions, escaped, folded, note, table
from membench.leaderboard.store.index import Index
from membench.leaderboard.views.amortisation import NO_ACCURACY
from membench.leaderboard.views.board.rows import scaled
from membench.leaderboard.views.cost_origin import cost_origin, origin_note
from membench.leaderboard.views.cost_units import cost_unit
from membench.leaderboard.views.standing import CostStanding, MetricStanding, Standing
from membench.leaderboard.views.tables import amount, scored_text
from membench.metrics.names import is_fraction
from membench.metrics.numbers import significant

STANDING_STYLE = """
.mb-lead { font-size: 1.15rem; margin: 0 0 .4rem; }
.mb-scores { display: grid; grid-template-columns: minmax(9rem, auto) minmax(6rem, 1fr) auto;
  gap: .35rem .9rem; align-items: center; margin: .4rem 0; }
.mb-track { position: relative; height: 1rem; background: rgba(128, 134, 145, .18);
  border-radius: .3rem; }
.mb-track i, .mb-track b, .mb-track s, .mb-track u { position: absolute; top: 0; bottom: 0; }
.mb-track i { background: rgba(11, 120, 168, .35); border-radius: .3rem; }
.mb-track s { left: 0; background: rgba(11, 120, 168, .25); border-radius: .3rem; }
.mb-track b { width: 3px; background: #0b78a8; }
.mb-track u { width: 0; border-left: 2px dashed currentColor; }
@media (max-width: 640px) { .mb-scores { grid-template-columns: 1fr; gap: .1rem; }
  .mb-scores .mb-track { margin-bottom: .1rem; } .mb-scores .mb-value { margin-bottom: .6rem; } }
"""


def standing_html(shown: Standing, unit: str = "", energy: str = "") -> str:
    """Place, scores and costs of a run.

    Args:
        shown: Where it stands.
        unit: What joules are read in (`views.cost_units`); empty for joules.
        energy: Provenance of its joules; empty without any.
    """
    return (
        f'<p class="mb-lead"><strong>{escaped(shown.label)}</strong> on {escaped(shown.place)}: '
        f"{escaped(place_text(shown))}.</p>"
        f"{scores_html(shown.scores)}{costs_table(shown, unit, energy)}"
    )


def energy_of(index: Index, run_id: str) -> str:
    """Provenance of a run's joules; empty without any."""
    found = index.runs.loc[index.runs["run_id"] == run_id, "energy_provenance"]
    return str(found.iloc[0]) if len(found) else ""


BRACKETS = "Brackets are 95 % intervals over cases."


def scores_html(scores: Sequence[MetricStanding]) -> str:
    """Scores as bars with their figures, and what they mean."""
    if not scores:
        return ""
    rows = "".join(score_row(item) for item in scores)
    told = {item.words.title: f"{item.words.meaning}; {item.words.direction}." for item in scores}
    brackets = BRACKETS if any(item.figure.low is not None for item in scores) else ""
    return (
        f'<div class="mb-scores">{rows}</div>{note(brackets)}'
        f"{folded('What the scores mean', definitions(told))}"
    )


def place_text(shown: Standing) -> str:
    """The rank in words."""
    if shown.rank is None:
        return f"not ranked, {shown.why}" if shown.why else "not ranked"
    rank = shown.rank
    if rank.best == rank.worst:
        return f"rank {rank.best} of {shown.rivals}"
    return f"rank {rank.best} to {rank.worst} of {shown.rivals}"


def score_row(item: MetricStanding) -> str:
    """One metric: title, bar where it is a fraction, figures in words."""
    words, figure = item.words, item.figure
    marks = ""
    if is_fraction(words.name):
        low, high = (figure.value if end is None else end for end in (figure.low, figure.high))
        marks = f'<s style="width:{100 * figure.value:.2f}%"></s>'
        marks += f'<i style="left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%"></i>'
        marks += f'<b style="left:calc({100 * figure.value:.2f}% - 1px)"></b>'
        for _, other in item.references.values():
            marks += f'<u style="left:{100 * other.value:.2f}%"></u>'
    between = ", ".join(
        f"{system} ({kind}) {scored_text(words.name, other)}"
        for kind, (system, other) in item.references.items()
    )
    said = f"<strong>{escaped(scored_text(words.name, figure))}</strong>"
    remarks = [f"n {figure.n:,}"] * bool(figure.n)
    remarks += [words.direction] * (words.lower or not words.ranks) + [between] * bool(between)
    rest = "".join(f"; {escaped(remark)}" for remark in remarks)
    return (
        f'<div title="{escaped(words.meaning)}; {escaped(words.direction)}">'
        f"{escaped(words.title)}</div>"
        f'<div class="mb-track" aria-hidden="true">{marks}</div>'
        f'<div class="mb-value">{said}{rest}</div>'
    )


def costs_table(shown: Standing, unit: str = "", energy: str = "") -> str:
    """Costs per question, per correct answer and per history, and who says so."""
    correct = bool(shown.accuracy)
    records = [cost_record(item, unit, energy, correct=correct) for item in shown.costs]
    notes = [cost_unit(item.cost.id, unit).note for item in shown.costs]
    if not shown.accuracy:
        notes.append(NO_ACCURACY)
    notes.append(origin_note(item.cost for item in shown.costs))
    return table(records, "Costs") + note(" ".join(words for words in notes if words))


def cost_record(item: CostStanding, unit: str, energy: str, *, correct: bool) -> JsonObject:
    """One cost of a run as a line of the table; joules with their provenance."""
    label = f" {energy}" if energy and item.cost.depends_on == "meter" else ""
    shown = cost_unit(item.cost.id, unit)
    question, history = (scaled(figure, shown.factor) for figure in (item.question, item.history))
    per_correct = None if item.per_correct is None else shown.factor * item.per_correct
    many = "" if shown.count == 1 else ", per million"
    return {
        "cost": f"{shown.title}{many}",
        "per question": amount(question) + label * (question is not None),
        **({"per correct answer": significant(per_correct)} if correct else {}),
        "per history (ingestion)": amount(history) + label * (history is not None)
        if item.cost.setup
        else "–",
        "who says so": cost_origin(item.cost),
    }
