"""The play stage inside a lane process: whole cases, or phases of several cases in waves."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from membench.adapters import registry
from membench.adapters.environment.worker.raised import described
from membench.adapters.environment.worker_folder import client_variables
from membench.adapters.isolation import Isolation
from membench.domain.clock import Clock
from membench.domain.labels import JsonObject, Phase, Scalar
from membench.domain.system import SystemContext
from membench.domain.temporary_folder import TemporaryFolder
from membench.harness.lanes.case_player import CaseJob, CasePlayer, PlaySettings
from membench.harness.lanes.earlier_cases import EarlierCases
from membench.harness.lanes.engine import LaneLocation
from membench.llm.phase_meter import GatewayAccess, NullPhaseMeter, PhaseMeter
from membench.tokens import count_tokens

if TYPE_CHECKING:
    from membench.adapters.environment.fork_server import ForkServers


@dataclass(frozen=True)
class WaveStep:
    """One phase of one case of a wave; the first step of a case brings the case along."""

    case: str
    phase: Phase
    job: CaseJob | None = None


@dataclass(frozen=True)
class PlayWorker:
    """The play stage inside a lane: everything a lane needs, picklable.

    Attributes:
        card: The system.
        parameters: Its parameters, checked.
        seed: The run's seed.
        settings: What all recalls have in common.
        run: The run directory.
        clock: The run's clock.
        access: Per lane, how model calls are metered; empty without models.
        isolation: Where the system's code runs; None takes the rule for it.
    """

    card: registry.SystemCard
    parameters: Mapping[str, Scalar]
    seed: int
    settings: PlaySettings
    run: Path
    clock: Clock
    access: Sequence[GatewayAccess] = ()
    isolation: Isolation | None = None

    def open(self, site: LaneLocation) -> PlayLane:
        """Start working at `site`."""
        return PlayLane(self, site)


class PlayLane:
    """One lane at work: plays whole cases, or phases of several cases in waves."""

    def __init__(self, worker: PlayWorker, site: LaneLocation) -> None:
        """Open the files and the meter."""
        self._worker = worker
        self._clock = worker.clock.on_host(site.ahead_s)
        self._node = site.node
        self._records = site.journal(worker.run / "play.jsonl")
        # A text is written before the record that names it, so that one is enough to wait for.
        self._texts = site.journal(worker.run / "texts.jsonl", awaited=False)
        access = worker.access[site.lane] if worker.access else None
        self._meter: PhaseMeter = access.meter() if access else NullPhaseMeter()
        self._endpoints = access.endpoints if access else {}
        os.environ.update(client_variables(self._endpoints))
        self._folder = TemporaryFolder("lane")
        self._servers = fork_servers(worker.isolation, self._folder.path)
        self._earlier = earlier_cases(worker.isolation)
        self._players: dict[str, CasePlayer] = {}
        self._homes: dict[CasePlayer, Path] = {}

    def handle(self, job: CaseJob | WaveStep) -> int:
        """Play a case to its end, or one step of a wave.

        Returns:
            Failed events so far in the cases touched.
        """
        if isinstance(job, CaseJob):
            player = self._player(job)
            try:
                player.play()
            finally:
                self._close(player)
            return player.failed
        return self._step(job)

    def close(self) -> None:
        """Close what is open and remove the lane's folder."""
        for player in list(self._players.values()):
            self._close(player)
        if self._servers is not None:
            self._servers.close()
            for why in self._servers.obstacles:
                self._records.append({"note": "a new process for every case", "why": why})
        self._meter.disconnect()
        self._records.close()
        self._texts.close()
        self._folder.close()

    def _step(self, step: WaveStep) -> int:
        if step.job is not None:
            self._players[step.case] = self._player(step.job)
        player = self._players[step.case]
        player.play(until=step.phase)
        if player.done:
            self._close(player)
            del self._players[step.case]
        return player.failed

    def _close(self, player: CasePlayer) -> None:
        """Close a case's system and remove its files; late calls, and what it raises, are noted."""
        note: JsonObject = {}
        try:
            player.close()
        except Exception as error:
            note["error"] = described(error)
        shutil.rmtree(self._homes.pop(player), ignore_errors=True)
        if late := self._meter.late():
            note["late"] = [usage.to_json() for usage in late]
        if player.carried_over:
            note["carried_over"] = player.carried_over
        if note:
            self._records.append({"note": "close", "of": player.job.case.id, **note})

    def _player(self, job: CaseJob) -> CasePlayer:
        worker = self._worker
        home = Path(tempfile.mkdtemp(dir=self._folder.path))
        player = CasePlayer(
            job,
            lambda: registry.create(
                worker.card, self._context(home), worker.isolation, self._servers
            ),
            worker.settings,
            ignores_k="ignores_k" in worker.card.capabilities,
            isolates_recalls={"mutates_on_recall", "snapshot"} <= worker.card.capabilities,
            folder=home,
            records=self._records,
            texts=self._texts,
            meter=self._meter,
            clock=self._clock,
            node=self._node,
            earlier=self._earlier,
        )
        self._homes[player] = home
        return player

    def _context(self, home: Path) -> SystemContext:
        workdir = Path(tempfile.mkdtemp(dir=home))
        worker = self._worker
        return SystemContext(
            worker.parameters, worker.seed, workdir, count_tokens, dict(self._endpoints)
        )


def earlier_cases(isolation: Isolation | None) -> EarlierCases | None:
    """What finds state that a system keeps from case to case.

    None where Landlock leaves it no place to keep any: a process and a folder for each case.
    """
    return None if isolation is not None and isolation.level == "isolated" else EarlierCases()


def fork_servers(isolation: Isolation | None, home: Path) -> ForkServers | None:
    """What forks the workers of a lane; None where its systems run in its own process."""
    if isolation is None or isolation.level == "in-process":
        return None
    from membench.adapters.environment.fork_server import ForkServers

    return ForkServers(home)
