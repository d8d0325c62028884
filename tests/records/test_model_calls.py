"""Lines of spent.jsonl: a call is read back as it was entered, and only what was paid is money."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from membench.domain.labels import Phase, Role
from membench.llm.spending import spent
from membench.records.journal import Appender
from membench.records.model_calls import OUTCOMES, CallOrigin, ModelCall, calls_of_case
from membench.records.shape import is_model_call, is_payment
from membench.records.usage import Usage

counts = st.integers(0, 10**6)
usages = st.builds(
    Usage,
    calls=st.integers(0, 1),
    prompt_tokens=counts,
    completion_tokens=counts,
    embedding_tokens=counts,
    usd=st.none() | st.floats(0, 10),
    latency_s=st.floats(0, 100),
)
origins = st.builds(
    CallOrigin,
    st.text(min_size=1),
    st.none() | counts,
    st.none() | st.sampled_from([phase.value for phase in Phase]),
    st.text(),
    st.booleans(),
)
calls = st.builds(
    ModelCall,
    st.sampled_from(Role),
    origins,
    usages,
    st.sampled_from(OUTCOMES),
    st.none() | st.text(min_size=1),
    st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    counts,
)


@given(calls)
def test_a_call_is_read_back_as_it_was_entered(call: ModelCall) -> None:
    line = call.to_json()
    assert is_model_call(line)
    assert is_payment(line) == (call.outcome == "usage")
    back = ModelCall.from_json(line)
    assert (back.role, back.origin, back.outcome, back.reason, back.request_sha256, back.n) == (
        call.role,
        call.origin,
        call.outcome,
        call.reason,
        call.request_sha256,
        call.n,
    )
    assert back.usage.tokens == call.usage.tokens
    assert back.usage.latency_s == call.usage.latency_s


def test_replayed_and_failed_calls_are_listed_and_are_not_spent(tmp_path: Path) -> None:
    ledger = Appender(tmp_path / "spent.jsonl")
    use = Usage(calls=1, prompt_tokens=100, usd=0.5)
    for outcome in OUTCOMES:
        ledger.append(ModelCall(Role.MEMORY, CallOrigin("c"), use, outcome).to_json())
    ledger.close()
    assert [call.outcome for call in calls_of_case(ledger.path, "c")] == list(OUTCOMES)
    assert (spent(ledger.path).calls, spent(ledger.path).usd) == (1, 0.5)


def test_a_line_of_an_older_version_has_no_place(tmp_path: Path) -> None:
    """Versions before this one wrote role, case and usage alone."""
    path = tmp_path / "spent.jsonl"
    path.write_text(
        '{"role":"memory","case":"c","usage":{"calls":1,"prompt_tokens":7}}\n'
        '{"role":"nobody","case":"c","usage":{}}\n'
        '{"role":"memory","case":"c","usage":{"calls":1},"event":"first"}\n'
        '{"role":"memory","case":"c","us'
    )
    (call,) = calls_of_case(path, "c")
    assert call.origin == CallOrigin("c")
    assert (call.usage.prompt_tokens, call.request_sha256) == (7, None)
