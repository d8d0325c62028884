"""Whole runs with models, over real HTTP: recorded, replayed, derived, resumed.

The upstream is the scripted server; the reader and the judge answer by its default rules, which
depend on the request alone.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from membench.domain.errors import DataError, UnknownName, UsageError
from membench.harness.run import ANSWERED, PLAYED, RunResult, derive, start
from membench.llm.cassette.cassette import Cassette
from membench.llm.upstreams.scripted.rules import Request, Text
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Summary
from membench.records.usage import Usage
from membench.testing.scripted import ReplyRule, ScriptedServer

pytestmark = pytest.mark.slow

LOCOMO = RunSpec("bm25", "locomo", "sample", reader="reads", judge="judges")
COUNTS = ("calls", "prompt_tokens", "completion_tokens")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def tokens_of(usage: Usage) -> dict[str, int]:
    return {count: getattr(usage, count) for count in COUNTS}


def totals(summary: Summary) -> dict[str, int]:
    """What the summary says that every phase used together."""
    return tokens_of(sum((usage.total for usage in summary.costs.usage.values()), Usage()))


def served(server: ScriptedServer) -> dict[str, int]:
    tallies = server.tallies.values()
    return {
        "calls": sum(tally.calls for tally in tallies),
        "prompt_tokens": sum(tally.prompt_tokens for tally in tallies),
        "completion_tokens": sum(tally.completion_tokens for tally in tallies),
    }


class Recorded:
    """A recorded run of the sample, and what the server had served when it ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cassette = folder / "calls.sqlite"
        with ScriptedServer() as server:
            self.base_url = server.base_url
            self.run = start(LOCOMO, self.options("record", run_id="recorded"))
            self.served = served(server)

    def options(self, mode: str, **changes: Any) -> ExecOptions:
        given = {"base_url": self.base_url, "cassette": self.cassette, "cassette_mode": mode}
        return ExecOptions(out=self.folder, **{**given, **changes})


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def replayed(recorded: Recorded) -> RunResult:
    """The same spec from the cassette; the server is gone."""
    return start(LOCOMO, recorded.options("replay", run_id="replayed", read_concurrency=3))


class TestRecordAndReplay:
    def test_a_run_with_reader_and_judge_is_complete_and_judged(self, recorded: Recorded) -> None:
        summary = recorded.run.summary
        assert recorded.run.complete
        assert summary.counts.failures == {}
        assert summary.metrics["judged.accuracy"].value is not None
        (judge,) = summary.judge["judges"]
        assert judge["calibration"]["answer"]["false_accept"]["n"] > 0

    def test_the_summary_accounts_for_every_call_that_was_served(self, recorded: Recorded) -> None:
        """Calibration is the judge's cost, so it is in the judge's phase."""
        summary = recorded.run.summary
        assert totals(summary) == recorded.served
        assert tokens_of(summary.spent.total) == recorded.served
        answer = summary.costs.usage["answer"].total
        assert answer.calls == summary.counts.questions
        assert answer.source == "provider"
        assert answer.latency_s > 0
        assert summary.costs.usage["answer"].roles["reader"].latency_s > 0
        assert answer.prompt_sq >= answer.prompt_tokens**2 / answer.calls
        assert answer.usd is None  # nobody knows what `reads` costs

    def test_a_replay_has_the_same_content_and_scores(
        self, recorded: Recorded, replayed: RunResult
    ) -> None:
        before, after = recorded.run.summary, replayed.summary
        assert after.content_sha256 == before.content_sha256
        for part in ("metrics", "categories", "counts", "judge"):
            assert getattr(after, part) == getattr(before, part)

    def test_replayed_usage_is_the_recorded_one_and_marked(
        self, recorded: Recorded, replayed: RunResult
    ) -> None:
        assert totals(replayed.summary) == totals(recorded.run.summary)
        for phase in ("answer", "judge"):
            usage = replayed.summary.costs.usage[phase].total
            assert usage.replayed == usage.calls > 0
            assert recorded.run.summary.costs.usage[phase].total.replayed == 0
        assert replayed.summary.spent.total.calls == 0

    def test_a_replay_of_something_else_fails_typed_and_calls_nobody(
        self, recorded: Recorded
    ) -> None:
        spec = RunSpec("bm25", "locomo", "sample", reader="reads", k=2)
        finished = start(spec, recorded.options("replay", run_id="miss"))
        counts = finished.summary.counts
        assert counts.failures == {"cassette_miss": counts.failed}
        assert counts.ok + counts.failed == counts.questions

    def test_a_replay_without_a_cassette_leaves_no_run_behind(self, tmp_path: Path) -> None:
        out = tmp_path / "runs"
        options = {"out": out, "cassette_mode": "replay"}
        with pytest.raises(UsageError, match="without a cassette"):
            start(LOCOMO, ExecOptions(**options))
        with pytest.raises(DataError, match="no such cassette"):
            start(LOCOMO, ExecOptions(**options, cassette=tmp_path / "none.sqlite"))
        assert not out.exists()


class TestDerivedRuns:
    def test_a_re_read_names_its_parent_and_ingests_nothing(self, recorded: Recorded) -> None:
        with ScriptedServer() as server:
            options = ExecOptions(recorded.folder, "reread", base_url=server.base_url)
            changes = {"reader": "another", "judge": "none"}
            again = derive(recorded.run.run.path, changes, PLAYED, options)
            models = {request.body["model"] for request in server.requests}
        parent = recorded.run.run
        assert again.run.manifest().parent.run_id == "recorded"
        assert again.run.play.read_bytes() == parent.play.read_bytes()
        assert models == {"another"}
        assert again.complete
        assert again.summary.judge is None
        for name in ("turns", "tokens", "context_tokens"):
            assert getattr(again.summary.costs, name) == getattr(recorded.run.summary.costs, name)
        for phase in ("ingest", "recall"):
            assert again.summary.costs.time_s[phase] == recorded.run.summary.costs.time_s[phase]

    def test_a_re_judge_keeps_answers_costs_and_old_verdicts(self, recorded: Recorded) -> None:
        with ScriptedServer() as server:
            options = ExecOptions(recorded.folder, "rejudge", base_url=server.base_url)
            again = derive(recorded.run.run.path, {"judge": "stricter"}, ANSWERED, options)
            models = {request.body["model"] for request in server.requests}
        before = recorded.run
        assert models == {"stricter"}
        assert again.summary.content_sha256 == before.summary.content_sha256
        assert again.summary.costs.usage["answer"] == before.summary.costs.usage["answer"]
        old = {path.name: path.read_bytes() for path in before.run.verdicts.glob("*.jsonl")}
        new = {path.name: path.read_bytes() for path in again.run.verdicts.glob("*.jsonl")}
        assert len(new) == 2
        assert old.items() < new.items()

    def test_the_same_judge_is_asked_nothing_twice(self, recorded: Recorded) -> None:
        with ScriptedServer() as server:
            options = ExecOptions(recorded.folder, "samejudge", base_url=server.base_url)
            again = derive(recorded.run.run.path, {}, ANSWERED, options)
            assert server.calls == 0
        assert again.summary.metrics == recorded.run.summary.metrics
        assert again.summary.costs.usage == recorded.run.summary.costs.usage


HEADLINES = {
    "halumem": ("extraction.f1", "update.correct", "qa.correct"),
    "longmemeval": ("accuracy", "abstention"),
    "persistbench": (
        *("cross_domain.failure_rate", "sycophancy.failure_rate"),
        "beneficial.failure_rate",
    ),
}


@pytest.mark.parametrize("task", sorted(HEADLINES))
def test_every_judged_task_completes_with_figures(task: str, tmp_path: Path) -> None:
    with ScriptedServer() as server:
        spec = RunSpec("bm25", task, "sample", reader="reads", judge="judges")
        finished = start(spec, ExecOptions(tmp_path, base_url=server.base_url))
        assert totals(finished.summary) == served(server)
    assert finished.complete, finished.summary.counts
    metrics = finished.summary.metrics
    assert all(metrics[name].value is not None for name in HEADLINES[task])
    assert finished.summary.counts.unscored == 0


def test_a_system_without_an_llm_uses_the_runs_embedder(tmp_path: Path) -> None:
    """Hosted by the gateway itself, and behind HTTP: the same vectors, so the same content."""
    local = RunSpec("dense", "locomo", "sample", embedder="scripted")
    hosted = start(local, ExecOptions(tmp_path, "hosted"))
    with ScriptedServer() as server:
        served_by_url = RunSpec("dense", "locomo", "sample", embedder="embeds")
        remote = start(served_by_url, ExecOptions(tmp_path, "remote", base_url=server.base_url))
        tally = server.tallies["embeddings"]
    for finished in (hosted, remote):
        assert finished.complete
        usage = finished.summary.costs.usage
        assert usage["ingest"].roles["embedder"].embedding_tokens > 0
        assert usage["recall"].total.calls == finished.summary.counts.questions
    embedded = sum(usage.total.embedding_tokens for usage in remote.summary.costs.usage.values())
    assert embedded == tally.prompt_tokens
    assert remote.summary.content_sha256 == hosted.summary.content_sha256


class TestSettings:
    def test_settings_reach_their_roles(self, tmp_path: Path) -> None:
        settings = {"temperature": 0.5, "reader.max_tokens": 33, "judge.temperature": 0.0}
        spec = replace(LOCOMO, limit=1, model_set=settings)
        with ScriptedServer() as server:
            start(spec, ExecOptions(tmp_path, base_url=server.base_url))
            bodies = [request.body for request in server.requests]
        reads = [body for body in bodies if body["model"] == "reads"]
        judges = [body for body in bodies if body["model"] == "judges"]
        assert {body["temperature"] for body in reads} == {0.5}
        assert {body["max_tokens"] for body in reads} == {33}
        assert {body["temperature"] for body in judges} == {0.0}
        assert {body["max_tokens"] for body in judges} == {1024}

    def test_an_unknown_setting_is_refused_before_there_is_a_run(self, tmp_path: Path) -> None:
        spec = RunSpec("none", "locomo", "sample", reader="scripted")
        options = ExecOptions(tmp_path / "runs", model_set={"reader.timeout": 3})
        with pytest.raises(UnknownName, match="timeout_s"):
            start(spec, options)
        assert not (tmp_path / "runs").exists()


def test_a_verdict_is_about_the_answer_it_was_given_for(tmp_path: Path) -> None:
    """Read again with the same id and another answer, a question is judged again."""
    said = ["first"]
    rules = [ReplyRule(lambda request: request.body["model"] == "reads", lambda _: Text(said[0]))]
    with ScriptedServer(rules) as server:
        options = ExecOptions(tmp_path, "one", base_url=server.base_url)
        one = start(LOCOMO, options)
        judged = one.summary.judge["judges"][0]["verdicts"]
        said[0] = "second"
        one.run.answers.unlink()
        before = server.calls
        two = derive(one.run.path, {}, ANSWERED, ExecOptions(tmp_path, base_url=server.base_url))
        questions = two.summary.counts.questions
        assert server.calls - before == questions + judged
    assert two.summary.judge["judges"][0]["verdicts"] == judged


def test_a_reply_without_words_is_a_failure_whose_cost_counts(tmp_path: Path) -> None:
    def silent(request: Request) -> Text:
        return Text("", finish_reason="content_filter")

    with ScriptedServer([ReplyRule(lambda r: r.body["model"] == "reads", silent)]) as server:
        spec = RunSpec("bm25", "locomo", "sample", reader="reads")
        finished = start(spec, ExecOptions(tmp_path, base_url=server.base_url))
        assert totals(finished.summary) == served(server)
    counts = finished.summary.counts
    assert counts.failures == {"provider_bad_reply": counts.questions}


def test_an_unparsable_judge_keeps_a_run_from_being_complete(tmp_path: Path) -> None:
    """PersistBench asks several verdicts per question: one that failed is not lost among them."""
    rules = [ReplyRule(lambda r: r.body["model"] == "judges", Text("no idea"))]
    with ScriptedServer(rules) as server:
        spec = RunSpec("bm25", "persistbench", "sample", reader="reads", judge="judges")
        finished = start(spec, ExecOptions(tmp_path, base_url=server.base_url))
        assert totals(finished.summary) == served(server)
    assert not finished.complete
    verdicts = finished.summary.judge["judges"][0]["verdicts"]
    assert finished.summary.counts.failures == {"judge_unparsable": verdicts}


def test_a_cassette_of_a_run_holds_each_call_once(recorded: Recorded, replayed: RunResult) -> None:
    with Cassette(recorded.cassette, readonly=True) as cassette:
        assert len(cassette) == recorded.served["calls"]
