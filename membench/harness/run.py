"""A run: the four stages in order, over one run directory.

    play (ingest, finalize, recall) -> read -> judge -> score

Each stage reads what the one before recorded and does only what is missing, so resuming is
running again. Whatever stops a run leaves it resumable.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from membench.harness.clock import Clock
from membench.harness.engine import shared_by_engines
from membench.harness.errors import RunStateError, Stopped
from membench.harness.journal import DiskFull
from membench.harness.manifest import new_manifest
from membench.harness.models import models_of
from membench.harness.play import play
from membench.harness.prepared import Prepared, Survey, prepare, survey
from membench.harness.progress import Progress, Silent
from membench.harness.read import read
from membench.harness.rundir import RunDir, new_run_id
from membench.harness.score import score
from membench.harness.spec import ExecOptions, RunSpec
from membench.harness.summary import summarise
from membench.harness.watched import attributed, under_protocol, watched


@dataclass(frozen=True)
class Finished:
    """A run that has a summary."""

    run: RunDir
    summary: dict[str, Any]

    @property
    def complete(self) -> bool:
        """Whether nothing failed."""
        return bool(self.summary["complete"])


def start(spec: RunSpec, options: ExecOptions, progress: Progress | None = None) -> Finished:
    """Run a spec in a new run directory.

    Raises:
        UserError: Something about the spec, the options or the data; nothing was run.
        Stopped: The run was stopped and can be resumed.
    """
    progress = progress or Silent()
    prepared = prepare(spec, options)
    warn(prepared, progress)
    surveyed = survey(prepared)
    run_id = options.run_id or new_run_id(spec.system, spec.task)
    run = RunDir.create(options.out, run_id)
    with run.locked():
        run.write_manifest(new_manifest(prepared, surveyed, run_id))
        return execute(prepared, run, surveyed, progress)


def resume(path: Path, options: ExecOptions, progress: Progress | None = None) -> Finished:
    """Continue a run where it stopped; a finished one retries its failures.

    Raises:
        RunStateError: It is no run, or its data or system is no longer what it was.
        Stopped: It was stopped again.
    """
    progress = progress or Silent()
    run = RunDir.open(path)
    with run.locked():
        manifest = run.manifest()
        spec = RunSpec.from_json(manifest["spec"])
        prepared = prepare(spec, options)
        surveyed = survey(prepared)
        check_unchanged(manifest, prepared, surveyed)
        manifest.update(status="running", attempts=manifest["attempts"] + 1)
        run.write_manifest(manifest)
        return execute(prepared, run, surveyed, progress)


def check_unchanged(manifest: dict[str, Any], prepared: Prepared, surveyed: Survey) -> None:
    """Refuse to continue with other data or another system than the run began with.

    Raises:
        RunStateError: Names what differs.
    """
    fresh = new_manifest(prepared, surveyed, manifest["run_id"])
    for part, key in (
        ("data", ("task", "dataset_sha256")),
        ("questions", ("task", "question_set_sha256")),
        ("system version", ("system", "version")),
        ("system parameters", ("system", "parameters")),
    ):
        before, now = (m[key[0]][key[1]] for m in (manifest, fresh))
        if before != now:
            raise RunStateError(
                f"run {manifest['run_id']} cannot be resumed: {part} changed",
                f"It began with {before}, there is now {now}. Start a new run instead.",
            )


def execute(prepared: Prepared, run: RunDir, surveyed: Survey, progress: Progress) -> Finished:
    """Do the stages, whatever is left of each."""
    clock = Clock.start()
    with (
        resumable(run, prepared.options),
        shared_by_engines(prepared.options),
        models_of(prepared, run) as models,
        watched(prepared, run, clock, progress) as session,
    ):

        def stages() -> None:
            with stage(progress, "play", surveyed.events, "events"):
                play(prepared, run, clock, progress, models.lanes)
            with stage(progress, "read", surveyed.questions, "answers"):
                read(prepared, run, clock, progress)

        if prepared.options.energy_protocol:
            checks = under_protocol(session, prepared, clock, stages)
            run.write_manifest(run.manifest() | {"energy_protocol": checks})
        else:
            stages()
    return conclude(prepared, run)


def conclude(prepared: Prepared, run: RunDir) -> Finished:
    """Score what is recorded and write the summary."""
    scored = score(prepared, run)
    manifest = run.manifest()
    replayed = prepared.options.cassette_mode == "replay"
    energy = attributed(run, scored.cost.spans, from_cassette=replayed)
    manifest["energy"] = {
        "report": energy.report,
        "checks": list(energy.checks),
        "verified": energy.verified,
    }
    key = manifest["comparison_key"]["cost"]
    key["energy_boundary"] = energy.summary["boundary"]
    key["energy_provenance"] = energy.summary["total"]["provenance"]
    summary = summarise(manifest, prepared.task, scored, energy.summary)
    run.write_summary(summary)
    manifest["status"] = "complete" if summary["complete"] else "finished with failures"
    run.write_manifest(manifest)
    return Finished(run, summary)


@contextmanager
def stage(progress: Progress, name: str, total: int | None, unit: str) -> Iterator[None]:
    """Announce a stage, and its end."""
    progress.stage(name, total, unit)
    try:
        yield
    finally:
        progress.finish()


@contextmanager
def resumable(run: RunDir, options: ExecOptions) -> Iterator[None]:
    """Turn an interruption into `Stopped`, saying how to go on."""
    how = f"Continue it with: membench run --resume {run.path}"
    if options.data is not None:
        how += f" --data {options.data}"
    try:
        yield
    except KeyboardInterrupt:
        mark_interrupted(run)
        raise Stopped(f"interrupted; what was recorded is kept. {how}") from None
    except DiskFull as error:
        mark_interrupted(run)
        raise Stopped(
            f"no space left for {error.path}; what was recorded is kept. Free some space. {how}"
        ) from None
    except OSError as error:
        if not isinstance(error.errno, int) or error.errno not in (28, 122):
            raise
        mark_interrupted(run)
        raise Stopped(f"no space left on the disk of {run.path}. Free some space. {how}") from None


def mark_interrupted(run: RunDir) -> None:
    """Say so in the manifest, unless the disk has no room even for that."""
    try:
        run.write_manifest(run.manifest() | {"status": "interrupted"})
    except OSError:
        return


def warn(prepared: Prepared, progress: Progress) -> None:
    """Say what a reader of the results should know about the data."""
    if prepared.version.warning:
        progress.note(prepared.version.warning)


def rebuilt(run: RunDir, options: ExecOptions) -> Prepared:
    """The `Prepared` of a run on disk, for scoring it again.

    Raises:
        UserError: Its system, task or data cannot be found.
    """
    manifest = run.manifest()
    spec = RunSpec.from_json(manifest["spec"])
    return prepare(spec, replace(options, out=run.path.parent))


def rescore(path: Path, options: ExecOptions) -> Finished:
    """Score a run again from its records.

    Raises:
        RunStateError: It is no run.
    """
    run = RunDir.open(path)
    with run.locked():
        return conclude(rebuilt(run, options), run)
