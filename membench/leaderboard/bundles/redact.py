"""What of a run may be published: records without texts, errors without messages, no paths.

Memory texts never leave; their hashes, tokens and sources do. Free answers leave where the
task's licence allows, otherwise as their hash. Extractive answers leave as parts, which mean
nothing without the data. Nothing here changes `content_sha256`, which counts texts by their hash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from membench.adapters.registry import list_systems
from membench.domain.labels import JsonObject, JsonView
from membench.leaderboard.bundles import line_schema, manifest_schema, summary_schema
from membench.leaderboard.bundles.pruning import pruned
from membench.leaderboard.bundles.withholding import WITHHELD, withheld
from membench.llm.upstreams.local.registry import public_name
from membench.records.manifest import Manifest
from membench.records.spec import RunSpec
from membench.records.summary import Summary

NAMING_MODELS = ("reader", "judge", "memory_model", "embedder", "reranker")
"""Fields of a spec that may name a file of this machine."""

TYPE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,79}")
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,39}")


def manifest(run: Manifest) -> JsonObject:
    """The manifest without what only the submitter's machine can know."""
    kept: JsonObject = withheld(pruned(manifest_schema.Manifest, run.to_json()))
    spec = dict(kept["spec"])
    if "/" in run.spec.system:
        spec["system"] = kept["system"]["name"]
    spec |= {name: public_name(spec[name]) for name in NAMING_MODELS if name in spec}
    folders = dict.fromkeys(folder_parameters(run.system.name), WITHHELD)
    spec["set"] = spec["set"] | {n: v for n, v in folders.items() if n in spec["set"]}
    kept["system"] = kept["system"] | {"parameters": kept["system"]["parameters"] | folders}
    if spec.get("prompts") is not None:
        spec["prompts"] = "given"
    kept["spec"] = spec
    kept["spec_sha256"] = RunSpec.from_json(spec).sha256
    return kept


def folder_parameters(name: str) -> list[str]:
    """Parameters of a system that are folders of a machine; none of a system that is not here."""
    card = list_systems().get(name)
    parameters = {} if card is None else card.parameters
    return [key for key, parameter in parameters.items() if parameter.type == "folder"]


def summary(run: Summary) -> JsonObject:
    """The summary: the claim."""
    kept: JsonObject = withheld(pruned(summary_schema.Summary, run.to_json()))
    return kept


def note(line: JsonView) -> JsonObject:
    """A line of the play stage that belongs to no event."""
    return pruned(line_schema.Note, line)


def energy(line: JsonView) -> JsonObject:
    """A line of the sampler."""
    kept: JsonObject = withheld(line)
    return kept


def play(line: JsonView, *, text_allowed: bool) -> JsonObject:
    """A record of the play stage."""
    content = dict(line["content"])
    if "answer" in content:
        content["answer"] = answer(content["answer"], text_allowed=text_allowed)
    return {**record(line), "content": content}


def answers(line: JsonView, *, text_allowed: bool) -> JsonObject:
    """A record of the read stage."""
    content = dict(line["content"])
    content["answers"] = [answer(a, text_allowed=text_allowed) for a in content["answers"]]
    return {**record(line), "content": content}


def record(line: JsonView) -> JsonObject:
    """Address and telemetry of a record."""
    address = {key: line[key] for key in ("case", "event", "phase", "attempt")}
    return {**address, "telemetry": telemetry(line["telemetry"])}


def telemetry(entry: JsonView) -> JsonObject:
    """Figures, and of an error the name of its type: its message may hold paths and hosts.

    Of the machine of a cluster its number stays: the energy ledger needs to know which spans a
    sensor could not see. A name would not.
    """
    kept = pruned(line_schema.Telemetry, entry)
    if not isinstance(kept.get("node"), int):
        kept.pop("node", None)
    if "error" in kept:
        kept["error"] = error_type(str(kept["error"]))
    return kept


def error_type(error: str) -> str:
    """The type that `describe` put before the colon, or `error`."""
    head = error.partition(":")[0]
    return head if TYPE_NAME.fullmatch(head) else "error"


def answer(entry: JsonView, *, text_allowed: bool) -> JsonObject:
    """One answer, without its free text where the licence forbids that."""
    return {key: value for key, value in entry.items() if key != "text" or text_allowed}


def texts(line: JsonView) -> JsonObject:
    """A recalled memory without its text."""
    return {key: line[key] for key in line_schema.TextLine.model_fields}


def verdict(line: JsonView) -> JsonObject:
    """A verdict without the judge's free text: labels and numbers remain."""
    kept = pruned(line_schema.VerdictEntry, line)
    kept["values"] = {name: v for name, v in line.get("values", {}).items() if publishable(v)}
    kept["votes"] = [v if publishable(v) else "other" for v in line.get("votes", ())]
    kept["telemetry"] = telemetry(line["telemetry"])
    return kept


def gate(line: JsonView) -> JsonObject:
    """An answer to the reader gate, whose questions are our own."""
    kept = pruned(line_schema.GateLine, line)
    kept["telemetry"] = telemetry(line["telemetry"])
    return kept


def publishable(value: object) -> bool:
    """Whether a value of a verdict is a number or one short label."""
    if isinstance(value, str):
        return LABEL.fullmatch(value) is not None
    if isinstance(value, Mapping):
        return all(publishable(key) for key in value)
    return value is None or isinstance(value, int | float)
