"""Lanes of a run never mix: what a case and phase is charged is what was called in it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from test_model_runs import lines, served

from membench.harness.run import RunResult, start
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.scripted import ScriptedServer
from membench.tokens import count_tokens

CHATTY = Path(__file__).parent / "systems" / "chatty"
_PLACE = re.compile(r"^\[(\w+) (\w+)\]")
Figures = dict[tuple[str, str], Counter[str]]


class Counting(ScriptedServer):
    """Keeps what it served by the case and phase that the caller says it is in."""

    def __init__(self) -> None:
        super().__init__(delay_s=0.005)
        self.by_place: Figures = defaultdict(Counter)

    def _answer(self, endpoint: str, body: Mapping[str, Any]) -> tuple[bytes, str]:
        texts = body["input"] if "input" in body else [body["messages"][0]["content"]]
        found = _PLACE.match(texts[0])
        assert found is not None
        kind = "embedding" if "input" in body else "prompt"
        place = self.by_place[found[1], found[2]]
        place["calls"] += 1
        place[f"{kind}_tokens"] += sum(count_tokens(text) for text in texts)
        return super()._answer(endpoint, body)


def charged(finished: RunResult) -> Figures:
    """What records and notes say, by case and phase; late calls apart."""
    figures: Figures = defaultdict(Counter)
    for line in lines(finished.run.play):
        if "case" in line:
            add(figures[line["case"], line["phase"]], line["telemetry"].get("usage") or {})
        for usage in line.get("late", ()):
            assert usage["late"] == usage["calls"]
            assert usage["phase"] == "recall"
            add(figures[usage["case"], "late"], usage)
    return {place: counts for place, counts in figures.items() if counts["calls"]}


def add(counts: Counter[str], usage: Mapping[str, Any]) -> None:
    for name in ("calls", "prompt_tokens", "embedding_tokens"):
        counts[name] += usage.get(name, 0)


@pytest.mark.parametrize(("task", "straggle"), [("longmemeval", "close"), ("locomo", "later")])
@pytest.mark.slow
def test_usage_by_case_and_phase_is_what_the_server_served(
    task: str, straggle: str, tmp_path: Path
) -> None:
    """Two lanes at once; a thread of every case calls after its last phase was closed.

    With `close` the call comes before the lane takes its next case. With `later` it comes when the
    lane has nothing left to do: each lane has one case.
    """
    with Counting() as server:
        spec = RunSpec(
            *(str(CHATTY), task, "sample"),
            set={"straggle": straggle},
            memory_model="speaks",
            embedder="embeds",
        )
        options = ExecOptions(
            tmp_path, base_url=server.base_url, concurrency=2, isolation="in-process"
        )
        finished = start(spec, options)
        taken = served(server)
    assert finished.complete
    cases = finished.summary.counts.cases
    assert len(server.by_place) == 3 * cases
    assert charged(finished) == server.by_place
    usage = finished.summary.costs.usage
    assert finished.summary.costs.late_calls == usage["recall"].total.late == cases
    assert sum(phase.total.calls for phase in usage.values()) == taken["calls"]
    tokens = ("prompt_tokens", "embedding_tokens")
    for phases in ([phase.total for phase in usage.values()], [finished.summary.spent.total]):
        assert sum(getattr(p, t) for p in phases for t in tokens) == taken["prompt_tokens"]
        assert sum(p.completion_tokens for p in phases) == taken["completion_tokens"]


@pytest.mark.slow
def test_more_lanes_than_cases_and_a_cassette_change_nothing(tmp_path: Path) -> None:
    spec = RunSpec(str(CHATTY), "locomo", "sample", memory_model="speaks", embedder="embeds")
    tape = tmp_path / "calls.sqlite"
    with ScriptedServer() as server:
        common = {"base_url": server.base_url, "cassette": tape}
        recorded = start(spec, ExecOptions(tmp_path, "a", cassette_mode="record", **common))
    replayed = start(
        spec, ExecOptions(tmp_path, "b", cassette_mode="replay", concurrency=3, **common)
    )
    assert replayed.summary.content_sha256 == recorded.summary.content_sha256
    usage = replayed.summary.costs.usage
    assert all(phase.total.replayed == phase.total.calls for phase in usage.values())
    assert replayed.summary.costs.late_calls == recorded.summary.costs.late_calls == 2


@pytest.mark.slow
def test_a_client_made_from_the_environment_is_metered_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the lane's key; the provider's stays with the gateway."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-provider")
    heard = set()

    class Listening(ScriptedServer):
        async def _serve(self, endpoint, http):  # type: ignore[no-untyped-def]
            heard.add(http.headers["Authorization"])
            return await super()._serve(endpoint, http)

    with Listening() as server:
        spec = RunSpec(str(CHATTY.with_name("careless")), "locomo", "sample", memory_model="speaks")
        named = {"api_key_env": "OPENAI_API_KEY"}
        finished = start(spec, ExecOptions(tmp_path, base_url=server.base_url, model_set=named))
        taken = served(server)
    assert finished.complete
    assert finished.summary.costs.usage["ingest"].total.calls == taken["calls"] > 0
    assert heard == {"Bearer sk-of-the-provider"}
