"""A profile is what a system really asked of the gateway, and everything else follows from it."""

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from membench.adapters.registry import get_card
from membench.cli.output import profile as output
from membench.domain.errors import DataError, UsageError
from membench.domain.labels import Phase, Role
from membench.experiments import profile_costs
from membench.experiments.profile import PhaseProfile, Profile, RoleProfile, read, write
from membench.experiments.profile_costs import (
    asking_growth,
    costs_by_model,
    storing_growth,
)
from membench.llm.upstreams.local.registry import local_models
from membench.testing import profile
from membench.tokens import count_tokens

CaptureFixture: TypeAlias = "pytest.CaptureFixture[Any]"
LENGTHS = (10, 20, 30, 40)


@pytest.fixture(scope="module")
def dense() -> Profile:
    return profile.measure(get_card("dense"), {}, LENGTHS, lambda _: None)


def test_a_system_that_embeds_sessions_asks_the_embedder_once_a_session(dense: Profile) -> None:
    for length, turns in zip(dense.lengths, LENGTHS, strict=True):
        asked = length.phases[Phase.INGEST].roles[Role.EMBEDDER]
        assert asked.calls == turns / 10
        assert asked.embedding_tokens == length.tokens
        assert length.turns == turns


def test_its_costs_per_turn_and_per_question_are_constant(dense: Profile) -> None:
    assert storing_growth(dense, Role.EMBEDDER, "embedding_tokens").kind == "constant"
    assert storing_growth(dense, Role.EMBEDDER, "calls").marginal == pytest.approx(0.1)
    assert asking_growth(dense, Role.EMBEDDER, "calls").marginal == pytest.approx(1)
    assert storing_growth(dense, Role.MEMORY, "calls").kind == "none"


def test_a_stored_profile_is_read_as_it_was_written(dense: Profile, tmp_path: Path) -> None:
    assert read(write(dense, tmp_path)) == dense


def test_a_broken_profile_is_refused_with_its_file(tmp_path: Path) -> None:
    broken = tmp_path / "dense.json"
    broken.write_text('{"system": "dense"}')
    with pytest.raises(DataError, match=r"dense\.json"):
        read(broken)


@pytest.mark.parametrize("lengths", [(20, 40, 80), (5, 20, 40, 80), (20, 20, 40, 80)])
def test_too_few_lengths_are_refused(lengths: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="--lengths"):
        profile.measure(get_card("dense"), {}, lengths, lambda _: None)


def test_every_sentence_of_a_history_is_another_one() -> None:
    case = profile.history(160)
    texts = [turn.text for event in case.timeline[:16] for turn in event.session.turns]
    assert len(set(texts)) == 160
    assert max(map(count_tokens, texts)) < 2 * min(map(count_tokens, texts))


def with_memory_calls(made: Profile) -> Profile:
    """The same with a language model that was called once per turn, 1,000 tokens in, 100 out."""

    def changed(length: profile.LengthProfile) -> profile.LengthProfile:
        n = length.turns
        role = RoleProfile(n, 1000 * n, 100 * n, 0, 1000**2 * n)
        phases = {Phase.INGEST: PhaseProfile(n // 10, {Role.MEMORY: role}, 0.0, 0.0)}
        return replace(length, phases=phases)

    return replace(made, lengths=tuple(map(changed, made.lengths)))


def test_dollars_are_tokens_times_the_prices_of_the_map(dense: Profile) -> None:
    from membench.llm.config import ModelSpec
    from membench.llm.prices import price_of

    model = "openai/gpt-4o-mini"
    price = price_of(ModelSpec(model))
    assert price is not None
    base = price.base
    (cost,) = costs_by_model(with_memory_calls(dense), [model])
    assert cost.usd is not None
    assert cost.usd[0] == pytest.approx(1000 * (1000 * base.prompt + 100 * base.completion))
    assert cost.usd[1] == 0


def test_an_unknown_model_has_neither_dollars_nor_joules(dense: Profile) -> None:
    (cost,) = costs_by_model(with_memory_calls(dense), ["nobody/knows-it"])
    assert (cost.usd, cost.joules) == (None, None)


def printed(
    made: Profile, models: list[str], monkeypatch: pytest.MonkeyPatch, capsys: CaptureFixture
) -> list[str]:
    """The lines of costs that `membench profile` prints."""
    monkeypatch.setattr(output, "measure", lambda *_: made)
    output.print_profile("dense", {}, LENGTHS, models, None, as_json=False)
    lines: list[str] = capsys.readouterr().out.splitlines()
    return [line for line in lines if line.startswith(("estimated", "dense calls"))]


def test_a_system_that_only_embeds_costs_what_its_embedder_costs(
    dense: Profile, monkeypatch: pytest.MonkeyPatch, capsys: CaptureFixture
) -> None:
    (line,) = printed(dense, [], monkeypatch, capsys)
    assert line.startswith("estimated: $") and line.endswith(" with openai/text-embedding-3-small")
    said, _ = printed(dense, ["openai/gpt-4o-mini"], monkeypatch, capsys)
    assert said == "dense calls no language model: --model changes nothing"


def test_no_local_model_is_priced_unasked_and_the_embedder_is_named_beside_one(
    dense: Profile, monkeypatch: pytest.MonkeyPatch, capsys: CaptureFixture
) -> None:
    both = tuple(
        replace(chat, phases={**own.phases, **chat.phases, Phase.RECALL: own.phases[Phase.RECALL]})
        for own, chat in zip(dense.lengths, with_memory_calls(dense).lengths, strict=True)
    )
    lines = printed(replace(dense, lengths=both), [], monkeypatch, capsys)
    paid = [line for line in lines if "$" in line]
    assert paid
    assert all(" questions with openai/text-embedding-3-small" in line for line in paid)
    assert all("$" in line or " J per 1,000 turns" in line for line in lines)
    assert not [name for name in local_models().models if any(f", {name} " in x for x in lines)]


def test_a_model_of_which_nothing_is_known_is_refused_before_anything_is_played(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(output, "measure", lambda *_: pytest.fail("it was played"))
    with pytest.raises(UsageError, match="--model nosuchmodel: no known price"):
        output.print_profile("dense", {}, LENGTHS, ["nosuchmodel"], None, as_json=False)
    monkeypatch.setattr(profile_costs, "price_of", lambda _: None)
    monkeypatch.setattr(profile_costs, "price_map", dict)
    with pytest.raises(UsageError, match=r"membench\[llm\]"):
        output.print_profile("dense", {}, LENGTHS, ["nosuchmodel"], None, as_json=False)


def test_joules_have_a_range_and_grow_with_the_square_of_a_prompt(dense: Profile) -> None:
    (cost,) = costs_by_model(with_memory_calls(dense), ["Qwen/Qwen3-8B"])
    assert cost.joules is not None
    storing, asking = cost.joules
    assert 0 < storing.low < storing.mid < storing.high
    assert asking.high == 0


STORED = sorted((Path(__file__).parents[2] / "results" / "profiles").glob("*.json"))


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_published_profile_is_of_the_version_and_the_lock_in_the_repository(path: Path) -> None:
    from membench.adapters.environment import environments

    made = read(path)
    card = get_card(made.system)
    assert made.version == card.version
    if card.environment is not None:
        assert made.lock_sha256 == environments.lock_sha256(card)
