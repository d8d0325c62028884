"""`membench profile NAME`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from membench.adapters.environment import environments
from membench.adapters.registry import get_card
from membench.cli.output.console import out, step
from membench.cli.output.listing import print_json, print_table
from membench.domain.labels import Phase, Role, Scalar
from membench.experiments.profile import LengthProfile, Profile, write
from membench.experiments.profile_costs import (
    STORING,
    asked,
    asks,
    check_costs_known,
    costs_by_model,
    priced,
    priced_embedder,
    tables_growth,
)
from membench.testing.profile import measure

HEAD = (
    "turns",
    "role",
    "calls",
    "prompt",
    "completion",
    "embedded",
    "calls/q",
    "prompt/q",
    "CPU s",
    "store kB",
)


def print_profile(
    name: str,
    parameters: Mapping[str, Scalar],
    lengths: Sequence[int],
    models: Sequence[str],
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    """Measure and print a profile, and store it where a folder is given.

    Raises:
        UsageError: Of one of the models nothing could be said.
    """
    check_costs_known(models)
    card = get_card(name)
    environments.ensure(card, step)
    made = measure(card, parameters, lengths, step)
    if folder is not None:
        step(f"written: {write(made, folder)}")
    if as_json:
        print_json(asdict(made))
        return
    out().print(f"{made.system} {made.version}; replies are {made.replies}", markup=False)
    print_table(HEAD, [row for length in made.lengths for row in _rows(length)])
    for line in [*_growths(made), *_costs(made, models), *_environment(made)]:
        out().print(line, markup=False, soft_wrap=True)


def _rows(length: LengthProfile) -> Iterator[list[str]]:
    """One row per role that was called, or one without."""
    roles = [role for role in Role if asked(length, role, *Phase).calls]
    for number, role in enumerate(roles or [None]):
        first = number == 0
        storing = asked(length, role, *STORING)
        asking = asked(length, role, Phase.RECALL)
        counts = (storing.calls, storing.prompt_tokens, storing.completion_tokens)
        cells = [f"{count:,}" for count in (*counts, storing.embedding_tokens)]
        per_question = (asking.calls, asking.prompt_tokens + asking.embedding_tokens)
        cells += [f"{count / length.questions:,.1f}" for count in per_question]
        seconds = sum(phase.cpu_s for phase in length.phases.values())
        size = "-" if length.store_bytes is None else f"{length.store_bytes / 1000:,.1f}"
        machine = [f"{seconds:.2f}", size] if first else ["", ""]
        yield [f"{length.turns:,}" if first else "", role or "-", *cells, *machine]


def _growths(profile: Profile) -> Iterator[str]:
    for title, growth in tables_growth(profile):
        if growth.kind != "none":
            yield (
                f"{title}: {growth.kind}, {growth.marginal:,.2f} at {profile.lengths[-1].turns} "
                f"turns (error of the fit {100 * growth.error:.1f} %)"
            )


def _costs(profile: Profile, models: Sequence[str]) -> Iterator[str]:
    """Estimated costs; those of a system that calls only an embedder are not any model's."""
    if asks(profile, Role.MEMORY):
        for cost in costs_by_model(profile, models or priced()):
            yield f"estimated, {cost.model}: {cost.words}"
        return
    if models:
        yield f"{profile.system} calls no language model: --model changes nothing"
    embedder = priced_embedder() if asks(profile, Role.EMBEDDER) else None
    if embedder is not None:
        (cost,) = costs_by_model(profile, [embedder.model])
        yield f"estimated: {cost.words}"


def _environment(profile: Profile) -> Iterator[str]:
    if profile.environment_bytes is not None:
        seconds = (
            "" if profile.install_s is None else f", installed in {profile.install_s:.0f} s here"
        )
        yield f"environment: {profile.environment_bytes / 1e6:,.0f} MB{seconds}"
