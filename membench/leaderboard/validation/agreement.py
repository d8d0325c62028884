"""What the files of a bundle say of each other: they must agree, and name no place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from membench.adapters.registry import list_systems
from membench.domain.errors import UserError
from membench.domain.labels import SYSTEM_ROLES, JsonObject, JsonView
from membench.harness.divisions import division_of, pinned
from membench.harness.manifest import judge_prompts_sha256
from membench.leaderboard.bundles import (
    layout,
)
from membench.leaderboard.bundles.bundle import strings
from membench.leaderboard.bundles.withholding import private
from membench.leaderboard.validation.parsing import ParsedBundle
from membench.leaderboard.validation.rules import Finding
from membench.leaderboard.validation.systems import system_findings
from membench.records.spec import RunSpec


def disagreements(bundle: ParsedBundle) -> list[Finding]:
    """Rules on manifest and summary that need no data."""
    return [
        *spec_findings(bundle.manifest),
        *system_findings(bundle.manifest),
        *agreement_findings(bundle),
        *private_findings(bundle),
    ]


def spec_findings(manifest: JsonObject) -> Iterator[Finding]:
    """The manifest must follow from its spec."""
    spec = RunSpec.from_json(manifest["spec"])
    location = layout.MANIFEST
    if manifest["spec_sha256"] != spec.sha256:
        yield Finding("schema.spec", f"{location}: spec_sha256", "is not the hash of the spec")
    if problem := division_problem(manifest["division"], spec):
        yield Finding("schema.spec", f"{location}: division", problem)
    if spec.is_part and not manifest["subset"]:
        yield Finding("schema.spec", f"{location}: subset", "the spec leaves out cases")
    if manifest["task"]["partial"] and not manifest["subset"]:
        yield Finding("schema.spec", f"{location}: subset", "the data is partial")
    if (manifest["comparison_key"].get("errata") is not None) != spec.errata:
        yield Finding(
            "schema.spec", f"{location}: comparison_key.errata", "is not what the spec says"
        )
    for key, expected in expected_key(manifest).items():
        if manifest["comparison_key"].get(key) != expected:
            yield Finding(
                "schema.spec", f"{location}: comparison_key.{key}", "is not what the spec says"
            )
    for key, expected in (("model_set", spec.model_set), ("local_models", answering(manifest))):
        if manifest["comparison_key"].get(key, {}) != expected:
            place = f"{location}: comparison_key.{key}"
            yield Finding("schema.spec", place, "is not what the manifest says elsewhere")


def answering(manifest: JsonView) -> JsonObject:
    """The local models that answer or judge: scores depend on what they are."""
    models = manifest.get("local_models", {})
    return {
        seat: identity for seat, identity in models.items() if not seat.startswith(SYSTEM_ROLES)
    }


def division_problem(division: str, spec: RunSpec) -> str | None:
    """How a run is not of the division it names, or None."""
    if division != division_of(spec):
        return f"the spec is of division '{division_of(spec)}'"
    free = division_of(replace(spec, division=None))
    if division == "offline" and free != "offline":
        return "a run with an LLM is not offline"
    try:
        same = pinned(spec) == spec
    except UserError as error:
        return error.problem
    return None if same else "the spec differs from what the division pins"


def expected_key(manifest: JsonObject) -> JsonObject:
    """The parts of the comparison key that follow from the rest of the manifest."""
    spec, task = manifest["spec"], manifest["task"]
    expected = {
        "task": task["name"],
        "split": task["split"],
        "question_set_sha256": task["question_set_sha256"],
        "dataset_sha256": task["dataset_sha256"],
        "division": manifest["division"],
        "reader": spec["reader"],
        "judge": spec["judge"],
        "judge_prompt_sha256": judge_prompts_sha256(manifest["prompts"]),
        "answer_prompt_sha256": manifest["prompts"].get("answer"),
        "token_budget": spec["token_budget"],
        "task_options": task["options"],
    }
    if spec["k"] is not None:
        expected["k"] = spec["k"]
    return expected


def agreement_findings(bundle: ParsedBundle) -> Iterator[Finding]:
    """The summary must agree with the manifest."""
    manifest, summary = bundle.manifest, bundle.summary
    cost = manifest["comparison_key"].get("cost") or {}
    energy = {"provenance": None, **(summary["energy"].get("total") or {})}
    same: Sequence[tuple[str, object, object]] = (
        ("run_id", summary["run_id"], manifest["run_id"]),
        ("task", summary["task"], manifest["task"]["name"]),
        ("split", summary["split"], manifest["task"]["split"]),
        ("system", summary["system"], manifest["system"]["name"]),
        ("division", summary["division"], manifest["division"]),
        ("comparison_key", summary["comparison_key"], manifest["comparison_key"]),
        ("spec.task", manifest["spec"]["task"], manifest["task"]["name"]),
        ("spec.system", manifest["spec"]["system"], found_as(manifest["system"])),
        ("models", summary["models"], manifest["models"]),
        ("energy.boundary", summary["energy"].get("boundary"), cost.get("energy_boundary")),
        ("energy.provenance", energy["provenance"], cost.get("energy_provenance")),
        ("hardware.class", manifest["hardware"]["class"], cost.get("hardware_class")),
        ("options.concurrency", manifest["options"].get("concurrency"), cost.get("concurrency")),
        ("options.schedule", manifest["options"].get("schedule"), cost.get("schedule")),
        ("status", summary["complete"], manifest["status"] == "complete"),
    )
    for name, mine, theirs in same:
        if mine != theirs:
            yield Finding("schema.agree", f"{layout.SUMMARY}: {name}", "differs from the manifest")


def found_as(system: JsonView) -> str:
    """What `--system` called it: its name, or its adapter where that drives another system.

    Empty for one that took the name of a system known here, which nothing is called.
    """
    adapter = system.get("adapter")
    if adapter and adapter != system["name"] and system["name"] in list_systems():
        return ""
    return str(adapter or system["name"])


def private_findings(bundle: ParsedBundle) -> Iterator[Finding]:
    """No path or host in any string of manifest and summary."""
    for name, value in ((layout.MANIFEST, bundle.manifest), (layout.SUMMARY, bundle.summary)):
        for text in strings(value):
            if private(text):
                yield Finding("private.path", name, f"{text[:60]!r} looks like a path or a host")


def text_findings(bundle: ParsedBundle, *, text_allowed: bool) -> Iterator[Finding]:
    """No free answer in clear where the task's licence forbids it."""
    if text_allowed:
        return
    for name, lines in ((layout.PLAY, bundle.play), (layout.ANSWERS, bundle.answers)):
        for number, line in enumerate(lines, start=1):
            content = line["content"]
            entries = [content.get("answer") or {}, *content.get("answers", ())]
            if any(entry.get("text") is not None for entry in entries):
                location = f"{name}: line {number}"
                yield Finding("private.text", location, "holds an answer in clear")
