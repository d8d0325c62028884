"""Calls of a system that were paid and stand in no record.

Some are known to be nobody's: those of a warm-up, and those of an event in which a run was killed.
They are charged to what was abandoned, in a note of `play.jsonl`. Whatever is left at the end of a
run is a flag (`membench.records.summary.unrecorded_calls`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from membench.domain.labels import JsonView, Phase, Role
from membench.records.journal import Appender, read_lines
from membench.records.model_calls import usage_of
from membench.records.run_directory import RunDir
from membench.records.shape import is_note, is_payment
from membench.records.summary import SYSTEM_ROLES
from membench.records.usage import LateUsage, PhaseUsage, Usage

Place = tuple[str, str | None, int | None]
"""Role, case and event of a call."""


def charge_unrecorded(run: RunDir, why: str) -> None:
    """Note the calls that were paid so far and stand in no record as a cost of nothing that counts.

    Args:
        run: No lane is at work in it.
        why: What the note is called: `warm-up` or `interrupted`.
    """
    if not (found := unrecorded_calls_of(run)):
        return
    by_phase: dict[str, dict[Role, Usage]] = defaultdict(dict)
    for line in found:
        roles, role = by_phase[line.get("phase") or Phase.INGEST.value], Role(line["role"])
        roles[role] = roles.get(role, Usage()) + usage_of(line["usage"])
    late = [
        LateUsage(PhaseUsage.of(roles), phase=phase, abandoned=True)
        for phase, roles in by_phase.items()
    ]
    notes = Appender(run.play)
    notes.append({"note": why, "late": [usage.to_json() for usage in late]})
    notes.close()


def unrecorded_calls_of(run: RunDir) -> list[JsonView]:
    """Lines of the ledger that no record has, of the models of systems."""
    recorded, by_role = recorded_calls(run)
    extra: dict[str, list[JsonView]] = defaultdict(list)
    for line in filter(is_payment, read_lines(run.spent)):
        role, place = line["role"], (line["role"], line.get("case"), line.get("event"))
        if role not in SYSTEM_ROLES:
            continue
        by_role[role] -= line["usage"].get("calls", 1)
        if recorded[place] > 0:
            recorded[place] -= 1
        else:
            extra[role].append(line)
    # Late calls may be noted at another event than in the ledger: no more than is missing.
    return [
        line
        for role, lines in extra.items()
        for line in lines[max(0, len(lines) + by_role[role]) :]
    ]


def recorded_calls(run: RunDir) -> tuple[Counter[Place], Counter[str]]:
    """Calls that were paid, by records and notes: at each place, and of each role."""
    places: Counter[Place] = Counter()
    roles: Counter[str] = Counter()
    for case, event, usage in _recorded(run):
        for role, use in usage.roles.items():
            paid = use.calls - use.replayed
            places[role, case, event] += paid
            roles[role] += paid
    return places, roles


def _recorded(run: RunDir) -> Iterator[tuple[str | None, int | None, PhaseUsage]]:
    for line in read_lines(run.play):
        if is_note(line):
            for late in map(LateUsage.from_json, line.get("late", ())):
                yield late.case, late.event, late.usage
        elif usage := line.get("telemetry", {}).get("usage"):
            yield line["case"], line["event"], PhaseUsage.from_json(usage)
