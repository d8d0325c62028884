"""Whole runs with models, all of them scripted: recorded, replayed, disturbed, resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from membench.domain.errors import Reason, Stopped, UsageError
from membench.domain.labels import Role
from membench.harness.run import RunResult, derive, resume, start
from membench.llm.config import ModelSpec
from membench.llm.upstreams.scripted.rules import Request, Text, endpoint_is
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.scripted import CallCounts, Json, ReplyRule, ScriptedServer

SPEC = RunSpec(
    system="dense",
    task="locomo",
    split="sample",
    reader="reader-model",
    judge="judge-model",
    embedder="embedder-model",
)
KEY = "planted-key-58ab03ff"


def lenient(request: Request) -> Json | Text:
    """A judge that accepts whatever prompt it is shown, and a reader that says one thing."""
    if request.body["model"] == "judge-model":
        refusal = "REFUSED" in request.text
        return Json({"reasoning": "fine", "label": "REFUSED" if refusal else "CORRECT"})
    return Text("green tea")


RULES = [ReplyRule(endpoint_is("chat/completions"), lenient)]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(RULES) as running:
        yield running


def options(folder: Path, base_url: str, **more: object) -> ExecOptions:
    return ExecOptions(out=folder, base_url=base_url, concurrency=2, **more)  # type: ignore[arg-type]


def records(run: RunResult, name: str) -> list[dict]:
    return [orjson.loads(line) for line in (run.run.path / name).read_bytes().splitlines()]


@pytest.mark.slow
def test_a_recorded_run_replays_with_the_server_gone(tmp_path: Path) -> None:
    tape = {"cassette": tmp_path / "calls.sqlite"}
    with ScriptedServer(RULES) as server:
        recorded = start(
            SPEC, options(tmp_path, server.base_url, cassette_mode="record", run_id="a", **tape)
        )
    replayed = start(
        SPEC,
        options(tmp_path, "http://127.0.0.1:1/v1", cassette_mode="replay", run_id="b", **tape),
    )
    assert recorded.complete
    assert replayed.complete
    first, second = recorded.summary, replayed.summary
    assert first.content_sha256 == second.content_sha256
    assert first.metrics == second.metrics
    for phase in ("ingest", "recall", "answer", "judge"):
        for figure in ("calls", "prompt_tokens", "completion_tokens", "embedding_tokens", "usd"):
            one, other = first.costs.usage[phase].total, second.costs.usage[phase].total
            assert getattr(one, figure) == getattr(other, figure)
    assert first.costs.usage["ingest"].total.embedding_tokens > 0
    assert first.costs.usage["answer"].roles[Role.READER].calls == first.counts.questions
    assert all(r["telemetry"]["usage"]["replayed"] for r in records(replayed, "answers.jsonl"))


@pytest.mark.slow
def test_a_replay_of_something_else_fails_every_question_by_name(
    tmp_path: Path, server: ScriptedServer
) -> None:
    tape = {"cassette": tmp_path / "calls.sqlite"}
    start(SPEC, options(tmp_path, server.base_url, cassette_mode="record", run_id="a", **tape))
    other = RunSpec(**{**SPEC.to_json(), "reader": "another-model", "judge": "none"})
    missed = start(
        other, options(tmp_path, server.base_url, cassette_mode="replay", run_id="b", **tape)
    )
    counts = missed.summary.counts
    assert counts.failures == {Reason.CASSETTE_MISS: counts.questions}
    assert "role=reader" in records(missed, "answers.jsonl")[0]["telemetry"]["error"]


@pytest.mark.slow
def test_a_re_read_and_a_re_judge_cost_no_second_ingestion(
    tmp_path: Path, server: ScriptedServer
) -> None:
    parent = start(SPEC, options(tmp_path, server.base_url, run_id="a"))
    before = server.tallies["embeddings"].calls
    texts = ["play.jsonl", "texts.jsonl"]
    again = derive(
        parent.run.path,
        {"reader": "another-reader"},
        texts,
        options(tmp_path, server.base_url, run_id="b"),
    )
    judged = derive(
        parent.run.path,
        {"judge": "another-judge"},
        [*texts, "answers.jsonl", "verdicts"],
        options(tmp_path, server.base_url, run_id="c"),
    )
    assert again.complete
    assert server.tallies["embeddings"].calls == before
    assert judged.run.manifest().parent.run_id == "a"
    kept = {path.name for path in parent.run.verdicts.iterdir()}
    assert kept < {path.name for path in judged.run.verdicts.iterdir()}


@pytest.mark.slow
def test_chaos_loses_no_question_and_a_resumed_run_is_complete(tmp_path: Path) -> None:
    """A tenth of all requests suffers each kind of fault that needs no waiting."""
    kinds = ("error", "truncated", "reset", "wrong_usage", "no_usage")
    quiet_sha = ""
    with ScriptedServer(RULES) as server:
        quiet = start(SPEC, options(tmp_path, server.base_url, run_id="quiet"))
        quiet_sha = quiet.summary.content_sha256
    with (
        pytest.MonkeyPatch.context() as patch,
        ScriptedServer(RULES, fault_rates=dict.fromkeys(kinds, 0.1), seed=5) as server,
    ):
        patch.setattr("membench.llm.attempt.FIRST_BACKOFF_S", 0.0)
        patch.setattr(
            "membench.harness.divisions.ModelSpec", lambda name: ModelSpec(name, attempts=2)
        )
        tape = {"cassette": tmp_path / "calls.sqlite", "cassette_mode": "record"}
        run = start(SPEC, options(tmp_path, server.base_url, run_id="chaos", **tape))
        questions = run.summary.counts.questions
        known = {str(reason) for reason in Reason}
        assert run.summary.counts.ok + run.summary.counts.failed == questions
        for _ in range(8):
            assert set(run.summary.counts.failures) <= known
            if run.complete:
                break
            run = resume(run.run.path, options(tmp_path, server.base_url, **tape))
    assert run.complete
    assert run.summary.content_sha256 == quiet_sha
    assert server.tallies["chat/completions"].faults > 5


@pytest.mark.parametrize(("tokens", "answers"), [(10, 0), (3000, 1)])
@pytest.mark.slow
def test_a_spent_budget_stops_the_run_wherever_it_is_and_more_completes_it(
    tmp_path: Path, server: ScriptedServer, tokens: int, answers: int
) -> None:
    limited = options(tmp_path, server.base_url, run_id="a", budget_tokens=tokens)
    with pytest.raises(Stopped, match=f"budget of {tokens} tokens.*--resume"):
        start(SPEC, limited)
    run = tmp_path / "a"
    assert orjson.loads((run / "manifest.json").read_bytes())["status"] == "interrupted"
    assert server.tallies.get("chat/completions", CallCounts()).calls >= answers
    called = server.calls
    with pytest.raises(Stopped, match=f"budget of {tokens} tokens"):
        resume(run, limited)
    assert server.calls == called
    assert resume(run, options(tmp_path, server.base_url)).complete


@pytest.mark.slow
def test_a_planted_key_is_in_no_byte_that_a_run_writes_or_prints(
    tmp_path: Path,
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("SOMEBODYS_API_KEY", KEY[::-1])
    with_key = server.base_url.replace("http://", f"http://user:{KEY}@")
    with pytest.raises(UsageError, match="credentials") as refused:
        start(SPEC, options(tmp_path, with_key, run_id="refused"))
    assert KEY not in str(refused.value)
    tape = {"cassette": tmp_path / "calls.sqlite", "cassette_mode": "record"}
    run = start(SPEC, options(tmp_path, server.base_url, run_id="a", **tape))
    assert run.complete
    printed = "".join(capfd.readouterr())
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (KEY, KEY[::-1]):
        assert secret not in printed
        assert secret.encode() not in written


@pytest.mark.slow
def test_a_server_that_is_not_there_stops_the_run_which_goes_on_once_it_is(
    tmp_path: Path, server: ScriptedServer
) -> None:
    spec = RunSpec(system="bm25", task="locomo", split="sample", limit=1, reader="reader-model")
    with ScriptedServer(RULES) as gone:
        address = gone.base_url
    with pytest.raises(Stopped, match=r"no connection to .*--base-url.*--resume"):
        start(spec, options(tmp_path, address, run_id="a", energy="none"))
    assert not (tmp_path / "a" / "summary.json").exists()
    result = resume(tmp_path / "a", options(tmp_path, server.base_url, energy="none"))
    assert result.complete
