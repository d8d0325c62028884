"""Stores of made-up bundles: for tests and measurements of the board, never for results.

Every number is drawn, every name says so. Bundles have the shape of real ones and badges as if
verified; nothing here is ever put beside measured rows.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from membench.domain.case import opaque_ids
from membench.domain.labels import JsonObject
from membench.leaderboard.bundles import layout
from membench.leaderboard.bundles.bundle import checksums, json_file
from membench.records.comparison_key import ComparisonKey, CostKey
from membench.records.cost_summary import ContextTokens, PhaseTime, RunCosts
from membench.records.energy_summary import EnergyEntry, EnergySummary, PhaseEnergy
from membench.records.manifest import CodeEntry, HardwareEntry, Manifest, SystemEntry, TaskEntry
from membench.records.run_directory import replace_json
from membench.records.spec import RunSpec
from membench.records.summary import Counts, Summary
from membench.records.usage import PhaseUsage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing

    Generator = np.random.Generator
    Numbers = np.typing.NDArray[np.float64]

METRIC = "evidence.turn.recall@10"
CATEGORIES = ("multi-hop", "temporal", "open-domain", "single-hop", "adversarial")
START = 1_790_000_000.0
KINDS = ("native", "package", "control", "adapted")
MACHINE = HardwareEntry(
    cpu="made up", cores=1, memory_bytes=0, system="made up", gpus=(), kind="a made-up machine"
)


@dataclass(frozen=True)
class BoardPlan:
    """What to make.

    Attributes:
        runs: Bundles.
        questions: Questions of each.
        cases: Cases they belong to.
        groups: Comparison groups (values of k) the runs are spread over.
        systems: Systems the runs are spread over.
        measured: Share of runs with joules.
        alike: Whether a system's runs are attempts at one configuration.
        seed: Of every draw.
    """

    runs: int
    questions: int = 200
    cases: int = 10
    groups: int = 1
    systems: int = 25
    measured: float = 0.5
    alike: bool = False
    seed: int = 0


def write_store(root: Path, plan: BoardPlan) -> list[str]:
    """Fill a store.

    Returns:
        The run ids.
    """
    import numpy as np

    random = np.random.default_rng(plan.seed)
    effects = random.normal(0, 0.5, plan.cases)
    difficulty = random.normal(0, 1, plan.questions)
    made = []
    for number in range(plan.runs):
        bundle = MadeUpBundle(plan, number, random, effects, difficulty)
        bundle.write(root)
        made.append(bundle.run_id)
    return made


class MadeUpBundle:
    """One made-up bundle."""

    def __init__(
        self,
        plan: BoardPlan,
        number: int,
        random: Generator,
        effects: Numbers,
        difficulty: Numbers,
    ) -> None:
        """Draw everything."""
        import numpy as np

        self.plan = plan
        self.number = number
        self.system = f"made-up-{number % plan.systems:03d}"
        self.run_id = f"20260101T000000Z-made-up-{number:05d}"
        self.k = 5 + 5 * (number % plan.groups)
        self.kind = KINDS[number % plan.systems % len(KINDS)]
        strength = float(random.normal(0, 0.8)) + (number % plan.systems) / plan.systems
        self.clusters = np.arange(plan.questions) % plan.cases
        chance = 1 / (1 + np.exp(-(strength + effects[self.clusters] - difficulty)))
        self.values = (random.random(plan.questions) < chance).astype(float)
        self.context = float(random.integers(50, 400) * (1 + strength**2))
        self.seconds = random.exponential(0.002 * self.context, plan.questions)
        self.joules = self.context / 40 if random.random() < plan.measured else None

    def write(self, root: Path) -> None:
        """Write bundle and badge."""
        folder = root / "locomo" / self.run_id
        folder.mkdir(parents=True)
        summary = self.summary().to_json()
        files = {
            layout.MANIFEST: json_file(self.manifest().to_json()),
            layout.SUMMARY: json_file(summary),
            layout.SCORES: zipped(self.scores()),
            layout.PLAY: zipped(self.play()),
            layout.ANSWERS: zipped(()),
            layout.TEXTS: zipped(()),
        }
        files[layout.CHECKSUMS] = checksums(files)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        badge = {
            "run_id": self.run_id,
            "bundle_sha256": hashlib.sha256(files[layout.CHECKSUMS]).hexdigest(),
            "verified_utc": "2026-01-01T00:00:00+00:00",
            "verified_by": "made up",
            "submitter": "made up",
            "score": "re-scored",
            "standing": {METRIC: "re-scored"},
            "flags": [],
            "summary": summary,
        }
        (root / "badges").mkdir(exist_ok=True)
        replace_json(root / "badges" / f"{self.run_id}.json", badge)

    def key(self) -> ComparisonKey:
        """The comparison key."""
        return ComparisonKey(
            task="locomo",
            split="locomo10",
            question_set_sha256="0" * 64,
            dataset_sha256="0" * 64,
            division="offline",
            reader="extractive",
            judge="none",
            k=self.k,
            generations=(1,),
            cost=CostKey(
                hardware_class=MACHINE.kind,
                concurrency=1,
                schedule="free",
                energy_boundary="B1" if self.joules else None,
                energy_provenance="measured" if self.joules else "unavailable",
            ),
        )

    def manifest(self) -> Manifest:
        """manifest.json."""
        spec = RunSpec(self.system, "locomo", split="locomo10", k=self.k, set=self.parameters())
        return Manifest(
            run_id=self.run_id,
            created_utc=f"2026-01-{1 + self.number % 28:02d}T00:00:00+00:00",
            status="complete",
            attempts=1,
            parent=None,
            spec=spec,
            spec_sha256=spec.sha256,
            options={},
            task=self.task(),
            system=self.card(),
            models={},
            prompts={},
            versions={"membench": "0"},
            code=CodeEntry(),
            hardware=MACHINE,
            division="offline",
            subset=False,
            comparison_key=self.key(),
        )

    def parameters(self) -> dict[str, int]:
        """The system's parameters: what makes two runs different configurations."""
        return {} if self.plan.alike else {"variant": self.number}

    def task(self) -> TaskEntry:
        """The manifest's task."""
        return TaskEntry(
            name="locomo",
            split="locomo10",
            file="made-up.json",
            dataset_sha256="0" * 64,
            dataset_version="made up",
            partial=False,
            question_set_sha256="0" * 64,
            cases=self.plan.cases,
            questions=self.plan.questions,
            events=self.plan.questions,
        )

    def card(self) -> SystemEntry:
        """The manifest's system."""
        return SystemEntry(
            name=self.system,
            title="Made up",
            version="0",
            fidelity=self.kind,
            protocol="blind",
            granularity="turn",
            time="none",
            replay="exact",
            capabilities=(),
            parameters=self.parameters(),
            order_dependent=False,
            reference="",
        )

    def scores(self) -> Iterator[JsonObject]:
        """scores.jsonl."""
        for question, value in enumerate(self.values.tolist()):
            case = f"case-{self.clusters[question]:03d}"
            yield {
                "case_id": case,
                "item_id": f"{case}/q{question}",
                "kind": "question",
                "category": CATEGORIES[question % len(CATEGORIES)],
                "status": "scored",
                "reason": None,
                "values": {METRIC: value, "f1": round(value / 2, 3)},
                "flags": [],
                "event": question,
            }

    def play(self) -> Iterator[JsonObject]:
        """play.jsonl: recalls alone."""
        opaque = opaque_ids("locomo", 0)
        for question, seconds in enumerate(self.seconds.tolist()):
            start = START + question
            yield {
                "case": opaque(f"case-{self.clusters[question]:03d}"),
                "event": question,
                "phase": "recall",
                "attempt": 1,
                "content": {"status": "ok", "k": self.k, "memories": []},
                "telemetry": {
                    "start": start,
                    "end": start + seconds,
                    "cpu_s": seconds,
                    "context_tokens": int(self.context),
                },
            }

    def summary(self) -> Summary:
        """summary.json, its metrics computed as ever."""
        from membench.metrics.aggregate import aggregate
        from membench.records.scores import score_from_json

        rows = [score_from_json(line) for line in self.scores()]
        numbers = {name: str(number) for number, name in enumerate(CATEGORIES, start=1)}
        found = aggregate(rows, numbers)
        questions = self.plan.questions
        return Summary(
            run_id=self.run_id,
            task="locomo",
            split="locomo10",
            system=self.system,
            division="offline",
            models={},
            comparison_key=self.key(),
            complete=True,
            content_sha256=hashlib.sha256(self.run_id.encode()).hexdigest(),
            counts=Counts(cases=self.plan.cases, questions=questions, ok=questions),
            metrics=found.metrics,
            categories=found.categories,
            notes=found.notes,
            costs=self.costs(),
            energy=self.energy(),
        )

    def costs(self) -> RunCosts:
        """Seconds and tokens; no model was called."""
        context, total = float(int(self.context)), float(self.seconds.sum())
        return RunCosts(
            usage={phase: PhaseUsage() for phase in ("ingest", "recall")},
            turns=100,
            tokens=2000,
            context_tokens=ContextTokens(mean=context, p95=context),
            recalled=float(self.k),
            time_s={"ingest": spent(self.context / 100), "recall": spent(total)},
            cpu_s={"ingest": self.context / 100, "recall": total},
        )

    def energy(self) -> EnergySummary:
        """Joules of some, null of others."""
        if self.joules is None:
            return EnergySummary()
        query = measured(float(self.joules * self.plan.questions))
        phases = {"ingest": measured(float(self.joules * 100)), "recall": query}
        return EnergySummary(
            total=query,
            phases={name: PhaseEnergy(figure) for name, figure in phases.items()},
            boundary="B1",
        )


def spent(total: float) -> PhaseTime:
    """Seconds of a phase."""
    return PhaseTime(total, total, total / 100, total / 20)


def measured(joules: float) -> EnergyEntry:
    """A figure of energy."""
    return EnergyEntry(joules, provenance="measured", u_joules=joules / 20)


def zipped(lines: Iterable[JsonObject]) -> bytes:
    """JSON lines, compressed fast."""
    option = orjson.OPT_APPEND_NEWLINE
    return gzip.compress(b"".join(orjson.dumps(line, option=option) for line in lines), 1, mtime=0)
