"""Divisions: what is pinned so that ranks mean something.

`offline` needs no LLM: a local reader and deterministic metrics. The standard divisions are written
in `divisions.toml`: reader, memory model, judge, embedder, token budget; prompts are ours and k the
task's own. Whatever fits none is `open`.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from membench.domain.errors import DataError, UnknownName, UsageError
from membench.domain.labels import JsonObject, JsonView, Role
from membench.llm.config import ModelSpec
from membench.llm.upstreams.local.registry import find_local
from membench.readers.registry import OWN_READER, is_local, reads_nothing
from membench.records.spec import RunSpec

FILE = Path(__file__).with_name("divisions.toml")
OFFLINE = "offline"
OPEN = "open"

FIELDS = {
    Role.READER: "reader",
    Role.JUDGE: "judge",
    Role.MEMORY: "memory_model",
    Role.EMBEDDER: "embedder",
    Role.RERANKER: "reranker",
}
"""Where a run's spec names the model of a role."""


@dataclass(frozen=True)
class Division:
    """One pinned division.

    Attributes:
        name: What `--division` calls it.
        title: What it is, in a few words.
        roles: The model of every role it has; the others are `none`.
        token_budget: Tokens the recalled texts may hold together.
        judge_votes: Votes per judgement.
        gated_roles: Roles whose model a run may leave out, and whose gate its row must pass.
    """

    name: str
    title: str
    roles: Mapping[Role, ModelSpec]
    token_budget: int
    judge_votes: int
    gated_roles: frozenset[Role] = frozenset()

    def pins(self) -> JsonObject:
        """Fields of a run's spec that the division decides."""
        models = {
            field: self.roles[role].model if role in self.roles else "none"
            for role, field in FIELDS.items()
            if role not in self.gated_roles
        }
        fixed: JsonObject = {"k": None, "prompts": None, "model_set": {}}
        return (
            models
            | fixed
            | {
                "token_budget": self.token_budget,
                "judge_votes": self.judge_votes,
            }
        )

    def choices(self) -> dict[str, tuple[str, str]]:
        """Fields of a run's spec that it leaves two values: the model of a gated role, or none."""
        return {FIELDS[role]: (self.roles[role].model, "none") for role in self.gated_roles}


@cache
def pinned_divisions(file: Path = FILE) -> Mapping[str, Division]:
    """The divisions of `divisions.toml` by name.

    Raises:
        DataError: The file is malformed.
    """
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        return {name: _division(name, table) for name, table in tables.items()}
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise DataError(file, "", f"not a divisions file: {error}") from error


def _division(name: str, table: JsonView) -> Division:
    """A division from its table."""
    roles = {Role(role): ModelSpec(**spec) for role, spec in table["roles"].items()}
    gated = frozenset(map(Role, table.get("gated_roles", ())))
    return Division(**{**table, "roles": roles, "gated_roles": gated, "name": name})


def divisions_sha256() -> str:
    """Hash of `divisions.toml`, for the manifest."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()


def pinned(spec: RunSpec) -> RunSpec:
    """Apply the pins of the spec's division.

    Raises:
        UnknownName: There is no such division.
        UsageError: The spec says something else than the division, or does not fit `offline`.
    """
    if spec.division in (None, OPEN):
        return spec
    if spec.division == OFFLINE:
        return _checked_offline(spec)
    known = pinned_divisions()
    if spec.division not in known:
        raise UnknownName("division", str(spec.division), [OFFLINE, OPEN, *known])
    return _with_pins(spec, known[spec.division])


def _checked_offline(spec: RunSpec) -> RunSpec:
    """The spec, if it is an offline one."""
    if is_offline(spec):
        return spec
    raise UsageError(
        f"--division {OFFLINE}: reader '{spec.reader}', judge '{spec.judge}', memory model "
        f"'{spec.memory_model}', embedder '{spec.embedder}' and reranker '{spec.reranker}' do not "
        "all run without an LLM",
        f"Use a local reader and no models, or --division {OPEN}.",
    )


def _with_pins(spec: RunSpec, division: Division) -> RunSpec:
    """The spec with every pinned field set; a field that was chosen otherwise is refused."""
    defaults = RunSpec(spec.system, spec.task)
    pins = division.pins()
    allowed = {name: (pin, getattr(defaults, name)) for name, pin in pins.items()}
    for name, values in (allowed | division.choices()).items():
        chosen = getattr(spec, name)
        if name == FIELDS[Role.READER] and chosen == OWN_READER:
            raise UsageError(
                f"--reader {chosen}, where '{spec.system}' answers itself: division "
                f"'{division.name}' pins {values[0]}",
                f"Use --division {OPEN}.",
            )
        if chosen not in values:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{flag} {chosen}: division '{division.name}' pins {values[0]}",
                f"Leave {flag} out, or use --division {OPEN}.",
            )
    return replace(spec, **pins)


def model_spec(spec: RunSpec, role: Role, name: str) -> ModelSpec:
    """The model of a role as the run's division pins it, else just by its name."""
    found = pinned_model(spec, role)
    return found if found is not None and found.model == name else ModelSpec(name)


def pinned_model(spec: RunSpec, role: Role) -> ModelSpec | None:
    """The only model that the run's division allows in a role; None where it pins none."""
    division = pinned_divisions().get(spec.division or "")
    return division.roles.get(role) if division else None


def is_gated(division: str, role: Role) -> bool:
    """Whether the model of a role must pass its gate before a row of the division is ranked."""
    found = pinned_divisions().get(division)
    return found is not None and role in found.gated_roles


def division_of(spec: RunSpec) -> str:
    """The division a run belongs to."""
    if spec.division is not None:
        return spec.division
    return OFFLINE if is_offline(spec) else OPEN


def is_offline(spec: RunSpec) -> bool:
    """Whether nothing in a run needs an LLM."""
    return (
        (is_local(spec.reader) or reads_nothing(spec.reader))
        and spec.judge == "none"
        and spec.memory_model == "none"
        and not _needs_language_model(spec.embedder)
        and spec.reranker == "none"
        and spec.prompts is None
    )


def _needs_language_model(embedder: str) -> bool:
    """Whether vectors come from anything but a local embedder."""
    local = find_local(embedder)
    return embedder != "none" and (local is None or local.is_language_model)
