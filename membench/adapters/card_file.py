"""Reading system.toml: pydantic at the edge, a `SystemCard` inside."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from membench.adapters.card import (
    CAPABILITIES,
    EnvironmentCard,
    Fidelity,
    ParameterCard,
    ParameterType,
    Protocol,
    Recalls,
    Reference,
    Replay,
    SystemCard,
)
from membench.adapters.parameters import PYTHON_TYPES, value_problem
from membench.domain.errors import DataError
from membench.domain.labels import JsonObject, Role
from membench.domain.wrong_values import first_wrong

FILE = "system.toml"
Words = Annotated[str, Field(min_length=1)]
Operation = Literal["start", "ingest", "finalize", "recall", "other"]
Value = StrictStr | StrictInt | StrictFloat | StrictBool


class _Parameter(BaseModel):
    """A `[parameters.<name>]` table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: Value
    type: ParameterType
    choices: tuple[Value, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    doc: Words
    source: str = ""
    roles: dict[str, tuple[Role, ...]] = {}
    system: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """The default and every choice must be values that the parameter itself allows."""
        card = self.card()
        for value in (self.default, *self.choices):
            if type(value) is not PYTHON_TYPES[self.type]:
                raise ValueError(f"{value!r} is not of type {self.type}")
            if problem := value_problem(card, value):
                raise ValueError(f"{value!r} is {problem}")
        return self

    def card(self) -> ParameterCard:
        return ParameterCard(
            default=self.default,
            type=self.type,
            choices=self.choices,
            minimum=self.minimum,
            maximum=self.maximum,
            doc=self.doc,
            source=self.source,
            roles=self.roles,
            system=self.system,
        )


class _Environment(BaseModel):
    """The `[environment]` table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    python: Words = ">=3.11"
    lock: str = "requirements.lock"
    torch: str = ""
    size_mb: Annotated[int, Field(ge=0)] = 0
    unprivileged: bool = False
    servers: bool = False
    network: bool = False
    memory_mb: Annotated[int, Field(ge=0)] = 8192
    timeout_s: dict[Operation, Annotated[float, Field(gt=0)]] = {}
    unrestricted: str = ""
    keys: tuple[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], ...] = ()
    beside: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], ...] = ()

    def card(self) -> EnvironmentCard:
        return EnvironmentCard(**self.model_dump())


class _System(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    title: Words
    summary: Words
    version: Words
    paper: str = ""
    repo: str = ""
    licence: Words
    fidelity: Fidelity
    deviations: tuple[Words, ...] = ()
    protocol: Protocol = "blind"
    granularity: Words
    time: Words
    replay: Replay
    capabilities: tuple[str, ...] = ()
    reference: Reference | None = None
    recalls: Recalls | None = None
    drives: bool = False
    requires: dict[Words, Words] = {}
    min_context: Annotated[int, Field(gt=0)] | None = None
    roles: tuple[Role, ...] = ()
    entry: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.\w+)*:[A-Za-z_]\w*$")] = "adapter:System"
    parameters: dict[str, _Parameter] = {}
    environment: _Environment | None = None

    @model_validator(mode="after")
    def _known_capabilities(self) -> Self:
        """A misspelt capability would silently promise nothing."""
        unknown = sorted(set(self.capabilities) - set(CAPABILITIES))
        if unknown:
            raise ValueError(f"unknown capabilities {unknown}; known: {sorted(CAPABILITIES)}")
        return self

    @model_validator(mode="after")
    def _answers_are_given(self) -> Self:
        """A system that only answers must be able to."""
        if self.protocol == "answer-only" and "answer" not in self.capabilities:
            raise ValueError("protocol 'answer-only' needs the capability 'answer'")
        return self

    @model_validator(mode="after")
    def _drivers_are_told_what(self) -> Self:
        """Two systems behind one adapter are two rows, by these parameters."""
        texts = {name for name, given in self.parameters.items() if given.type == "str"}
        if self.drives and not {"name", "version"} <= texts:
            raise ValueError("with drives = true it needs the parameters 'name' and 'version'")
        return self

    @model_validator(mode="after")
    def _hosted_ones_are_reached(self) -> Self:
        """A service elsewhere has an address, and its worker the network to get there."""
        reached = self.environment is not None and self.environment.network
        if self.fidelity == "hosted" and not (reached and "base_url" in self.parameters):
            raise ValueError("fidelity 'hosted' needs environment.network and a 'base_url'")
        return self

    @model_validator(mode="after")
    def _controllers_have_settings(self) -> Self:
        """The parameters of a driven system are given as one text beside its name."""
        for name, given in self.parameters.items():
            if given.system and f"{name}_set" not in self.parameters:
                raise ValueError(f"parameter '{name}' is a system and needs '{name}_set'")
        return self

    @model_validator(mode="after")
    def _own_budgets_have_a_number(self) -> Self:
        """How many tokens a recall has room for is a parameter, so that it can be planned with."""
        given = self.parameters.get("tokens")
        if self.recalls == "tokens" and (given is None or given.type != "int"):
            raise ValueError("recalls 'tokens' needs a whole number as the parameter 'tokens'")
        return self

    @model_validator(mode="after")
    def _ceilings_are_granted(self) -> Self:
        """Who sees the evidence is a ceiling, and nobody else is: the board relies on it."""
        if (self.reference == "ceiling") != ("evidence_grant" in self.capabilities):
            raise ValueError("reference 'ceiling' and capability 'evidence_grant' go together")
        return self


def read_card(folder: Path, package: str | None = None) -> SystemCard:
    """Read the system.toml of a folder.

    Args:
        folder: The system's folder.
        package: Import path of the folder, if it is part of an installed package.

    Raises:
        DataError: The file is absent, not TOML, does not fit the schema, or names a folder beside
            its own that is not there.
    """
    file = folder / FILE
    system = _validated(file, _parsed(file))
    fields = system.model_dump(exclude={"parameters", "capabilities", "environment"})
    worker = system.environment.card() if system.environment else None
    own = worker if worker is not None and worker.lock else None
    for name in own.beside if own else ():
        if not (folder.parent / name).is_dir():
            raise DataError(
                file, "environment.beside", f"there is no folder '{name}' beside its own"
            )
    return SystemCard(
        **fields,
        capabilities=frozenset(system.capabilities),
        parameters={name: given.card() for name, given in system.parameters.items()},
        folder=folder,
        package=package,
        environment=own,
        limits=None if own else worker,
    )


def _parsed(file: Path) -> JsonObject:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            file, "", "there is no such file", "A system is a folder with a system.toml in it."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(file, "", f"cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise DataError(file, "", f"not TOML: {error}", "Mend the file at that line.") from None


def _validated(file: Path, content: JsonObject) -> _System:
    try:
        return _System.model_validate(content)
    except ValidationError as error:
        wrong = first_wrong(error, _System)
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise DataError(
            file, wrong.place, wrong.problem + more, "docs/new-system.md describes every field."
        ) from None
