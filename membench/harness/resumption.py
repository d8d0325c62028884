"""Going on with a run that stopped: whether it can be, and how the user is told."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace

from membench.domain.errors import RunStateError, Stopped, UsageError
from membench.domain.labels import Role
from membench.harness.manifest import new_manifest
from membench.harness.prepare import DatasetStats, ResolvedRun
from membench.harness.run_models import served_roles
from membench.records.journal import DiskFull
from membench.records.manifest import Manifest
from membench.records.run_directory import SERVED, RunDir
from membench.records.spec import ExecOptions, RunSpec, settings_for


def with_own_cassette(options: ExecOptions, run: RunDir) -> ExecOptions:
    """Options that go on with the cassette a run recorded in its own folder, if it did."""
    if options.cassette_mode != "off" or not run.cassette.is_file():
        return options
    return replace(options, cassette_mode="record")


def check_unchanged(manifest: Manifest, prepared: ResolvedRun, surveyed: DatasetStats) -> None:
    """Refuse to continue with other data or another system than the run began with.

    Raises:
        RunStateError: Names what differs.
    """
    fresh = new_manifest(prepared, surveyed, manifest.run_id)
    task, system = manifest.task, manifest.system
    for part, before, now in (
        ("data", task.dataset_sha256, fresh.task.dataset_sha256),
        ("questions", task.question_set_sha256, fresh.task.question_set_sha256),
        ("system version", system.version, fresh.system.version),
        ("system parameters", system.parameters, fresh.system.parameters),
        *_resumed_models(manifest, fresh),
    ):
        if before != now:
            raise RunStateError(
                f"run {manifest.run_id} cannot be resumed: {part} changed",
                f"It began with {before}, there is now {now}. Start a new run instead.",
            )


def _resumed_models(manifest: Manifest, fresh: Manifest) -> list[tuple[str, object, object]]:
    """The local models of roles that have the model they had; a derived run may change others."""
    before, now = manifest.local_models, fresh.local_models
    return [
        (f"the {role} model", before[role], now[role])
        for role in before
        if role in now and manifest.models.get(role) == fresh.models.get(role)
    ]


def check_addresses(run: RunDir, prepared: ResolvedRun) -> None:
    """Refuse to go on without an address that the run was begun with: it is not recorded.

    Raises:
        UsageError: Names the roles whose model is there.
    """
    if prepared.options.cassette_mode == "replay":
        return
    now = {*served_roles(prepared), *(set(Role) - prepared.models.keys())}
    missing = [role for role in run.places().get(SERVED, "").split() if role not in now]
    if missing:
        raise UsageError(
            f"run {run.run_id} was begun with --base-url for its {' and '.join(missing)} model, "
            "and addresses are not recorded",
            f"Give it again: {run.continued_by}",
        )


UNENDED = ("running", "interrupted")
"""What the manifest says of a run until it comes to its end."""


def check_ended(run: RunDir) -> None:
    """Refuse to score a run that stopped on its way: what it has not done is no failure.

    Raises:
        RunStateError: Says how to go on with it.
    """
    if run.manifest().status in UNENDED:
        raise RunStateError(
            f"run {run.run_id} was interrupted; it is scored when it comes to its end",
            f"Continue it: {run.continued_by}",
        )


def check_settings_kept(parent: RunSpec, spec: RunSpec, roles: Iterable[Role]) -> None:
    """Refuse other settings for models whose calls a derived run takes over as they are.

    Args:
        parent: The spec of the run whose records are taken over.
        spec: The spec of the run to be.
        roles: Models that are not asked again.

    Raises:
        UsageError: Names the setting.
    """
    for role in roles:
        before, now = (settings_for(each.model_set, role) for each in (parent, spec))
        for name in now:
            if name not in before or before[name] != now[name]:
                raise UsageError(
                    f"--model-set {name}: the calls of the {role} model are taken over, and were "
                    "made under other settings",
                    f"Name the role that is asked again: --model-set ROLE.{name}=VALUE.",
                )


@contextmanager
def resumable(run: RunDir, options: ExecOptions) -> Iterator[None]:
    """Turn an interruption into `Stopped`, saying how to go on."""
    how = f"Continue it with: {resuming(run, options)}"
    try:
        yield
    except Stopped as stop:  # a budget is spent: the same one would stop it again at once
        mark_interrupted(run)
        what = f"{stop}; what was recorded is kept. {stop.remedy}".strip()
        unlimited = replace(options, budget_usd=None, budget_tokens=None)
        raise Stopped(f"{what} Continue it with: {resuming(run, unlimited)}") from None
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


NOT_REPEATED = ("out", "run_id")
"""Options that say where the run is, which `--resume` does."""


def resuming(run: RunDir, options: ExecOptions) -> str:
    """The command that goes on with a run as it was begun."""
    words = ["membench", "run", "--resume", str(run.path)]
    for option in fields(ExecOptions):
        value = getattr(options, option.name)
        if option.name not in NOT_REPEATED and value not in (option.default, None):
            words += _flags(option.name.replace("_", "-"), value)
    return shlex.join(words)


def _flags(name: str, value: object) -> list[str]:
    """A flag with its value; one for each entry of a mapping."""
    if value is True:
        return [f"--{name}"]
    if isinstance(value, Mapping):
        return [word for key, each in value.items() for word in (f"--{name}", f"{key}={each}")]
    return [f"--{name}", str(value)]


def mark_interrupted(run: RunDir) -> None:
    """Say so in the manifest, unless the disk has no room even for that."""
    try:
        run.write_manifest(replace(run.manifest(), status="interrupted"))
    except OSError:
        return
