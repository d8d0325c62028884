"""Stores of made-up bundles: for tests and measurements of the board, never for results.

Every number is drawn, every name says so. Bundles have the shape of real ones and badges as if
verified; nothing here is ever put beside measured rows.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from membench.domain.case import opaque_ids
from membench.domain.labels import JsonObject, JsonView
from membench.harness.summary import unavailable_energy
from membench.leaderboard.bundles import layout
from membench.leaderboard.bundles.bundle import checksums, json_file
from membench.records.run_directory import replace_json
from membench.records.spec import RunSpec

if TYPE_CHECKING:
    import numpy as np

    Generator = np.random.Generator

METRIC = "evidence.turn.recall@10"
CATEGORIES = ("multi-hop", "temporal", "open-domain", "single-hop", "adversarial")
START = 1_790_000_000.0
KINDS = ("native", "package", "control", "adapted")


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
        effects: Any,
        difficulty: Any,
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
        summary = self.summary()
        files = {
            layout.MANIFEST: json_file(self.manifest()),
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

    def key(self) -> JsonObject:
        """The comparison key."""
        return {
            "task": "locomo",
            "split": "locomo10",
            "question_set_sha256": "0" * 64,
            "dataset_sha256": "0" * 64,
            "errata": None,
            "division": "offline",
            "reader": "extractive",
            "answer_prompt_sha256": None,
            "judge": "none",
            "judge_prompt_sha256": None,
            "k": self.k,
            "token_budget": None,
            "generations": [1],
            "task_options": {},
            "cost": {
                "hardware_class": "a made-up machine",
                "concurrency": 1,
                "schedule": "free",
                "energy_boundary": "B1" if self.joules else None,
                "energy_provenance": "measured" if self.joules else "unavailable",
            },
        }

    def manifest(self) -> JsonObject:
        """manifest.json."""
        spec = RunSpec(self.system, "locomo", split="locomo10", k=self.k, set=self.parameters())
        return {
            "schema": 1,
            "run_id": self.run_id,
            "created_utc": f"2026-01-{1 + self.number % 28:02d}T00:00:00+00:00",
            "status": "complete",
            "attempts": 1,
            "parent": None,
            "spec": spec.to_json(),
            "spec_sha256": spec.sha256,
            "options": {},
            "task": self.task(),
            "system": self.card(),
            "models": {},
            "prompts": {},
            "versions": {"membench": "0"},
            "code": {"commit": None, "dirty": None},
            "hardware": {"class": "a made-up machine", "cores": 1},
            "division": "offline",
            "subset": False,
            "comparison_key": self.key(),
        }

    def parameters(self) -> dict[str, int]:
        """The system's parameters: what makes two runs different configurations."""
        return {} if self.plan.alike else {"variant": self.number}

    def task(self) -> JsonObject:
        """The manifest's task."""
        return {
            "name": "locomo",
            "split": "locomo10",
            "file": "made-up.json",
            "dataset_sha256": "0" * 64,
            "dataset_version": "made up",
            "partial": False,
            "question_set_sha256": "0" * 64,
            "cases": self.plan.cases,
            "questions": self.plan.questions,
            "events": self.plan.questions,
            "options": {},
        }

    def card(self) -> JsonObject:
        """The manifest's system."""
        return {
            "name": self.system,
            "title": "Made up",
            "version": "0",
            "fidelity": self.kind,
            "deviations": [],
            "protocol": "blind",
            "granularity": "turn",
            "time": "none",
            "replay": "exact",
            "capabilities": [],
            "parameters": self.parameters(),
            "order_dependent": False,
        }

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

    def summary(self) -> JsonObject:
        """summary.json, its metrics computed as ever."""
        from membench.harness.summary import aggregate_json
        from membench.metrics.aggregate import aggregate
        from membench.records.scores import score_from_json

        rows = [score_from_json(line) for line in self.scores()]
        numbers = {name: str(place) for place, name in enumerate(CATEGORIES, start=1)}
        total = float(self.seconds.sum())
        return {
            "schema": 1,
            "run_id": self.run_id,
            "task": "locomo",
            "split": "locomo10",
            "system": self.system,
            "division": "offline",
            "models": {},
            "comparison_key": self.key(),
            "complete": True,
            "content_sha256": hashlib.sha256(self.run_id.encode()).hexdigest(),
            "counts": self.counts(),
            **aggregate_json(aggregate(rows, numbers)),
            "usage": {phase: dict(NO_USAGE) for phase in ("ingest", "recall")},
            "ingested": {"turns": 100, "tokens": 2000},
            "context_tokens": {"mean": float(int(self.context)), "p95": float(int(self.context))},
            "recalled": {"mean": float(self.k)},
            "time_s": {"ingest": spent(self.context / 100), "recall": spent(total)},
            "cpu_s": {"ingest": self.context / 100, "recall": total},
            "peak_rss_bytes": None,
            "store_bytes": None,
            "energy": self.energy(),
        }

    def counts(self) -> JsonObject:
        """Counts of questions."""
        return {
            "cases": self.plan.cases,
            "questions": self.plan.questions,
            "ok": self.plan.questions,
            "failed": 0,
            "unscored": 0,
            "failures": {},
        }

    def energy(self) -> JsonObject:
        """Joules of some, null of others."""
        if self.joules is None:
            return unavailable_energy()
        query = measured(float(self.joules * self.plan.questions))
        phases = {"ingest": measured(float(self.joules * 100)), "recall": query}
        return unavailable_energy() | {"total": query, "phases": phases, "boundary": "B1"}


NO_USAGE: JsonView = {
    "calls": 0,
    "prompt_tokens": 0,
    "cached_tokens": 0,
    "completion_tokens": 0,
    "embedding_tokens": 0,
    "source": None,
    "usd": 0.0,
    "roles": {},
}


def spent(total: float) -> dict[str, float]:
    """Seconds of a phase."""
    return {"total": total, "wall": total, "p50": total / 100, "p95": total / 20}


def measured(joules: float) -> JsonObject:
    """A figure of energy."""
    return {"joules": joules, "net_joules": None, "provenance": "measured", "u_joules": joules / 20}


def zipped(lines: Any) -> bytes:
    """JSON lines, compressed fast."""
    option = orjson.OPT_APPEND_NEWLINE
    return gzip.compress(b"".join(orjson.dumps(line, option=option) for line in lines), 1, mtime=0)
