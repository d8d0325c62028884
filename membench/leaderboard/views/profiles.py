"""The Profiles page: what systems ask of models and of the machine, whatever they remember."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from membench.adapters.registry import discover
from membench.domain.errors import DataError
from membench.domain.labels import SYSTEM_ROLES, JsonObject, Phase, Role
from membench.energy.attribution.coefficients import table as coefficients
from membench.experiments.profile import Profile, read
from membench.experiments.profile_costs import (
    STORING,
    asked,
    asking_growth,
    dollars,
    joules,
    priced,
    storing_growth,
)
from membench.leaderboard.store.store import Store
from membench.llm.config import ModelSpec
from membench.llm.prices import price_of
from membench.metrics.growth import Growth

FOLDER = "profiles"
GPU = "H100"
"""Whose published coefficients joules are computed with."""

NOTICE = (
    "Measured with scripted replies, so no model's quality is in them: a history of distinct "
    "sentences in sessions of ten turns, ten questions at its end. Calls and tokens are the same "
    "on every machine; a model that stores more makes later prompts longer. Dollars and joules are "
    "estimated: tokens times the price map and published coefficients. The reader is not in them."
)


@dataclass(frozen=True)
class StoredProfiles:
    """The profiles of a store.

    Attributes:
        profiles: By name.
        problems: Files that are no profile, and why.
    """

    profiles: tuple[Profile, ...]
    problems: tuple[str, ...]


def stored_profiles(store: Store) -> StoredProfiles:
    """Every profile that lies in a store."""
    found, problems = [], []
    for path in sorted((store.root / FOLDER).glob("*.json")):
        try:
            found.append(read(path))
        except DataError as error:
            problems.append(f"{path.name}: {error.problem}")
    return StoredProfiles(tuple(found), tuple(problems))


def energy_models() -> list[str]:
    """Language models with published coefficients."""
    return sorted(coefficients(GPU))


def profile_records(profiles: Sequence[Profile], model: str = "") -> list[JsonObject]:
    """A line per system, at its longest history; numbers are numbers, so that they sort.

    Args:
        profiles: Of the systems.
        model: Whose joules are shown; empty takes the first one with coefficients.
    """
    cards = discover().cards
    model = model or energy_models()[0]
    records = []
    for made in profiles:
        card = cards.get(made.system)
        records.append(
            {
                "system": made.system,
                "kind": card.fidelity if card else None,
                **calls(made),
                **prices(made),
                **energy(made, model),
                **machine(made),
                "version": made.version,
            }
        )
    return records


def calls(made: Profile) -> JsonObject:
    """What models are asked of one more turn and one more question, and how that grows."""
    growths = {
        "calls / turn": storing_growth(made, Role.MEMORY, "calls"),
        "prompt tokens / turn": storing_growth(made, Role.MEMORY, "prompt_tokens"),
        "completion tokens / turn": storing_growth(made, Role.MEMORY, "completion_tokens"),
        "embedded tokens / turn": storing_growth(made, Role.EMBEDDER, "embedding_tokens"),
        "calls / question": asking_growth(made, Role.MEMORY, "calls"),
        "prompt tokens / question": asking_growth(made, Role.MEMORY, "prompt_tokens"),
        "completion tokens / question": asking_growth(made, Role.MEMORY, "completion_tokens"),
    }
    found: JsonObject = {}
    for name, growth in growths.items():
        found[name] = short(growth.marginal) if growth.kind != "none" else 0
        if name.startswith("prompt"):
            found[name.replace("prompt tokens", "growth")] = grown(growth)
    return {**found, "smallest context": made.lengths[-1].largest_prompt_tokens or None}


def grown(growth: Growth) -> str:
    """The kind of growth and the error of its fit."""
    return "–" if growth.kind == "none" else f"{growth.kind} ±{100 * growth.error:.1f} %"


def prices(made: Profile) -> JsonObject:
    """Dollars at the models that divisions pin, where the price map knows them."""
    found: JsonObject = {}
    for model in priced():
        if price_of(ModelSpec(model)) is None:
            continue
        usd, name = dollars(made, model), model.rpartition("/")[2]
        turns, questions = (None, None) if usd is None else map(short, usd)
        found |= {f"USD / 1,000 turns, {name}": turns, f"USD / 1,000 questions, {name}": questions}
    return found


def energy(made: Profile, model: str) -> JsonObject:
    """Joules of one language model, central values."""
    found = joules(made, model, GPU)
    turns, questions = (None, None) if found is None else (short(part.mid) for part in found)
    return {"J / 1,000 turns": turns, "J / 1,000 questions": questions}


def machine(made: Profile) -> JsonObject:
    """What the package itself takes; unknown of systems without a process of their own."""
    longest = made.lengths[-1]
    apart = bool(longest.peak_rss_bytes)
    stored = sum(longest.phases[phase].cpu_s for phase in STORING if phase in longest.phases)
    return {
        "CPU ms / turn": short(1000 * stored / longest.turns) if apart else None,
        "store bytes / turn": None
        if longest.store_bytes is None
        else round(longest.store_bytes / longest.turns),
        "environment MB": megabytes(made.environment_bytes),
        "install s": None if made.install_s is None else round(made.install_s),
    }


def megabytes(size: int | None) -> int | None:
    """Bytes as whole megabytes."""
    return None if size is None else round(size / 1e6)


def short(value: float) -> float:
    """Three digits that count."""
    return float(f"{value:.3g}")


def phase_records(profiles: Sequence[Profile]) -> list[JsonObject]:
    """Calls and tokens of every phase and role over the whole of the longest history."""
    return [line for made in profiles for line in phase_lines(made)]


def phase_lines(made: Profile) -> Iterator[JsonObject]:
    """The phases of one system."""
    longest = made.lengths[-1]
    for phase in (Phase.INGEST, Phase.FINALIZE, Phase.RECALL):
        for role in SYSTEM_ROLES:
            use = asked(longest, role, phase)
            if use.calls:
                yield {
                    "system": made.system,
                    "phase": phase.value,
                    "role": role.value,
                    "of": f"{longest.turns} turns"
                    if phase in STORING
                    else f"{longest.questions} questions",
                    "calls": use.calls,
                    "prompt tokens": use.prompt_tokens,
                    "completion tokens": use.completion_tokens,
                    "embedded tokens": use.embedding_tokens,
                }


def energy_records(profiles: Sequence[Profile]) -> list[JsonObject]:
    """Joules of 1,000 turns stored and 1,000 questions asked by language model, with ranges."""
    return [
        {
            "system": made.system,
            "language model": model,
            "J / 1,000 turns": short(found[0].mid),
            "range, turns": f"{found[0].low:,.0f} to {found[0].high:,.0f}",
            "J / 1,000 questions": short(found[1].mid),
            "range, questions": f"{found[1].low:,.0f} to {found[1].high:,.0f}",
        }
        for made in profiles
        for model in energy_models()
        if (found := joules(made, model, GPU)) is not None and found[0].mid + found[1].mid > 0
    ]


WORDS: dict[str, tuple[str, str]] = {
    "system": ("System", "The memory system at its defaults, or as its profile says."),
    "kind": ("Kind", "How close it is to the original: the package itself, native, control."),
    "calls / turn": ("LLM calls / turn", "Calls of one more turn after the longest history."),
    "growth / turn": (
        "Growth / turn",
        "How prompt tokens grow with the history, and the error of the fit (RMS over the mean).",
    ),
    "growth / question": ("Growth / question", "The same of one more question."),
    "smallest context": (
        "Smallest context",
        "Tokens of the longest prompt that was sent: a model with less context will not do.",
    ),
    "J / 1,000 turns": ("J / 1,000 turns", "Estimated: tokens times published coefficients."),
    "J / 1,000 questions": ("J / 1,000 questions", "Estimated, likewise."),
    "CPU ms / turn": ("CPU ms / turn", "Of the package itself, in its own process."),
    "environment MB": ("Environment MB", "Size of the package's own environment."),
    "install s": ("Install s", "Seconds its installation took on the machine of the profile."),
}
"""Titles and meanings of columns whose names do not say it all."""
