"""What a profile comes to: growth, dollars at the price map's prices, joules by coefficients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from membench.domain.errors import UsageError
from membench.domain.labels import SYSTEM_ROLES, Phase, Provenance, Role
from membench.energy.attribution.coefficients import Coefficients, Range, model_key, table
from membench.experiments.profile import LengthProfile, Profile, RoleProfile
from membench.harness.divisions import pinned_divisions
from membench.llm.config import ModelSpec
from membench.llm.prices import Tariff, price_map, price_of
from membench.metrics.growth import Growth, per_question, per_turn

STORING = (Phase.INGEST, Phase.FINALIZE)
UNIT = 1000
"""Costs are of so many turns or questions."""
GPU = "H100"
"""Whose published coefficients joules are computed with, unless another is named."""
NOTHING = RoleProfile(0, 0, 0, 0, 0)


@dataclass(frozen=True)
class ModelCost:
    """What 1,000 turns stored and 1,000 questions asked cost at the longest history, estimated.

    Attributes:
        model: The language model.
        usd: Dollars of turns and of questions, the embedder's included; None without a price.
        joules: Of the language model alone; None without published coefficients.
        embedder: The embedder whose dollars are in; empty where none was called.
    """

    model: str
    usd: tuple[float, float] | None
    joules: tuple[Range, Range] | None
    embedder: str = ""

    @property
    def words(self) -> str:
        """Both figures in a line."""
        parts = []
        if self.usd is not None:
            turns, questions = self.usd
            beside = f" with {self.embedder}" if self.embedder else ""
            parts.append(
                f"${turns:,.4f} per 1,000 turns, ${questions:,.4f} per 1,000 questions{beside}"
            )
        if self.joules is not None:
            turns_j, questions_j = (
                f"{j.mid:,.0f} ({j.low:,.0f} to {j.high:,.0f})" for j in self.joules
            )
            provenance = Provenance.ESTIMATED.value
            parts.append(
                f"{turns_j} J per 1,000 turns, {questions_j} J per 1,000 questions {provenance}"
            )
        return "; ".join(parts) or "no known price, no published coefficients"


def asked(length: LengthProfile, role: Role | None, *phases: Phase) -> RoleProfile:
    """What a role was asked in some phases of one history together."""
    parts = [
        length.phases[phase].roles.get(role or "", NOTHING)
        for phase in phases
        if phase in length.phases
    ]
    return RoleProfile(
        sum(part.calls for part in parts),
        sum(part.prompt_tokens for part in parts),
        sum(part.completion_tokens for part in parts),
        sum(part.embedding_tokens for part in parts),
        sum(part.prompt_sq for part in parts),
    )


def storing_growth(profile: Profile, role: Role, figure: str) -> Growth:
    """How `calls`, `prompt_tokens`, ... of one more turn grow with the history."""
    totals = [getattr(asked(length, role, *STORING), figure) for length in profile.lengths]
    return per_turn([length.turns for length in profile.lengths], totals)


def asking_growth(profile: Profile, role: Role, figure: str) -> Growth:
    """How `calls`, `prompt_tokens`, ... of one question grow with the history."""
    means = [
        getattr(asked(length, role, Phase.RECALL), figure) / length.questions
        for length in profile.lengths
    ]
    return per_question([length.turns for length in profile.lengths], means)


FIGURES = ("calls", "prompt_tokens", "embedding_tokens")


def tables_growth(profile: Profile) -> Iterator[tuple[str, Growth]]:
    """Every growth there is, with words for it."""
    for role in SYSTEM_ROLES:
        for figure in FIGURES:
            words = figure.replace("_", " ")
            yield f"{role} {words} per turn", storing_growth(profile, role, figure)
            yield f"{role} {words} per question", asking_growth(profile, role, figure)


def priced() -> list[str]:
    """The language models that divisions pin for systems, where there is a cost to be said."""
    roles = (division.roles for division in pinned_divisions().values())
    pinned = [models[Role.MEMORY] for models in roles if Role.MEMORY in models]
    elsewhere = dict.fromkeys(spec.model for spec in pinned if not spec.is_local)
    return [model for model in elsewhere if has_costs(model)]


def has_costs(model: str, gpu: str = GPU) -> bool:
    """Whether dollars or joules of a model can be said."""
    return price_of(ModelSpec(model)) is not None or model_key(model) in table(gpu)


def check_costs_known(models: Sequence[str], gpu: str = GPU) -> None:
    """Refuse models of which neither dollars nor joules could be said.

    Raises:
        UsageError: Names the model, and what could be named.
    """
    for model in models:
        if not has_costs(model, gpu):
            by_price = (
                "Name it as litellm's price map does (PROVIDER/NAME)"
                if price_map()
                else "Prices need an extra: pip install 'membench[llm]'"
            )
            raise UsageError(
                f"--model {model}: no known price, no published coefficients",
                f"{by_price}; or name one with coefficients: {', '.join(sorted(table(gpu)))}.",
            )


def asks(profile: Profile, role: Role) -> bool:
    """Whether a model of a role was called at all."""
    return any(asked(length, role, *Phase).calls for length in profile.lengths)


def costs_by_model(profile: Profile, models: Sequence[str], gpu: str = GPU) -> list[ModelCost]:
    """Estimated costs of a profile with each of some language models.

    Args:
        profile: As it was measured; reply tokens are the script's.
        models: Names as the price map and the coefficients know them.
        gpu: Whose coefficients are taken.
    """
    found = priced_embedder() if asks(profile, Role.EMBEDDER) else None
    embedder = "" if found is None else found.model
    return [
        ModelCost(model, dollars(profile, model), joules(profile, model, gpu), embedder)
        for model in models
    ]


def dollars(profile: Profile, model: str) -> tuple[float, float] | None:
    """Of 1,000 turns and 1,000 questions; None where a model that is called has no known price.

    The embedder is `priced_embedder`; no division pins a reranker.
    """
    longest = profile.lengths[-1]
    storing = asking = 0.0
    embedder = priced_embedder()
    prices = {
        Role.MEMORY: price_of(ModelSpec(model)),
        Role.EMBEDDER: None if embedder is None else price_of(embedder),
        Role.RERANKER: None,
    }
    for role, price in prices.items():
        turns, questions = asked(longest, role, *STORING), asked(longest, role, Phase.RECALL)
        if price is None:
            if turns.calls or questions.calls:
                return None
            continue
        storing += _dollars(turns, price)
        asking += _dollars(questions, price)
    return UNIT * storing / longest.turns, UNIT * asking / longest.questions


def joules(profile: Profile, model: str, gpu: str) -> tuple[Range, Range] | None:
    """Of 1,000 turns and 1,000 questions; None without coefficients for the model."""
    by = table(gpu).get(model_key(model))
    if by is None:
        return None
    longest = profile.lengths[-1]
    turns, questions = UNIT / longest.turns, UNIT / longest.questions
    storing = _joules(asked(longest, Role.MEMORY, *STORING), by)
    asking = _joules(asked(longest, Role.MEMORY, Phase.RECALL), by)
    return storing.scaled(turns, turns, turns), asking.scaled(questions, questions, questions)


def priced_embedder() -> ModelSpec | None:
    """The embedder whose price is taken: the first one that a division pins and has a price."""
    pinned = (division.roles.get(Role.EMBEDDER) for division in pinned_divisions().values())
    elsewhere = (spec for spec in pinned if spec is not None and not spec.is_local)
    return next((spec for spec in elsewhere if price_of(spec) is not None), None)


def _dollars(use: RoleProfile, tariff: Tariff) -> float:
    """Of a phase's calls, taken to be equally long."""
    price = tariff.at(use.prompt_tokens / max(1, use.calls))
    given = use.prompt_tokens + use.embedding_tokens
    return given * price.prompt + use.completion_tokens * price.completion


def _joules(use: RoleProfile, by: Coefficients) -> Range:
    def total(prompt: float, prompt_sq: float, completion: float) -> float:
        return (
            use.prompt_tokens * prompt
            + use.prompt_sq * prompt_sq
            + use.completion_tokens * completion
        )

    return Range(
        total(by.prompt.low, by.prompt_sq.low, by.completion.low),
        total(by.prompt.mid, by.prompt_sq.mid, by.completion.mid),
        total(by.prompt.high, by.prompt_sq.high, by.completion.high),
    )
