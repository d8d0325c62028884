"""The command that repeats a row."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from membench.domain.labels import JsonView
from membench.records.manifest import Manifest
from membench.records.spec import RunSpec

PINNED = ("reader", "judge", "judge_votes", "embedder", "reranker", "token_budget", "prompts")
"""What a named division fixes: naming the division says it."""

DETERMINING = (
    "system", "task", "split", "limit", "k", "token_budget", "reader", "judge", "judge_votes",
    "memory_model", "embedder", "reranker", "seed", "division",
)  # fmt: skip
"""Fields of a spec that have a flag of their own name."""

EXECUTION = ("energy", "concurrency", "schedule", "wave_cases")
"""Options that costs compare by."""

USUAL: Mapping[str, object] = {
    "energy": "auto",
    "concurrency": 1,
    "schedule": "free",
    "wave_cases": 8,
    "judge_votes": 1,
}


HASH, FORM = "sha256", "form"
"""Parameters that are taken from the file itself."""


def command(spec: RunSpec, options: JsonView) -> str:
    """A `membench run` that asks for what a row was asked for, as it was executed.

    Args:
        spec: What determines results.
        options: How it was executed, as in the manifest.
    """
    return shlex.join(["membench", "run", *spec_flags(spec), *option_flags(options)])


def command_of(manifest: Manifest) -> str:
    """The command that repeats a run, or scores again what was handed in."""
    if manifest.system.handed_in:
        return scoring_command(manifest.spec)
    return command(manifest.spec, manifest.options)


def scoring_command(spec: RunSpec) -> str:
    """A `membench score` of the file whose hash is among the parameters."""
    named = {key: value for key, value in spec.set.items() if key not in (HASH, FORM)}
    given = ["--task", spec.task, "--split", str(spec.split), "--predictions", "FILE"]
    form = str(spec.set.get(FORM, ""))
    given += form_flags(form)
    part = ["--part"] if spec.cases else []
    options = [*assigned("task_set", spec.task_set), *assigned("set", named), "--out", "runs"]
    return shlex.join(["membench", "score", *given, *part, *options])


def form_flags(form: str) -> Iterator[str]:
    """Flags for the form of a file: its name, or the keys that hold what."""
    if "=" not in form:
        yield from ("--format", form) if form else ()
        return
    for field in shlex.split(form):
        yield from ("--field", field)


def spec_flags(spec: RunSpec) -> Iterator[str]:
    """Flags for what differs from the defaults, and from what the division pins."""
    plain = RunSpec(spec.system, spec.task)
    for name in DETERMINING:
        value = getattr(spec, name)
        usual = None if name in ("system", "task") else USUAL.get(name, getattr(plain, name))
        pinned = spec.division is not None and name in PINNED
        if value is not None and value != usual and not pinned:
            yield from (flag(name), str(value))
    for name in ("set", "task_set", "model_set"):
        yield from assigned(name, getattr(spec, name))
    for case in spec.cases:
        yield from (flag("cases"), case)
    if spec.errata:
        yield "--errata"


def assigned(name: str, values: JsonView) -> Iterator[str]:
    """Flags of a field that holds settings by name."""
    for key, value in sorted(values.items()):
        yield from (flag(name), f"{key}={str(value).lower() if value in (True, False) else value}")


def option_flags(options: JsonView) -> Iterator[str]:
    """Flags for how it was executed, as far as costs depend on it."""
    for name in EXECUTION:
        value = options.get(name)
        if value is not None and value != USUAL[name]:
            yield from (flag(name), str(value))
    if options.get("energy_protocol"):
        yield "--energy-protocol"


def flag(name: str) -> str:
    """The flag of a field."""
    return f"--{name.replace('_', '-')}"
