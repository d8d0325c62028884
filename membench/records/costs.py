"""The costs of a run: one list, and one way to read each from a summary or a record.

Whatever shows a cost (suite, compare, board, closing table, plots, exports) takes it from here, so
one name has one value everywhere. Costs are split the way memory is used: the **setup** of a
history (ingest and finalize) and what a **question** costs (recall and answer). Judging is charged
to nobody. A cost that is not known is None, never 0.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from membench.domain.errors import UnknownName
from membench.domain.labels import JsonView, Phase, Role
from membench.records.summary import Summary
from membench.records.telemetry import Telemetry
from membench.records.usage import PhaseUsage, Usage, known_sum

SETUP_PHASES = (Phase.INGEST.value, Phase.FINALIZE.value)
"""Paid once per history."""

QUESTION_PHASES = (Phase.RECALL.value, Phase.ANSWER.value)
"""Paid per question."""

SETUP, QUESTION = "setup", "question"

STAGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {QUESTION: QUESTION_PHASES, SETUP: SETUP_PHASES}
)
"""The two halves of a lifecycle, with their phases."""

PER: Mapping[str, Literal["question", "history"]] = MappingProxyType(
    {
        QUESTION: "question",
        SETUP: "history",
        **dict.fromkeys(SETUP_PHASES, "history"),
        **dict.fromkeys(QUESTION_PHASES, "question"),
    }
)
"""What the mean cost of each stage and phase is a mean over."""


@dataclass(frozen=True)
class Cost:
    """A kind of cost.

    Attributes:
        id: In files, URLs and flags.
        title: On axes and in tables.
        unit: Its unit, told from the units of all others.
        meaning: What is counted, in one sentence.
        depends_on: What must be equal for two figures to compare: nothing, the machine (with
            concurrency and schedule), or the machine and the energy meter.
        part_of: Id of the cost that it is a part of; empty for one that stands alone.
        setup: Whether building a memory can cost it; where not, that is 0.
    """

    id: str
    title: str
    unit: str
    meaning: str
    depends_on: Literal["nothing", "machine", "meter"] = "nothing"
    part_of: str = ""
    setup: bool = True

    @property
    def machine(self) -> bool:
        """Whether figures compare only on equal hardware and settings."""
        return self.depends_on != "nothing"


TOKEN_KINDS = ("prompt_tokens", "completion_tokens", "embedding_tokens")
"""What `tokens` is the sum of."""

COSTS: Mapping[str, Cost] = MappingProxyType(
    {
        cost.id: cost
        for cost in (
            Cost(
                "joules", "Energy (J)", "J",
                "Joules attributed to the phase, with the label of their provenance.", "meter",
            ),
            Cost(
                "context_tokens", "Context tokens", "context tokens",
                "Tokens of the memories that were recalled for a question, whoever answered it; "
                "no model needs to have read them.", setup=False,
            ),
            Cost(
                "sent_tokens", "Tokens sent to the reader", "tokens sent",
                "Prompt tokens that the reader's model was sent for a question: memories as they "
                "are shown, instructions, examples and question; unknown where no model read.",
                setup=False,
            ),
            Cost(
                "tokens", "Model tokens", "model tokens",
                "Prompt, completion and embedding tokens of all calls to models; 0 without any.",
            ),
            Cost(
                "prompt_tokens", "Prompt tokens", "prompt tokens",
                "Prompt tokens of calls to models.", part_of="tokens",
            ),
            Cost(
                "completion_tokens", "Completion tokens", "completion tokens",
                "Completion tokens of calls to models.", part_of="tokens",
            ),
            Cost(
                "embedding_tokens", "Embedding tokens", "embedding tokens",
                "Tokens sent to an embedder.", part_of="tokens",
            ),
            Cost(
                "seconds", "Time (s)", "s",
                "Seconds from start to end of each event, added up.", "machine",
            ),
            Cost(
                "cpu_s", "CPU time (s)", "CPU s",
                "CPU seconds of the lanes, their children, and the models they called; unknown "
                "where the machine of one is not metered.", "machine",
            ),
            Cost(
                "usd", "Price (USD)", "USD",
                "Dollars at the price list of the run; unknown where one price is.",
            ),
        )
    }
)  # fmt: skip
"""Every cost by its id."""

MAIN_COSTS = tuple(cost for cost in COSTS.values() if not cost.part_of)
"""Costs that stand alone: what tables show and boards rank by."""

FORMER_IDS = {"context": "context_tokens", "cpu": "cpu_s", "dollars": "usd"}
"""Ids that links to a board once had."""


def cost_named(name: str) -> tuple[str, Cost]:
    """The stage or phase, and the cost, that a name such as `recall.seconds` stands for.

    Args:
        name: `<stage or phase>.<cost>`; a cost alone is that of a question.

    Raises:
        UnknownName: There is no such cost.
    """
    part, _, bare = name.rpartition(".")
    bare = FORMER_IDS.get(bare, bare)
    if bare not in COSTS or (part or QUESTION) not in PER:
        known = [*COSTS, *(f"{part}.{cost}" for part in PER for cost in COSTS)]
        raise UnknownName("cost", name, known)
    return part or QUESTION, COSTS[bare]


def name_of(part: str, cost: Cost) -> str:
    """The name of a cost in a stage or phase, as `cost_named` reads it."""
    return cost.id if part == QUESTION else f"{part}.{cost.id}"


# --- from a summary -----------------------------------------------------------------------------


def phase_cost(summary: Summary, cost: Cost, phase: str) -> float | None:
    """Total cost of one phase of a run.

    Args:
        summary: Its summary.
        cost: Which cost.
        phase: Which phase.

    Returns:
        The total; None where the phase did not run or its cost is not known.
    """
    spent = summary.costs
    if phase not in spent.time_s:
        return None
    match cost.id:
        case "seconds":
            return _number(spent.time_s[phase].total)
        case "cpu_s":
            return _number(spent.cpu_s.get(phase))
        case "joules":
            energy = summary.energy.phases.get(phase)
            return None if energy is None else _number(energy.total.joules)
        case "context_tokens":
            return _context_tokens(summary) if phase == Phase.RECALL.value else 0.0
        case "sent_tokens":
            return _sent_tokens(spent.usage.get(phase)) if phase == Phase.ANSWER.value else 0.0
        case _:
            usage = spent.usage.get(phase)
            return None if usage is None else _used(usage.total, cost)


def _context_tokens(summary: Summary) -> float | None:
    """Of all questions; one whose recall failed is taken to have the mean of the others."""
    mean = summary.costs.context_tokens.mean
    return None if mean is None else float(mean) * summary.counts.questions


def _sent_tokens(usage: PhaseUsage | None) -> float | None:
    """Of all answers; None where no model gave one."""
    reader = None if usage is None else usage.roles.get(Role.READER.value)
    return None if reader is None or not reader.asked else float(reader.prompt_tokens)


def _used(usage: Usage, cost: Cost) -> float | None:
    """Tokens or dollars of calls to models."""
    return _number(getattr(usage, cost.id))


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def stage_cost(summary: Summary, cost: Cost, part: str) -> float | None:
    """Total cost of a stage (`setup`, `question`) or of a single phase.

    Returns:
        The total; None where none of its phases ran or the cost of one that did is not known.
    """
    phases = [phase for phase in STAGES.get(part, (part,)) if phase in summary.costs.time_s]
    values = [phase_cost(summary, cost, phase) for phase in phases]
    known = [value for value in values if value is not None]
    return math.fsum(known) if known and len(known) == len(values) else None


def mean_cost(summary: Summary, cost: Cost, part: str) -> float | None:
    """Cost of a stage or phase per question, or per history for those of the setup (`PER`)."""
    counts, total = summary.counts, stage_cost(summary, cost, part)
    count = counts.questions if PER[part] == "question" else counts.cases
    return None if total is None or not count else total / count


# --- from records -------------------------------------------------------------------------------


def record_cost(record: JsonView, cost: Cost) -> float | None:
    """What one record of `play.jsonl` or `answers.jsonl` cost.

    Returns:
        The cost, 0 where there was nothing to pay for; None where it is not known, as are joules,
        which belong to phases.
    """
    telemetry: JsonView = record["telemetry"]
    if telemetry.get("unseen"):
        return None
    match cost.id:
        case "joules":
            return None
        case "seconds":
            return float(telemetry["end"] - telemetry["start"]) if "start" in telemetry else 0.0
        case "cpu_s":
            return cpu_seconds(telemetry)
        case "context_tokens":
            recalled = record["phase"] == Phase.RECALL.value
            return float(telemetry.get("context_tokens") or 0) if recalled else 0.0
        case "sent_tokens":
            return _recorded_sent(telemetry) if record["phase"] == Phase.ANSWER.value else 0.0
        case _:
            usage = telemetry.get("usage")
            return _recorded(usage, cost) if usage else 0.0


def _recorded_sent(telemetry: JsonView) -> float | None:
    """Tokens that the reader was sent for an answer; 0 for one that was not even asked for."""
    if "start" not in telemetry:
        return 0.0
    reader = ((telemetry.get("usage") or {}).get("roles") or {}).get(Role.READER.value)
    return None if reader is None else float(reader.get("prompt_tokens", 0))


def _recorded(usage: JsonView, cost: Cost) -> float | None:
    """Tokens or dollars of an event; there is one per event, so no object is made of it."""
    if cost.id == "tokens":
        return float(sum(usage.get(kind, 0) for kind in TOKEN_KINDS))
    return _number(usage.get(cost.id))


def cpu_seconds(telemetry: JsonView) -> float | None:
    """CPU seconds of an event: the lane's and those of the models it called.

    Returns:
        None where a model was called whose machine is not metered.
    """
    return Telemetry.from_json(telemetry).cpu_seconds


NAMES = tuple(COSTS)
UNKNOWN = math.nan
"""In a packed record, what is not known."""


class CaseTotals(Mapping[str, float]):
    """The total of every case, 8 bytes each beside a table of cases that others share."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        """Start with 0 of each case; `numbers` counts the cases from 0."""
        self._numbers = numbers
        self._totals = array("d", bytes(8 * len(numbers)))

    def add(self, case: str, value: float) -> None:
        """Add to the total of a case."""
        self._totals[self._numbers[case]] += value

    def __getitem__(self, case: str) -> float:
        """The total of a case."""
        return self._totals[self._numbers[case]]

    def __iter__(self) -> Iterator[str]:
        """The cases."""
        return iter(self._numbers)

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self._numbers)


Spent = dict[tuple[str, int], "array[float]"]
"""Phase and event -> costs in the order of `NAMES`, of one attempt at a case."""


def final_attempt(attempts: Mapping[int, Spent]) -> int:
    """The last attempt that was played as far as any other.

    Of a finished case that is the last complete one, from which its answers and its summary come;
    an attempt that was interrupted later has fewer events.
    """
    played = {n: sum(phase != Phase.ANSWER for phase, _ in spent) for n, spent in attempts.items()}
    return max(played, key=lambda n: (played[n], n))


class CaseCosts:
    """Costs by case, of the final attempt at each and its last record of every event.

    A record that was replaced, or belongs to an attempt that was abandoned, counts as little as it
    does in the summary.
    """

    def __init__(self, official: Mapping[str, str], asked: Container[tuple[str, int]]) -> None:
        """Start with nothing.

        Args:
            official: Opaque case id -> official case id; lines of other cases are left out.
            asked: Official case id and event of every question: probes are no context of one.
        """
        self._official = official
        self._asked = asked
        self._attempts: dict[str, dict[int, Spent]] = {}
        self._places: dict[tuple[str, int], tuple[str, int]] = {}

    def add(self, lines: Iterable[JsonView]) -> None:
        """Take in the lines of a journal; that of the play stage comes first."""
        for line in lines:
            case = self._official.get(line.get("case", ""))
            if case is None:
                continue
            spent = self._attempts.setdefault(case, {}).setdefault(line["attempt"], {})
            place = (line["phase"], line["event"])  # one object for all cases
            spent[self._places.setdefault(place, place)] = self._costs(case, line)

    def _costs(self, case: str, line: JsonView) -> array[float]:
        """The costs of a record in the order of `NAMES`, packed: there is one for every event."""
        found = {name: record_cost(line, cost) for name, cost in COSTS.items()}
        if (case, line["event"]) not in self._asked:
            found["context_tokens"] = 0.0
        known = (found[name] for name in NAMES)
        return array("d", (UNKNOWN if value is None else value for value in known))

    def _spent(self) -> Iterator[tuple[str, Spent]]:
        """Each case with the costs of its final attempt."""
        for case, attempts in self._attempts.items():
            yield case, attempts[final_attempt(attempts)]

    def by_question(self, cost: Cost) -> dict[tuple[str, int], float | None]:
        """(Official case id, event) of every question -> its recall and answer; None if unknown."""
        found: dict[tuple[str, int], float | None] = {}
        for case, spent in self._spent():
            for (phase, event), costs in spent.items():
                if phase in QUESTION_PHASES and (case, event) in self._asked:
                    value = costs[NAMES.index(cost.id)]
                    known = None if math.isnan(value) else value
                    found[case, event] = known_sum(found.get((case, event), 0.0), known)
        return found

    def totals(self) -> dict[str, Mapping[str, float]]:
        """`<phase>.<cost>` -> official case id -> total; a cost unknown in one case is left out."""
        numbers = {case: n for n, case in enumerate(sorted(self._official.values()))}
        phases = sorted({phase for _, spent in self._spent() for phase, _ in spent})
        totals = {f"{phase}.{cost}": CaseTotals(numbers) for phase in phases for cost in COSTS}
        for case, spent in self._spent():
            for (phase, _), costs in spent.items():
                for cost, value in zip(NAMES, costs, strict=True):
                    name = f"{phase}.{cost}"
                    if math.isnan(value):
                        totals.pop(name, None)
                    elif name in totals:
                        totals[name].add(case, value)
        return dict(totals)
