"""A run: the four stages in order, over one run directory.

    play (ingest, finalize, recall) -> read -> judge -> score

Each stage reads what the one before recorded and does only what is missing, so resuming is
running again. Whatever stops a run leaves it resumable.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from membench.adapters.driven import check_answers
from membench.adapters.environment import environments
from membench.adapters.hosted import host_of, round_trip_ms
from membench.adapters.isolation import Isolation
from membench.domain.clock import Clock
from membench.domain.errors import UsageError
from membench.domain.labels import JsonView, Role
from membench.domain.temporary_folder import TemporaryFolder
from membench.harness.lanes import shared_by_engines
from membench.harness.manifest import new_manifest
from membench.harness.places import open_run, stored_spec
from membench.harness.prepare import DatasetStats, ResolvedRun, prepare, survey
from membench.harness.progress import LoggedProgress, NullProgress, Progress
from membench.harness.resumption import (
    check_addresses,
    check_ended,
    check_settings_kept,
    check_unchanged,
    resumable,
    with_own_cassette,
)
from membench.harness.run_energy import energy_of, energy_report, under_protocol, watched
from membench.harness.run_models import (
    Models,
    check_models,
    collect_late_usage,
    install_models,
    models_of,
    parameter_changes_noted,
    served_roles,
)
from membench.harness.stages.gate import ask_gate, gate_entry
from membench.harness.stages.memory_gate import memory_gate
from membench.harness.stages.play import play
from membench.harness.stages.read import read
from membench.harness.stages.score import score
from membench.harness.stages.verdicts import judged
from membench.harness.summary import summarise
from membench.harness.unrecorded import charge_unrecorded
from membench.llm.spending import spent_by_role
from membench.readers.registry import reads_nothing
from membench.records.manifest import Manifest, ParentEntry
from membench.records.memory_gate import MemoryGate
from membench.records.run_directory import SERVED, RunDir, new_run_id
from membench.records.scores import stream_scores
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Summary
from membench.records.usage import PhaseUsage
from membench.tasks.find import choice_note

PLAYED = ("play.jsonl", "texts.jsonl", "energy.jsonl")
"""Records that a run takes over from the one it reads again."""

ANSWERED = (*PLAYED, "answers.jsonl", "reader_gate.jsonl", "verdicts")
"""Records that a run takes over from the one it judges again."""


@dataclass(frozen=True)
class RunResult:
    """A run that has a summary."""

    run: RunDir
    summary: Summary

    @property
    def complete(self) -> bool:
        """Whether nothing failed."""
        return self.summary.complete


def start(spec: RunSpec, options: ExecOptions, progress: Progress | None = None) -> RunResult:
    """Run a spec in a new run directory.

    Raises:
        UserError: Something about the spec, the options or the data; nothing was run.
        Stopped: The run was stopped and can be resumed.
    """
    progress = progress or NullProgress()
    prepared = prepare(spec, options)
    refuse_handed_in(prepared)
    run_id = options.run_id or new_run_id(prepared.system.name, prepared.card.name)
    check_models(prepared, RunDir(options.out / run_id), tuple(Role))
    install_models(prepared, progress.note)
    surveyed = survey(prepared)
    environments.ensure(prepared.system, progress.note)
    check_reachable(prepared)
    warn(prepared, progress)
    begun = with_distance(new_manifest(prepared, surveyed, run_id), prepared, progress)
    run = RunDir.create(options.out, run_id)
    with run.locked():
        run.write_places(places_to_keep(prepared))
        run.write_manifest(with_isolation(begun, prepared))
        return execute(prepared, run, surveyed, progress)


def resume(path: Path, options: ExecOptions, progress: Progress | None = None) -> RunResult:
    """Continue a run where it stopped; a finished one retries its failures.

    Raises:
        RunStateError: It is no run, or its data or system is no longer what it was.
        Stopped: It was stopped again.
    """
    progress = progress or NullProgress()
    run = open_run(path)
    with run.locked():
        manifest = run.manifest()
        prepared = prepare(stored_spec(run), with_own_cassette(options, run))
        refuse_handed_in(prepared)
        check_addresses(run, prepared)
        check_models(prepared, run)
        install_models(prepared, progress.note)
        surveyed = survey(prepared)
        check_unchanged(manifest, prepared, surveyed)
        environments.ensure(prepared.system, progress.note)
        check_reachable(prepared)
        resumed = replace(manifest, status="running", attempts=manifest.attempts + 1)
        run.write_manifest(with_isolation(resumed, prepared))
        charge_unrecorded(run, "interrupted")
        return execute(prepared, run, surveyed, progress)


def derive(
    path: Path,
    changes: JsonView,
    keep: Sequence[str],
    options: ExecOptions,
    progress: Progress | None = None,
) -> RunResult:
    """Read or judge a run again without playing it again.

    The new run names its parent and takes over its records, so it carries what they cost.

    Args:
        path: The parent, which stays as it is.
        changes: Fields of the spec that differ.
        keep: Files and folders to take over (`"play.jsonl"`, ...).
        options: How to execute; `out` is where the new run goes.
        progress: Told what happens.

    Raises:
        RunStateError: The parent is no run, or its data or system changed since.
        Stopped: It was stopped and can be resumed.
    """
    progress = progress or NullProgress()
    parent = open_run(path)
    manifest = parent.manifest()
    prepared = prepare(replace(stored_spec(parent), **changes), options)
    again = {Role.JUDGE} if "answers.jsonl" in keep else {Role.JUDGE, Role.READER}
    check_settings_kept(manifest.spec, prepared.spec, sorted(prepared.models.keys() - again))
    run_id = options.run_id or new_run_id(prepared.system.name, prepared.card.name)
    asked = [role for role in (Role.READER, Role.JUDGE) if role.value in changes]
    check_models(prepared, RunDir(options.out / run_id), asked)
    install_models(prepared, progress.note)
    surveyed = survey(prepared)
    check_unchanged(manifest, prepared, surveyed)
    run = RunDir.create(options.out, run_id)
    with run.locked():
        for name in keep:
            copy_records(parent.path / name, run.path / name)
        origin = ParentEntry(parent.run_id, manifest.spec_sha256)
        run.write_places(places_to_keep(prepared))
        begun = replace(
            new_manifest(prepared, surveyed, run_id),
            parent=origin,
            isolation=manifest.isolation,
            isolation_reason=manifest.isolation_reason,
            round_trip_ms=manifest.round_trip_ms,
        )
        run.write_manifest(begun)
        return execute(prepared, run, surveyed, progress)


def places_to_keep(prepared: ResolvedRun) -> dict[str, str]:
    """What resuming needs beside the spec; of addresses, the roles whose model is there alone."""
    served = " ".join(served_roles(prepared))
    return {**prepared.places, **({SERVED: served} if served else {})}


def with_isolation(manifest: Manifest, prepared: ResolvedRun) -> Manifest:
    """A manifest that says where the system's code runs; of several attempts, the weakest.

    Where the attempts before are from before the key, nothing is said.
    """
    now = prepared.isolation
    if manifest.attempts > 1:
        if manifest.isolation is None:
            return manifest
        now = Isolation(manifest.isolation, manifest.isolation_reason).weaker(now)
    return replace(manifest, isolation=now.level, isolation_reason=now.reason)


def with_distance(manifest: Manifest, prepared: ResolvedRun, progress: Progress) -> Manifest:
    """A manifest that says how far away a hosted system is; of any other, the manifest itself."""
    taken = round_trip_ms(prepared.system, prepared.parameters)
    if taken is None:
        return manifest
    progress.note(
        f"{prepared.system.name}: hosted at {host_of(prepared.parameters)}, where a connection "
        f"takes {taken:g} ms; every latency of the run holds the network"
    )
    return replace(manifest, round_trip_ms=taken)


def refuse_handed_in(prepared: ResolvedRun) -> None:
    """Refuse to play what only stands for answers that were made elsewhere.

    Raises:
        UsageError: Says how those are scored.
    """
    if prepared.system.protocol == "handed-in":
        raise UsageError(
            f"system '{prepared.system.name}' stands for predictions made elsewhere",
            "Score them: membench score --task TASK --predictions FILE --out runs",
        )


def check_reachable(prepared: ResolvedRun) -> None:
    """Refuse a run whose system would not answer; what other machines reach is not known here.

    Raises:
        UsageError: Names the address or command, and the remedy.
    """
    if prepared.options.engine == "local":
        check_answers(prepared.system, prepared.parameters, prepared.card.name)


def copy_records(source: Path, target: Path) -> None:
    """Copy a file or folder of records, if it is there."""
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copy2(source, target)


def execute(
    prepared: ResolvedRun, run: RunDir, surveyed: DatasetStats, progress: Progress
) -> RunResult:
    """Do the stages, whatever is left of each."""
    progress = LoggedProgress(progress, run.path / "run.log")
    with resumable(run, prepared.options):
        run.forget_summary()
        work(prepared, run, surveyed, progress)
        return conclude(prepared, run)


def work(prepared: ResolvedRun, run: RunDir, surveyed: DatasetStats, progress: Progress) -> None:
    """Play, read and judge, with models and sensors open for that time alone."""
    clock = Clock.start()
    with (
        shared_by_engines(prepared.options),
        models_of(prepared, run) as models,
        watched(prepared, run, clock, progress) as session,
    ):

        def stages() -> None:
            with stage(progress, "play", surveyed.events, "events"):
                play(prepared, run, clock, progress, models.lanes, lambda: models.halted)
                collect_late_usage(models, run)
            if reads_nothing(prepared.spec.reader):
                return
            with stage(progress, "read", surveyed.questions, "answers"):
                read_stage(prepared, run, clock, progress, models)

        with parameter_changes_noted(models, run):
            if prepared.options.energy_protocol:
                warm_up = warm_up_run(prepared, run, clock, models)
                checks = under_protocol(session, stages, warm_up, progress)
                run.write_manifest(replace(run.manifest(), energy_protocol=checks))
            else:
                stages()
            judge_stage(prepared, run, clock, progress, models)


def warm_up_run(
    prepared: ResolvedRun, run: RunDir, clock: Clock, models: Models
) -> Callable[[], None] | None:
    """Plays and reads one case into a folder that is thrown away, models called as in the run.

    What the models cost is the run's, and counts against its budget. No cassette hears of it, and
    where one is replayed there is no warm-up, since nothing may be called.
    """
    if prepared.options.cassette_mode == "replay":
        return None
    one = replace(
        prepared,
        spec=replace(prepared.spec, limit=1),
        options=replace(prepared.options, cassette=None, cassette_mode="off"),
    )

    def warm_up() -> None:
        with TemporaryFolder("warm-up") as folder:
            thrown_away = RunDir(folder)
            thrown_away.spent = run.spent
            with models_of(one, thrown_away) as own:
                play(one, thrown_away, clock, NullProgress(), own.lanes, lambda: own.halted)
                collect_late_usage(own, thrown_away)
                if not reads_nothing(one.spec.reader):
                    read_stage(one, thrown_away, clock, NullProgress(), own)
                if own.gateway is not None and models.gateway is not None:
                    models.gateway.add_external_spend(own.gateway.spent)
            charge_unrecorded(run, "warm-up")

    return warm_up


def read_stage(
    prepared: ResolvedRun, run: RunDir, clock: Clock, progress: Progress, models: Models
) -> None:
    """Answer with whatever reads in this run, after its gate."""
    ask_gate(prepared, run, clock, models.gateway)
    if Role.READER not in prepared.models:
        read(prepared, run, clock, progress)
        return
    from membench.harness.stages.read_llm import read_with_model

    assert models.gateway is not None
    read_with_model(prepared, run, clock, progress, models.gateway)


def judge_stage(
    prepared: ResolvedRun, run: RunDir, clock: Clock, progress: Progress, models: Models
) -> None:
    """Judge, if the run has a judge."""
    if Role.JUDGE not in prepared.models:
        return
    from membench.harness.stages.judge import judge

    assert models.gateway is not None
    with stage(progress, "judge", None, "verdicts"):
        judge(prepared, run, clock, progress, models.gateway)


def conclude(prepared: ResolvedRun, run: RunDir) -> RunResult:
    """Score what is recorded and write the summary."""
    verdicts = judged(prepared, run)
    scored = score(prepared, run, verdicts.verdicts)
    scored.totals.add_judging(verdicts.failures, verdicts.telemetry)
    manifest = run.manifest()
    ledger, checks = energy_of(run, scored.totals.spans)
    energy = ledger.summary()
    manifest = replace(
        manifest,
        energy=energy_report(ledger, checks),
        comparison_key=manifest.comparison_key.with_energy(
            energy.boundary, energy.total.provenance
        ).with_judge_parameters(manifest.parameter_changes.get(Role.JUDGE, {})),
    )
    summary = replace(
        summarise(manifest, scored, energy),
        judge=verdicts.entry,
        reader_gate=gate_entry(run),
        memory_gate=gate_memory(prepared, run, manifest),
        spent=PhaseUsage.of(spent_by_role(run.spent)),
    )
    run.write_summary(summary)
    status = "complete" if summary.complete else "finished with failures"
    run.write_manifest(replace(manifest, status=status))
    return RunResult(run, summary)


def gate_memory(prepared: ResolvedRun, run: RunDir, manifest: Manifest) -> MemoryGate | None:
    """What the system found against raw turns; None where nothing is to be compared."""
    rows = stream_scores(run.scores)
    return memory_gate(manifest, prepared.task, prepared.cases(), run, rows)


@contextmanager
def stage(progress: Progress, name: str, total: int | None, unit: str) -> Iterator[None]:
    """Announce a stage, and its end."""
    progress.stage(name, total, unit)
    try:
        yield
    finally:
        progress.finish()


def warn(prepared: ResolvedRun, progress: Progress) -> None:
    """Say what a reader of the results should know beforehand."""
    if note := choice_note(prepared.source):
        progress.note(note)
    if prepared.version.warning:
        progress.note(prepared.version.warning)
    card, options = prepared.card, prepared.options
    judgeable = card.judges and not card.own_files and not reads_nothing(prepared.spec.reader)
    if judgeable and Role.JUDGE not in prepared.models:
        wanted = card.metric_titles.get(card.main_metric, card.main_metric)
        progress.note(
            f"without --judge MODEL, or `membench judge` afterwards, not scored: {wanted}"
        )
    if options.energy_protocol and options.schedule == "free" and prepared.card.separable:
        progress.note("energy protocol: --schedule waves keeps the phases apart, free does not")


def rebuilt(run: RunDir, options: ExecOptions) -> ResolvedRun:
    """The `ResolvedRun` of a run on disk, for scoring it again.

    Raises:
        UserError: Its system, task or data cannot be found.
    """
    return prepare(stored_spec(run), replace(options, out=run.path.parent))


def rescore(path: Path, options: ExecOptions) -> RunResult:
    """Score a run again from its records.

    Raises:
        RunStateError: It is no run, or did not come to its end.
    """
    run = open_run(path)
    with run.locked():
        check_ended(run)
        return conclude(rebuilt(run, options), run)
