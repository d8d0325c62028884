"""What a plan takes a system to ask of its models: its stored profile, or assumptions."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.adapters.registry import get_card
from membench.domain.labels import Phase, Role
from membench.experiments import traffic
from membench.experiments.estimate import Setting, estimate
from membench.experiments.plan import plan_of
from membench.experiments.profile import LengthProfile, PhaseProfile, Profile, RoleProfile, write
from membench.experiments.profile_costs import STORING, asked
from membench.experiments.task_size import TaskSize
from membench.experiments.traffic import AssumedTraffic, ProfiledTraffic, profiled
from membench.harness.prepare import prepare
from membench.llm.config import ModelSpec
from membench.records.spec import ExecOptions, RunSpec

TURN_TOKENS = 20


def length(turns: int, calls_per_turn: float) -> LengthProfile:
    calls = round(turns * calls_per_turn)
    storing = PhaseProfile(
        turns // 10,
        {
            Role.MEMORY: RoleProfile(calls, 100 * calls, 10 * calls, 0, 0),
            Role.EMBEDDER: RoleProfile(turns, 0, 0, TURN_TOKENS * turns, 0),
        },
        1.0,
        1.0,
    )
    asking = PhaseProfile(10, {Role.MEMORY: RoleProfile(20, 5 * turns, 40, 0, 0)}, 1.0, 1.0)
    phases = {Phase.INGEST: storing, Phase.RECALL: asking}
    return LengthProfile(turns, TURN_TOKENS * turns, 10, phases, 100, None, 0, 0.0, 50.0)


def profile(calls_per_turn: float = 5.0, name: str = "bm25", **parameters: str) -> Profile:
    lengths = tuple(length(turns, calls_per_turn) for turns in (20, 40, 80, 160))
    return Profile(name, "1", None, parameters, "0.1.0", "of a word", lengths, None, None)


def size(turns: int, cases: int = 1, turn_tokens: int = TURN_TOKENS, recalls: int = 7) -> TaskSize:
    return TaskSize(
        cases=cases,
        sessions=cases,
        turns=turns * cases,
        history_tokens=turns * cases * turn_tokens,
        recalls=recalls,
    )


@pytest.mark.parametrize("turns", [20, 30, 160, 1000])
def test_a_turn_costs_what_it_cost_in_the_profile_within_and_beyond_its_lengths(turns: int) -> None:
    asks = ProfiledTraffic(profile()).storing(size(turns, cases=3), Role.MEMORY)
    assert asks.calls == pytest.approx(5 * turns * 3)
    assert asks.prompt_tokens == pytest.approx(500 * turns * 3)
    assert asks.completion_tokens == pytest.approx(50 * turns * 3)


def test_longer_turns_are_sent_once_and_embedded_whole() -> None:
    known = ProfiledTraffic(profile())
    asks = known.storing(size(100, turn_tokens=200), Role.MEMORY)
    assert asks.prompt_tokens == pytest.approx(100 * (500 + 180))
    embeds = known.storing(size(100, turn_tokens=200), Role.EMBEDDER)
    assert embeds.embedding_tokens == pytest.approx(100 * 200)


def test_a_question_costs_what_it_cost_after_a_history_of_that_length() -> None:
    known = ProfiledTraffic(profile())
    assert known.asking(size(80), Role.MEMORY, 0.0).calls == pytest.approx(7 * 2)
    assert known.asking(size(80), Role.MEMORY, 0.0).prompt_tokens == pytest.approx(7 * 40)
    beyond = known.asking(size(1000), Role.MEMORY, 0.0)
    assert beyond.prompt_tokens == pytest.approx(7 * 500)  # read again for each question
    assert beyond.calls == pytest.approx(7 * 2)


def test_a_question_whose_cost_has_levelled_off_stays_there_beyond_the_profile() -> None:
    made = profile()
    lengths = (*made.lengths[:-1], replace(length(160, 5.0), phases=made.lengths[-2].phases))
    asks = ProfiledTraffic(replace(made, lengths=lengths)).asking(size(1000), Role.MEMORY, 0.0)
    assert asks.prompt_tokens == pytest.approx(7 * 40)


CONVERSATION = TaskSize(cases=1, sessions=19, turns=419, history_tokens=13_540, recalls=199)
"""The first LoCoMo conversation."""


@pytest.mark.parametrize(
    ("system", "calls", "prompt_tokens"),
    [
        ("mem0", 57, 181_522),
        ("memos-general", 38, 50_734),
        ("simplemem", 38, 33_385),
        ("reme", 95, 111_169),
        ("graphiti", 3_733, 3_590_220),
    ],
)
def test_a_plan_comes_close_to_what_a_real_conversation_cost(
    system: str, calls: int, prompt_tokens: int
) -> None:
    """The table of docs/packages.md, metered on the conversation itself."""
    known = ProfiledTraffic(traffic.read(traffic.PROFILE_FOLDERS[-1] / f"{system}.json"))
    by_role = [known.storing(CONVERSATION, role) for role in (Role.MEMORY, Role.EMBEDDER)]
    assert sum(each.calls for each in by_role) == pytest.approx(calls, rel=0.05)
    assert sum(each.prompt_tokens for each in by_role) == pytest.approx(prompt_tokens, rel=0.20)


def test_a_system_that_calls_seldom_is_counted_by_the_session() -> None:
    known = ProfiledTraffic(profile(calls_per_turn=0.1))
    long_sessions = replace(size(400), sessions=10)
    assert known.storing(long_sessions, Role.MEMORY).calls == pytest.approx(10)
    short_sessions = replace(size(400), sessions=200)
    assert known.storing(short_sessions, Role.MEMORY).calls == pytest.approx(200)


@given(st.integers(1, 2000), st.integers(1, 2000))
def test_more_turns_never_cost_less(few: int, more: int) -> None:
    known = ProfiledTraffic(profile())
    less, most = (known.storing(size(n), Role.MEMORY).calls for n in sorted((few, more)))
    assert less <= most + 1e-6


def test_a_profile_is_used_only_for_the_parameters_that_it_was_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(profile(name="bm25", tokenizer="stem"), tmp_path)
    monkeypatch.setattr(traffic, "PROFILE_FOLDERS", (tmp_path,))
    card = get_card("bm25")
    assert profiled(card, {"tokenizer": "stem"}) is not None
    assert profiled(card, {"tokenizer": "alnum"}) is None
    assert profiled(replace(card, name="other"), {}) is None


def test_a_plan_rests_on_the_profile_and_says_so() -> None:
    spec = RunSpec("a-mem", "locomo", "sample", memory_model="openai/gpt-5.4-mini", embedder="e")
    prepared = prepare(spec, ExecOptions())
    plan = plan_of(prepared)
    storing = next(r for r in plan.rows if (r.phase, r.role) == (Phase.INGEST, Role.MEMORY))
    turns = sum(len(case.turns()) for case, _ in prepared.cases())
    assert storing.calls == pytest.approx(2 * turns, rel=0.02)  # a note and its links for each turn
    assert any("stored profile of a-mem" in line for line in plan.assumptions)


def test_an_assumption_of_the_users_own_replaces_the_profile() -> None:
    spec = RunSpec("a-mem", "locomo", "sample", memory_model="openai/gpt-5.4-mini", embedder="e")
    plan = plan_of(prepare(spec, ExecOptions()), {"chat_per_turn": 1.0})
    assert not any("stored profile" in line for line in plan.assumptions)
    assert any("and 1 per turn" in line for line in plan.assumptions)


def test_every_stored_profile_can_be_planned_with() -> None:
    checkout = traffic.PROFILE_FOLDERS[-1]
    models = {Role.MEMORY: ModelSpec("m"), Role.EMBEDDER: ModelSpec("e")}
    for path in sorted(checkout.glob("*.json")):
        known = ProfiledTraffic(traffic.read(path))
        plan = estimate(size(588, cases=10), Setting(models, k=10, traffic=known))
        longest = known.profile.lengths[-1]
        planned = {row.role: row.calls for row in plan.rows if row.phase is Phase.INGEST}
        assert set(planned) == {role for role in models if asked(longest, role, *STORING).calls}


def test_without_a_profile_one_extraction_call_per_session_is_assumed() -> None:
    asks = AssumedTraffic().storing(size(100, cases=4), Role.MEMORY)
    assert asks.calls == 4
