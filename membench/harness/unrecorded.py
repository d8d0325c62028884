"""Calls of a system that were paid and stand in no record.

Some are known to be nobody's: those of a warm-up, and those of an event in which a run was killed.
They are charged to what was abandoned, in a note of `play.jsonl`. Whatever is left at the end of a
run is a flag (`membench.records.summary.unrecorded_calls`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from membench.domain.labels import SYSTEM_ROLES, JsonView, Phase, Role
from membench.records.journal import Appender, read_lines
from membench.records.model_calls import usage_of
from membench.records.run_directory import RunDir
from membench.records.shape import is_note, is_payment, is_play
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
    """Lines of the ledger that no record has, of the models of systems.

    Both sides count calls. Late calls may be noted at another event than in the ledger, so of a
    role there are no more lines than its missing calls.
    """
    recorded, left_of_role = recorded_calls(run)
    extra: dict[str, list[JsonView]] = defaultdict(list)
    for line in filter(is_payment, read_lines(run.spent)):
        role, calls = line["role"], usage_of(line["usage"]).calls
        if role not in SYSTEM_ROLES:
            continue
        place = (role, line.get("case") or None, line.get("event"))
        known = min(recorded[place], calls)
        recorded[place] -= known
        left_of_role[role] -= calls
        if known < calls:
            extra[role].append(line)
    return [line for role, lines in extra.items() for line in last(lines, -left_of_role[role])]


def last(lines: Sequence[JsonView], calls: int) -> list[JsonView]:
    """The last lines of a ledger, of so many calls at most."""
    kept: list[JsonView] = []
    for line in reversed(lines):
        calls -= usage_of(line["usage"]).calls
        if calls < 0:
            break
        kept.append(line)
    return kept[::-1]


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
        if "case" not in line:
            for late in line.get("late", ()) if is_note(line) else ():
                usage = LateUsage.from_json(late)
                yield usage.case, usage.event, usage.usage
        elif is_play(line) and (found := line["telemetry"].get("usage")):
            yield line["case"], line["event"], PhaseUsage.from_json(found)
