"""The models of a run: its gateway, from the names in the spec and the options of the execution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from membench.harness.divisions import model_spec
from membench.harness.journal import read_lines
from membench.harness.llm.lane import LaneAccess
from membench.harness.llm.spec import Budget, GatewayConfig, ModelSpec
from membench.harness.llm.usage import Usage
from membench.harness.prepared import Prepared, judges
from membench.harness.rundir import RunDir

if TYPE_CHECKING:
    from membench.harness.llm.gateway import Gateway


@dataclass(frozen=True)
class Models:
    """What the stages of a run call models through.

    Attributes:
        gateway: The run's gateway, None for a run without models.
        lanes: Access of each lane of the play stage; empty without models.
    """

    gateway: Gateway | None = None
    lanes: Sequence[LaneAccess] = field(default_factory=tuple)

    def exhausted(self) -> str | None:
        """Why the budget lets no further call through, or None."""
        return self.gateway.exhausted if self.gateway else None


@contextmanager
def models_of(prepared: Prepared, run: RunDir) -> Iterator[Models]:
    """Open the run's gateway for the time of its stages; nothing is opened without models."""
    if not prepared.models:
        yield Models()
        return
    from membench.harness.llm.gateway import Gateway

    with Gateway(gateway_config(prepared, run)) as gateway:
        lanes = [gateway.lane(f"lane-{n}") for n in range(prepared.options.concurrency)]
        yield Models(gateway, lanes)


def gateway_config(prepared: Prepared, run: RunDir) -> GatewayConfig:
    """The gateway's configuration."""
    options = prepared.options
    cassette = options.cassette
    if cassette is None and options.cassette_mode == "record":
        cassette = run.cassette
    return GatewayConfig(
        roles={
            role: model_spec(prepared.spec, role, name) for role, name in prepared.models.items()
        },
        further_judges=tuple(ModelSpec(name) for name in judges(prepared.spec)[1:]),
        base_url=options.base_url,
        cassette=cassette,
        cassette_mode=options.cassette_mode,
        budget=Budget(options.budget_usd, options.budget_tokens, *spent_before(run)),
    )


def spent_before(run: RunDir) -> tuple[float, int]:
    """Dollars and tokens that earlier attempts of a run have spent, by its own records.

    Replayed calls cost nothing; dollars that are unknown cannot be counted. An event of which only
    some calls were replayed counts as replayed, so the figure is a lower bound.
    """
    spent = Usage()
    for path in (run.play, run.answers, *sorted(run.verdicts.glob("*.jsonl"))):
        for line in read_lines(path) if path.is_file() else ():
            spent += paid(line.get("telemetry", {}).get("usage", {}))
    return spent.usd or 0.0, spent.tokens


def paid(usage: Mapping[str, Any]) -> Usage:
    """The part of a recorded usage that was paid for: nothing, where calls were replayed."""
    if usage.get("replayed"):
        return Usage()
    counts = ("prompt_tokens", "completion_tokens", "embedding_tokens")
    return Usage(**{name: usage.get(name, 0) for name in counts}, usd=usage.get("usd") or 0.0)
