"""Labels that everything is told apart by: phases, roles, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

IsolationLevel = Literal["isolated", "process", "in-process"]
"""Where the code of a system runs (`adapters.isolation`)."""

Scalar = str | int | float | bool
"""A value that fits a parameter, an option or a JSON leaf."""

JsonObject = dict[str, Any]
"""A JSON object as it stands in a file or on the wire, before or after it has a type of ours."""

JsonView = Mapping[str, Any]
"""The same where it is only read."""


class Phase(StrEnum):
    """What a cost is charged to. Judge is never charged to a system."""

    INGEST = "ingest"
    FINALIZE = "finalize"
    RECALL = "recall"
    ANSWER = "answer"
    JUDGE = "judge"


class Role(StrEnum):
    """Which model is called."""

    MEMORY = "memory"
    READER = "reader"
    JUDGE = "judge"
    EMBEDDER = "embedder"
    RERANKER = "reranker"


SYSTEM_ROLES = (Role.MEMORY, Role.EMBEDDER, Role.RERANKER)
"""The models that a memory system calls by itself."""


class Provenance(StrEnum):
    """How a figure of cost came about, strongest first. Null is not zero."""

    MEASURED = "measured"
    MODELLED = "modelled"
    ESTIMATED = "estimated"
    UNAVAILABLE = "unavailable"
