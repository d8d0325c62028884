"""Labels that everything is told apart by: phases, roles, provenance."""

from __future__ import annotations

from enum import StrEnum

Scalar = str | int | float | bool
"""A value that fits a parameter, an option or a JSON leaf."""


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


class Provenance(StrEnum):
    """How a figure of cost came about, strongest first. Null is not zero."""

    MEASURED = "measured"
    MODELLED = "modelled"
    ESTIMATED = "estimated"
    UNAVAILABLE = "unavailable"
