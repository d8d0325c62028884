"""What a run says of itself: spec, data, system, versions, machine, comparison key.

No path, host or user name is written here.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from membench import __version__
from membench.domain.labels import SYSTEM_ROLES
from membench.harness.divisions import division_of, divisions_sha256
from membench.harness.prepare import DatasetStats, ResolvedRun, judges
from membench.harness.run_models import local_identities
from membench.llm.prices import price_map_sha256
from membench.llm.upstreams.local.registry import public_name
from membench.readers.registry import choose_reader
from membench.records.canonical import canonical_sha256
from membench.records.comparison_key import ComparisonKey, CostKey
from membench.records.manifest import CodeEntry, HardwareEntry, Manifest, SystemEntry, TaskEntry

LIBRARIES = ("numpy", "scipy", "nltk", "tiktoken", "rank-bm25", "bm25s", "litellm", "pydantic")
"""Libraries whose version may show in a result."""


def new_manifest(prepared: ResolvedRun, survey: DatasetStats, run_id: str) -> Manifest:
    """The manifest at the start of a run."""
    return Manifest(
        run_id=run_id,
        created_utc=now_utc(),
        status="running",
        attempts=1,
        parent=None,
        spec=prepared.spec,
        spec_sha256=prepared.spec.sha256,
        options=prepared.options.to_json(),
        task=task_entry(prepared, survey),
        system=system_entry(prepared),
        models={role.value: public_name(name) for role, name in prepared.models.items()},
        local_models=local_identities(prepared),
        prompts=prompt_hashes(prepared),
        pins=pins(prepared),
        versions=versions(),
        code=code_version(),
        hardware=hardware(),
        division=division_of(prepared.spec),
        subset=prepared.spec.is_part or prepared.source.partial,
        comparison_key=comparison_key(prepared, survey),
    )


def now_utc() -> str:
    """This moment, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def task_entry(prepared: ResolvedRun, survey: DatasetStats) -> TaskEntry:
    """Which data was used."""
    return TaskEntry(
        name=prepared.card.name,
        split=prepared.source.split,
        file=prepared.source.path.name,
        dataset_sha256=prepared.version.sha256,
        dataset_version=prepared.version.name,
        partial=prepared.source.partial,
        question_set_sha256=survey.question_set_sha256,
        cases=survey.cases,
        questions=survey.questions,
        events=survey.events,
        options=dict(prepared.task.options),
    )


def system_entry(prepared: ResolvedRun) -> SystemEntry:
    """Which system was run, as its card declares it."""
    card = prepared.system
    return SystemEntry(
        name=card.name,
        adapter=card.adapter,
        title=card.title,
        version=card.version,
        fidelity=card.fidelity,
        deviations=tuple(card.deviations),
        protocol=card.protocol,
        granularity=card.granularity,
        time=card.time,
        replay=card.replay,
        capabilities=tuple(sorted(card.capabilities)),
        reference=card.reference or "",
        parameters=prepared.parameters,
        order_dependent="mutates_on_recall" in card.capabilities
        and "snapshot" not in card.capabilities,
    )


def prompt_hashes(prepared: ResolvedRun) -> dict[str, str]:
    """SHA-256 of every prompt the run uses, by name."""
    reader = choose_reader(prepared.spec.reader)
    if reader.model is None and not judges(prepared.spec):
        return {}
    own = hashlib.sha256(reader.card.prompt.encode()).hexdigest()
    return {**prepared.task.prompt_hashes(), **({"answer": own} if reader.card.prompt else {})}


def pins(prepared: ResolvedRun) -> dict[str, str | None]:
    """Hashes of what dollars and divisions are read from; empty without models."""
    if not prepared.models:
        return {}
    return {"price_map_sha256": price_map_sha256(), "divisions_sha256": divisions_sha256()}


def versions() -> dict[str, str]:
    """Versions of membench, Python and the libraries that are installed."""
    found = {"membench": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def code_version() -> CodeEntry:
    """Commit of a source checkout, and whether the package in it was changed.

    Nulls for an installed package.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return CodeEntry()
    commit = _git(root, "rev-parse", "HEAD")
    status = _git(root, "status", "--porcelain", "--", "membench")
    return CodeEntry(commit, None if status is None else bool(status))


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def hardware() -> HardwareEntry:
    """The machine, by kind: never by name."""
    cpu, cores, gpus = cpu_model(), len(os.sched_getaffinity(0)), gpu_names()
    return HardwareEntry(
        cpu=cpu,
        cores=cores,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=f"{platform.system()} {platform.machine()}",
        gpus=tuple(gpus),
        kind=f"{cpu} x{cores}" + "".join(f" + {name}" for name in gpus),
    )


def cpu_model() -> str:
    """Model name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def gpu_names() -> list[str]:
    """Names of the NVIDIA GPUs, read without loading a driver library; empty without any."""
    found = []
    for info in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in info.read_text().splitlines():
            if line.startswith("Model:"):
                found.append(line.partition(":")[2].strip())
    return found


def comparison_key(prepared: ResolvedRun, survey: DatasetStats) -> ComparisonKey:
    """What must be equal to compare two runs, and under `cost` to compare costs."""
    spec, options = prepared.spec, prepared.options
    prompts = prompt_hashes(prepared)
    return ComparisonKey(
        task=prepared.card.name,
        split=prepared.source.split,
        question_set_sha256=survey.question_set_sha256,
        dataset_sha256=prepared.version.sha256,
        errata=prepared.errata_sha256,
        division=division_of(spec),
        reader=public_name(spec.reader),
        answer_prompt_sha256=prompts.get("answer"),
        judge=public_name(spec.judge),
        judge_prompt_sha256=judge_prompts_sha256(prompts),
        k=prepared.k,
        token_budget=spec.token_budget,
        generations=tuple(survey.generations),
        task_options=dict(prepared.task.options),
        model_set=dict(spec.model_set),
        local_models={
            seat: identity
            for seat, identity in local_identities(prepared).items()
            if not seat.startswith(SYSTEM_ROLES)
        },
        cost=CostKey(
            hardware_class=hardware().kind,
            concurrency=options.concurrency,
            schedule=options.schedule,
        ),
    )


def judge_prompts_sha256(prompts: Mapping[str, str]) -> str | None:
    """One hash for all judge prompts."""
    judges = {name: value for name, value in prompts.items() if name.startswith("judge.")}
    return canonical_sha256(judges) if judges else None
