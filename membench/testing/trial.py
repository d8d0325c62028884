"""A trial: one case played against the scripted model server, everything metered.

It answers what a package does on the wire before any money is spent on it: calls and tokens per
phase as the gateway saw them, beside what the upstream says it served; wall and CPU seconds; the
size of the store; what was asked, so that dates can be looked for in it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from membench.adapters.environment.worker.processes import descendants
from membench.adapters.parameters import with_folders
from membench.adapters.registry import SystemCard, checked_parameters, create
from membench.domain.case import Ask, Case, Finalize, Ingest, phase_of
from membench.domain.labels import SYSTEM_ROLES, Phase, Role, Scalar
from membench.domain.system import Memory, Query, SystemContext
from membench.domain.temporary_folder import TemporaryFolder
from membench.harness.lanes.case_player import case_info
from membench.llm.config import CassetteMode, GatewayConfig, ModelSpec
from membench.llm.gateway import Gateway
from membench.llm.phase_meter import PhaseMeter
from membench.llm.upstreams.scripted.rules import Request
from membench.records.usage import LateUsage, PhaseUsage, Usage
from membench.testing.native_rules import NATIVE_RULES
from membench.testing.package_rules import RULES
from membench.testing.scripted import ScriptedServer
from membench.tokens import count_tokens


@dataclass
class PhaseCost:
    """What one phase of a trial cost; `memory` is the part of the memory model."""

    events: int = 0
    usage: Usage = field(default_factory=Usage)
    roles: dict[str, Usage] = field(default_factory=dict)
    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def memory(self) -> Usage:
        """Of the system's own language model."""
        return self.roles.get(Role.MEMORY, Usage())

    def add(self, usage: PhaseUsage, wall_s: float, cpu_s: float) -> None:
        """Add one event."""
        self.events += 1
        self.usage += usage.total
        for role, part in usage.roles.items():
            self.roles[role] = self.roles.get(role, Usage()) + part
        self.wall_s += wall_s
        self.cpu_s += cpu_s


@dataclass
class Trial:
    """What a trial came to.

    Attributes:
        system: Name of the system.
        phases: Cost by phase.
        start_s: Wall seconds until the first event could be played.
        late: Usage outside any phase, `phase` None for start-up.
        rss_bytes: Peak memory of the worker and what it started.
        store_bytes: Size of the store at the end.
        served: Calls by endpoint that the upstream says it served.
        requests: Every request the upstream saw.
        recalled: What each ask recalled; a system that only answers is asked to answer too.
        faults: Reasons of model calls that failed.
        processes: Ids of every process seen below the worker's supervisor.
        stored: The store at the end, None where the system does not list it.
        sandbox_violations: Connections refused and files written outside.
    """

    system: str
    phases: dict[Phase, PhaseCost] = field(default_factory=dict)
    start_s: float = 0.0
    late: list[LateUsage] = field(default_factory=list)
    rss_bytes: int = 0
    store_bytes: int | None = None
    served: int = 0
    served_tokens: int = 0
    requests: list[Request] = field(default_factory=list)
    recalled: list[Sequence[Memory]] = field(default_factory=list)
    stored: list[Memory] | None = None
    faults: list[str] = field(default_factory=list)
    processes: set[int] = field(default_factory=set)
    sandbox_violations: dict[str, list[str]] = field(default_factory=dict)

    @property
    def metered(self) -> int:
        """Calls the gateway saw, start-up and late ones included."""
        late = sum(late.usage.total.calls for late in self.late)
        return late + sum(cost.usage.calls for cost in self.phases.values())


def play(
    card: SystemCard,
    case: Case,
    *,
    parameters: Mapping[str, Scalar] | None = None,
    width: int = 1536,
    k: int = 10,
    seed: int = 0,
    cassette: Path | None = None,
    cassette_mode: CassetteMode = "off",
) -> Trial:
    """Play the ingests, finalizes and asks of a case.

    Args:
        card: The system; its environment is installed.
        case: The public case.
        parameters: As `--set` gives them.
        width: Width of the embedder's vectors.
        k: Memories per recall.
        seed: Of the run.
        cassette: File to record to or replay from.
        cassette_mode: What to do with it.
    """
    trial = Trial(card.name)
    rules = RULES | NATIVE_RULES
    server = ScriptedServer(rules.get(card.name, ()), width=width, keep_requests=1_000_000)
    with server, TemporaryFolder("trial") as folder:
        specs = {
            role: ModelSpec("openai/scripted-upstream", server.base_url, dimensions=width)
            for role in SYSTEM_ROLES
        }
        config = GatewayConfig(roles=specs, cassette=cassette, cassette_mode=cassette_mode)
        with Gateway(config) as gateway:
            access = gateway.lane("trial")
            meter = access.meter()
            meter.begin(case.id)
            context = SystemContext(
                with_folders(card, checked_parameters(card, parameters or {})),
                seed,
                folder,
                count_tokens,
                access.endpoints,
            )
            started = time.perf_counter()
            with closing(create(card, context)) as system:
                system.reset(case_info(case))
                trial.start_s = time.perf_counter() - started
                alone = card.protocol == "answer-only"
                _play_events(trial, system, case, meter, k, answers_alone=alone)
                _look(trial, system)
            trial.late += meter.late()
            meter.disconnect()
        trial.requests = list(server.requests)
        trial.served = server.calls
        trial.served_tokens = sum(
            tally.prompt_tokens + tally.completion_tokens for tally in server.tallies.values()
        )
    return trial


def _play_events(
    trial: Trial, system: Any, case: Case, meter: PhaseMeter, k: int, *, answers_alone: bool
) -> None:
    for index, event in enumerate(case.timeline):
        if not isinstance(event, Ingest | Finalize | Ask):
            continue
        phase = phase_of(event)
        meter.open(case.id, index, phase)
        started = time.perf_counter()
        _act(trial, system, event, k, answers_alone)
        wall_s = time.perf_counter() - started
        usage = meter.close()
        trial.faults += usage.faults
        used = system.resources() if hasattr(system, "resources") else {}
        cost = trial.phases.setdefault(phase, PhaseCost())
        cost.add(usage, wall_s, used.get("cpu_s", 0.0))
        trial.rss_bytes = max(trial.rss_bytes, used.get("rss_bytes", 0))
        trial.store_bytes = used.get("store_bytes", trial.store_bytes)


def _act(
    trial: Trial, system: Any, event: Ingest | Finalize | Ask, k: int, answers_alone: bool
) -> None:
    match event:
        case Ingest(session):
            system.ingest(session)
        case Finalize():
            if hasattr(system, "finalize"):
                system.finalize()
        case Ask(question):
            query = Query(question.text, k, now=question.now)
            if answers_alone:
                system.answer(query)
            trial.recalled.append(system.recall(query))


def _look(trial: Trial, system: Any) -> None:
    """What can be seen when everything was played."""
    if hasattr(system, "memories"):
        trial.stored = list(system.memories())
    if hasattr(system, "sandbox_violations"):
        trial.sandbox_violations = system.sandbox_violations()
        below = {process.pid for process in descendants(system.processes)}
        trial.processes = {system.processes, *below}
