"""Systems of the literature that cannot be run here, and why: `systems/not_released.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

FILE = Path(__file__).parent / "systems" / "not_released.toml"
Words = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class NotReleased:
    """A system that is known and cannot be run.

    Attributes:
        name: What it would be called here.
        title: Its own name.
        paper: Title of its paper.
        repo: Where code of its authors lies, empty without one.
        checked: Year and month in which it was last looked for.
        reason: What is missing.
    """

    name: str
    title: str
    paper: str
    repo: str
    checked: str
    reason: str


class _Entry(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Words
    paper: Words
    repo: str = ""
    checked: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
    reason: Words


def list_not_released() -> dict[str, NotReleased]:
    """Each by name, sorted."""
    tables = tomllib.loads(FILE.read_text(encoding="utf-8"))
    entries = TypeAdapter(dict[str, _Entry]).validate_python(tables)
    return {name: NotReleased(name, **dict(entry)) for name, entry in sorted(entries.items())}
