"""The closing table of a run: scores by category, then what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from rich.table import Table

from membench.cli.output.closing import (
    is_unread,
    judge_line,
    next_lines,
    prefix_lines,
    result_lines,
    sign_line,
    words_of,
)
from membench.cli.output.console import out, show
from membench.cli.output.listing import print_json
from membench.domain.errors import Reason
from membench.domain.labels import JsonView, Phase, Provenance, Role
from membench.domain.score import Metric
from membench.energy.figure import joules_text
from membench.harness.run import RunResult
from membench.metrics.numbers import counted
from membench.metrics.statistics import interval_text
from membench.records.costs import COSTS, MAIN_COSTS, QUESTION, mean_cost, phase_cost
from membench.records.energy_summary import EnergySummary, PhaseEnergy
from membench.records.journal import read_lines
from membench.records.memory_gate import memory_gate_lines
from membench.records.run_directory import RunDir
from membench.records.shape import is_answer, is_play, is_verdict
from membench.records.summary import (
    Summary,
    never_scored,
    replies_text,
    stores_nothing,
    unrecorded_calls,
)
from membench.records.usage import Usage
from membench.tasks.registry import get_task
from membench.tasks.wording import at_cuts

T = TypeVar("T")

SCRIPTED = "scripted"
GRANT = "evidence_grant"
"""The capability of a system that the harness shows the evidence to."""
CONTEXT = COSTS["context_tokens"]
FOLLOWING = {Reason.EARLIER_EVENT_FAILED, Reason.RECALL_FAILED}
"""Failures that follow from another one."""


def show_result(result: RunResult, *, as_json: bool, data: Path | None = None) -> None:
    """Print what a run came to; `data` is where it was told its data is."""
    print_summary(result.summary, result.run.path, as_json=as_json, data=data)


def print_summary(
    summary: Summary, path: Path | None, *, as_json: bool, data: Path | None = None
) -> None:
    """Print a summary: JSON alone, or the closing table."""
    if as_json:
        print_json(summary.to_json())
    else:
        print_closing(summary, path, data)


def print_closing(summary: Summary, path: Path | None, data: Path | None = None) -> None:
    """Print the result of a run for a person."""
    console = out()
    console.print()
    console.print(title(summary), markup=False)
    console.print()
    for line in result_lines(summary, path):
        console.print(line, markup=False)
    tables = [score_table(summary), overall_table(summary)]
    if summary.costs.time_s:
        tables.append(cost_table(summary))
    for table in tables:
        console.print()
        show(table)
    for line in (*explanations(summary), *remarks(summary, path)):
        console.print(line, markup=False)
    for line in next_lines(summary, path, data):  # a command is copied: it must not be folded
        console.print(line, markup=False, soft_wrap=True)


def explanations(summary: Summary) -> Iterator[str]:
    """What the names and signs in the tables above mean, one line each."""
    card, names = get_task(summary.task).card, headline_names(summary)
    shown = [name for name in names if name in summary.metrics]
    yield ""
    for name in shown:
        if (words := words_of(card, name)) != name and "strict." not in name:
            yield f"{name}: {words}"
    yield from prefix_lines(shown)
    totals = [phase.total for phase in summary.energy.phases.values()]
    labels = {total.provenance for total in totals if total.joules is not None}
    if signs := sign_line(labels):
        yield signs


def title(summary: Summary) -> str:
    """One line: what was run on what."""
    counts = summary.counts
    return (
        f"{summary.system} on {summary.task} ({summary.split}), "
        f"division {summary.division}: "
        f"{counted(counts.cases, 'case')}, {counted(counts.questions, 'question')}"
    )


def headline_names(summary: Summary) -> list[str]:
    """The task's headline metrics that this run has."""
    wanted = get_task(summary.task).card.headline
    present = set(summary.metrics)
    for category in summary.categories.values():
        present.update(category.metrics)
    return [name for name in at_cuts(wanted, present) if name in present]


def score_table(summary: Summary) -> Table:
    """Categories by headline metrics."""
    categories = summary.categories.values()
    names = [
        name
        for name in headline_names(summary)
        if any(figure(category.metrics.get(name)) != "-" for category in categories)
    ]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("category", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    for name in names:
        table.add_column(name.replace(".", ".\n"), justify="right", no_wrap=True)
    for category, entry in in_order(summary.categories, get_task(summary.task).card.counts):
        cells = [figure(entry.metrics.get(name)) if given(summary, name) else "-" for name in names]
        label = category if entry.id == category else f"{entry.id} {category}"
        table.add_row(label, str(entry.n), *cells)
    return table


def in_order(found: Mapping[str, T], order: Iterable[str]) -> list[tuple[str, T]]:
    """The entries in a given order, others after them; JSON on disk is sorted by name."""
    known = [name for name in order if name in found]
    return [(name, found[name]) for name in dict.fromkeys((*known, *found))]


def overall_table(summary: Summary) -> Table:
    """The headline metrics with interval and sample size."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("overall", no_wrap=True)
    names = headline_names(summary)
    mended = any(f"errata.{name}" in summary.metrics for name in names)
    columns = ["value", "95 % interval", "n", "cases", *(["with errata"] if mended else [])]
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for name in names:
        metric = summary.metrics.get(name)
        if metric is not None:
            why = "all failed" if metric.n else "not determined"
            shown = [figure(metric), interval(metric)] if given(summary, name) else ["-", why]
            cells = [*shown, str(metric.n), str(metric.clusters)]
            beside = [figure(summary.metrics.get(f"errata.{name}"))] if mended else []
            table.add_row(name, *cells, *beside)
    return table


def given(summary: Summary, name: str) -> bool:
    """Whether anything was scored by a metric; where every answer failed there is no score."""
    return name not in never_scored(summary.metrics)


def figure(metric: Metric | None) -> str:
    """A metric's value; a dash where there is none."""
    return "-" if metric is None or metric.value is None else f"{metric.value:.3f}"


def interval(metric: Metric) -> str:
    """A metric's interval; words where there are too few cases for one."""
    return interval_text(metric.ci95, metric.clusters, "{:.3f} to {:.3f}")


def cost_table(summary: Summary) -> Table:
    """Phases by seconds, CPU, calls, tokens, dollars and, where there are any, joules."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    energy = summary.energy.phases
    watched = any(entry.total.joules is not None for entry in energy.values())
    names = ["phase", "total s", "p50 ms", "p95 ms", "CPU s", "calls", "tokens", "USD"]
    for name in [*names, "J"] if watched else names:
        table.add_column(name, justify="left" if name == "phase" else "right", no_wrap=True)
    for phase, time in in_order(summary.costs.time_s, Phase):
        costs = {cost.id: phase_cost(summary, cost, phase) for cost in MAIN_COSTS}
        table.add_row(
            phase,
            amount(costs["seconds"], ".2f"),
            milliseconds(time.p50),
            milliseconds(time.p95),
            amount(costs["cpu_s"], ".2f"),
            f"{summary.costs.usage[phase].total.calls:,}",
            amount(costs["tokens"], ",.0f"),
            amount(costs["usd"], ".4f"),
            *([joules(energy.get(phase))] if watched else []),
        )
    return table


def amount(cost: float | None, form: str) -> str:
    """A cost; a dash where it is unknown."""
    return "-" if cost is None else f"{cost:{form}}"


def milliseconds(seconds: float | None) -> str:
    """Seconds as milliseconds."""
    return "-" if seconds is None else f"{seconds * 1000:.2f}"


def joules(phase: PhaseEnergy | None) -> str:
    """Joules, never without the word of their provenance."""
    if phase is None:
        return "unavailable"
    return joules_text(phase.total.joules, Provenance(phase.total.provenance))


def energy_line(energy: EnergySummary) -> str:
    """Total joules with label, range and boundary; or why there are none."""
    total = energy.total
    label = Provenance(total.provenance)
    text = str(label)
    if total.joules is not None:
        text = joules_text(total.joules, label, total.u_joules)
    methods = dict.fromkeys(source["method"].partition("; ")[0] for source in energy.sources)
    boundary = f", boundary {energy.boundary}" if energy.boundary else ""
    return f"energy: {text}{boundary} ({'; '.join(methods) or 'not watched'})"


def gate_lines(gate: JsonView | None) -> Iterator[str]:
    """What the reader made of a fixed set with and without evidence."""
    if gate is None:
        return
    if gate["ci95"] is None:
        yield f"reader gate: not determined, answered: {counted(gate['n'], 'question')}"
        return
    low, high = gate["ci95"]
    yield (
        f"reader gate: F1 {gate['evidence']:.2f} with the evidence, {gate['none']:.2f} without: "
        f"{gate['difference']:+.2f} [{low:+.2f}, {high:+.2f}] (n {gate['n']})"
    )
    if not gate["tells_apart"]:
        yield "note: this reader does not tell evidence from none; such a row is never ranked"


def judge_lines(judge: JsonView | None) -> list[str]:
    """Each judge with what it let pass and refused among candidates made from gold."""
    if judge is None:
        return []
    lines = []
    for entry in judge["judges"]:
        for kind, rates in (entry["calibration"] or {}).items():
            lines.append(
                f"judge {entry['model']}, {kind}: false accept {rate(rates['false_accept'])}, "
                f"false reject {rate(rates['false_reject'])} on candidates made from gold"
            )
    for pair in judge["agreement"]:
        kappa = "-" if pair["kappa"] is None else f"{pair['kappa']:.2f}"
        lines.append(f"judges {pair['seats'][0]} and {pair['seats'][1]}: kappa {kappa}")
    return lines


def rate(share: JsonView) -> str:
    """A share with its interval and sample size."""
    if share["value"] is None:
        return "-"
    low, high = share["ci95"]
    return f"{share['value']:.2f} [{low:.2f}, {high:.2f}] (n {share['n']})"


def remarks(summary: Summary, path: Path | None) -> list[str]:
    """Lines below the tables: context, failures, notes, where the run is."""
    context, recalled = mean_cost(summary, CONTEXT, QUESTION), summary.costs.recalled
    lines = [""]
    if recalled is not None and context is not None:
        lines.append(
            f"per question: {recalled:.1f} memories recalled, "
            f"{context:.0f} tokens of context (p95 {summary.costs.context_tokens.p95:.0f})"
            f"{sent_text(summary)}"
        )
    lines.extend(stored_lines(summary, path))
    counts, cut = summary.counts, summary.costs.context_cut
    if cut.questions:
        lines.append(
            "CUT to fit the reader's window or the token budget: "
            f"{counted(cut.memories, 'memory', 'memories')}, from the end of the ranking, "
            f"in {cut.questions} of {counted(counts.questions, 'question')}"
        )
    if summary.costs.replies:
        lines.append(f"replies of the memory model: {replies_text(summary.costs.replies)}")
    if counts.failures:
        listed = ", ".join(f"{reason} {n}" for reason, n in counts.failures.items())
        lines.append(f"FAILED {counts.failed} of {counted(counts.questions, 'question')}: {listed}")
        lines.extend(f"  {error}" for error in first_errors(path, counts.failures))
    if counts.unscored:
        why = "nobody answered" if is_unread(summary) else "no judge was run"
        lines.append(f"unscored: {counted(counts.unscored, 'question')} ({why})")
    if is_unread(summary):
        lines.append("no reader: what was recalled is scored, answers are not")
    if missing := judge_line(summary, path):
        lines.append(missing)
    if summary.costs.time_s:
        lines.append(energy_line(summary.energy))
        lines.extend(unmetered_lines(summary))
    lines.extend(unrecorded_lines(summary))
    lines.extend(state_lines(summary))
    lines.extend(gate_lines(summary.reader_gate))
    lines.extend(memory_gate_lines(summary.memory_gate))
    lines.extend(judge_lines(summary.judge))
    if SCRIPTED in summary.models.values():
        lines.append("note: a scripted model took part; its figures are no result")
    lines.extend(f"note: {note}" for note in headline_notes(summary))
    lines.extend(f"note: {summary.system} {note}" for note in system_notes(summary, path))
    if path is not None:
        lines.append(f"run: {path}")
    return lines


def stored_lines(summary: Summary, path: Path | None) -> Iterator[str]:
    """What was left in the stores, and how many replies of the system's model were of no use."""
    stored = summary.costs.stored
    phases = summary.costs.usage.values()
    usage = sum((phase.roles.get(Role.MEMORY.value, Usage()) for phase in phases), Usage())
    if usage.unusable:
        kinds = {"cut at the output limit": usage.cut, "empty": usage.empty}
        kinds["without the JSON or tool call asked for"] = usage.unparsable
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
        yield f"memory model: {usage.unusable} of {usage.calls} replies of no use ({listed})"
    if stored.mean is None:
        return
    empty = f", nothing in {stored.empty} of {stored.cases}" if stored.empty else ""
    yield f"stored per history: {stored.mean:,.1f} memories{empty}"
    if path is not None and stores_nothing(RunDir.open(path).manifest().system, summary):
        yield (
            "NOTHING WAS STORED: what is scored here is the reader without a memory; such a row is "
            "never ranked"
        )


def unrecorded_lines(summary: Summary) -> Iterator[str]:
    """Calls of the system that its records do not have: its costs are not what they seem."""
    missing = unrecorded_calls(summary)
    if missing:
        listed = ", ".join(f"{calls} of the {role} model" for role, calls in missing.items())
        yield f"UNRECORDED CALLS: {listed} were paid and stand in no record; a bundle is flagged"


def state_lines(summary: Summary) -> Iterator[str]:
    """Whether the system knew in one case what it was told in another."""
    found = summary.carried_over
    if found.cases:
        yield (
            "STATE KEPT BETWEEN CASES: texts of an earlier case were recalled in "
            f"{counted(found.cases, 'case')}, as {counted(found.memories, 'memory', 'memories')}; "
            "a bundle is flagged and never ranked"
        )


def sent_text(summary: Summary) -> str:
    """What a reader with a model was sent for a question: memories, instructions and all."""
    answering = summary.costs.usage.get(Phase.ANSWER.value)
    usage = answering.roles.get(Role.READER.value) if answering else None
    if not usage or not usage.calls:
        return ""
    return f"; the reader was sent {usage.prompt_tokens / usage.calls:.0f} tokens a call"


def unmetered_lines(summary: Summary) -> Iterator[str]:
    """Which phases called models whose machine is not metered, so that their CPU is unknown."""
    phases = in_order(summary.costs.cpu_s, Phase)
    if unknown := [phase for phase, seconds in phases if seconds is None]:
        yield (
            f"CPU s of {', '.join(unknown)}: unavailable, a model was called whose machine is not "
            "metered"
        )


def system_notes(summary: Summary, path: Path | None) -> Iterator[str]:
    """What a reader of the figures should know of the system, as the run's manifest says."""
    if path is None:
        return
    system = RunDir.open(path).manifest().system
    if GRANT in system.capabilities:
        yield (
            "had no evidence to be granted: the data name none; it is no ceiling here"
            if summary.costs.recalled == 0
            else "is granted the evidence; it is a ceiling"
        )
    if system.protocol == "answer-only":
        yield "answers by itself; what it recalls cannot be seen, so retrieval is not scored"


def first_errors(path: Path | None, reasons: Iterable[str]) -> list[str]:
    """What was said of the first thing that failed for each reason and is still failed.

    What a later attempt did again counts as that attempt left it.
    """
    if path is None:
        return []
    files = [(path / "play.jsonl", is_play), (path / "answers.jsonl", is_answer)]
    files += [(file, is_verdict) for file in sorted(path.glob("verdicts/*.jsonl"))]
    wanted, errors = set(reasons) - FOLLOWING, []
    for file, shape in files:
        for line in still_failed(filter(shape, read_lines(file))):
            reason = line.get("content", line).get("reason")
            if reason in wanted:
                wanted.discard(reason)
                error = line["telemetry"].get("error")
                errors.append(f"{reason}, first in {line.get('phase', 'judge')}: {error or '-'}")
    return errors


def still_failed(lines: Iterable[JsonView]) -> list[JsonView]:
    """The failed lines of a journal that no later line about the same thing has replaced."""
    failed: dict[tuple[object, ...], JsonView] = {}
    for line in lines:
        key = tuple(line.get(name) for name in ("case", "event", "phase", "request"))
        failed.pop(key, None)
        if line.get("content", line).get("status") == "failed":
            failed[key] = line
    return list(failed.values())


def headline_notes(summary: Summary) -> list[str]:
    """Notes about headline metrics; the others are in the summary."""
    names = headline_names(summary)
    return [
        note
        for note in summary.notes
        if "not determined" not in note or note.partition(": ")[0] in names
    ]
