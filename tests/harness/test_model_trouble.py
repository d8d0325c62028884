"""Whole runs with models when things go wrong: faults, kills, budgets, secrets."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from test_model_runs import LOCOMO, lines, served, tokens_of, totals

from membench.domain.errors import Stopped
from membench.harness.run import RunResult, resume, start
from membench.llm.cassette import cassette
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions
from membench.testing.scripted import FAULT_KINDS, ScriptedServer, ServerFault

ONE = replace(LOCOMO, limit=1)
EMBEDDING = replace(ONE, system="dense", embedder="embeds")
PROVIDER = {
    *("provider_error", "provider_rate_limit", "provider_timeout", "provider_bad_reply"),
    *("earlier_event_failed", "judge_error"),
}


class Reference:
    """An undisturbed run, and what it took."""

    def __init__(self, spec: Any, folder: Path) -> None:
        with ScriptedServer() as server:
            self.run = start(spec, ExecOptions(folder, base_url=server.base_url))
            self.served = served(server)

    def same(self, other: RunResult) -> bool:
        """Whether another run says the same."""
        parts = ("content_sha256", "metrics", "categories", "counts")
        return all(getattr(other.summary, p) == getattr(self.run.summary, p) for p in parts)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference(ONE, tmp_path_factory.mktemp("reference"))


# --- faults ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_chaos_loses_no_question_types_every_failure_and_resume_completes(tmp_path: Path) -> None:
    """Every fault of the scripted server at 10 %: more than half of all attempts fail."""
    spec = replace(EMBEDDING, limit=None)
    calm = Reference(spec, tmp_path / "calm")
    settings = {"timeout_s": 1.0, "attempts": 2, "longest_wait_s": 1.0}
    with ScriptedServer(
        fault_rates=dict.fromkeys(FAULT_KINDS, 0.1), retry_after=0.1, fault_delay_s=1.5, seed=3
    ) as server:
        server.fail_next(ServerFault("slow", delay_s=0.2))
        options = ExecOptions(
            *(tmp_path, "chaos"), base_url=server.base_url, model_set=settings, concurrency=2
        )
        broken = start(spec, options)
        faults = server.tallies["chat/completions"].faults
    counts = broken.summary.counts
    assert faults > 50
    assert not broken.complete
    assert counts.questions == calm.run.summary.counts.questions
    assert counts.ok + counts.failed == counts.questions
    assert set(counts.failures) <= PROVIDER
    assert sum(counts.failures.values()) >= counts.failed > 0
    with ScriptedServer() as server:
        mended = resume(broken.run.path, ExecOptions(tmp_path, base_url=server.base_url))
        again = served(server)
    assert mended.complete
    assert calm.same(mended)
    assert mended.run.manifest().attempts == 2
    calibration, calm_one = (
        run.summary.judge["judges"][0]["calibration"] for run in (mended, calm.run)
    )
    assert calibration == calm_one
    assert again["calls"] < calm.served["calls"]
    assert mended.summary.spent.total.calls == broken.summary.spent.total.calls + again["calls"]
    assert mended.summary.costs.abandoned.usage


# --- kills -------------------------------------------------------------------------------------


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "membench", *map(str, arguments)]


def flags(server: ScriptedServer, out: Path, run_id: str, *more: object) -> list[object]:
    return [
        *("run", "--system", "bm25", "--task", "locomo", "--split", "sample", "--limit", 1),
        *("--reader", "reads", "--judge", "judges", "--base-url", server.base_url),
        *("--model-set", "api_key_env=OPENAI_API_KEY"),
        *("--out", out, "--run-id", run_id, *more),
    ]


def answers(run: RunDir) -> int:
    return len(lines(run.answers)) if run.answers.exists() else 0


def candidates(run: RunDir) -> int:
    return sum(len(lines(path)) for path in run.verdicts.glob("calibration/*.jsonl"))


def verdicts(run: RunDir) -> int:
    return sum(len(lines(path)) for path in run.verdicts.glob("*.jsonl"))


IN_FLIGHT = 4


@pytest.mark.slow
@pytest.mark.parametrize("progress", [answers, candidates, verdicts], ids=lambda f: f.__name__)
def test_a_kill_in_a_stage_with_models_loses_nothing_that_was_paid(
    reference: Reference, tmp_path: Path, progress: Callable[[RunDir], int]
) -> None:
    with ScriptedServer(delay_s=0.1) as server:
        settled = ("--cassette-mode", "record", "--read-concurrency", IN_FLIGHT)
        process = subprocess.Popen(
            command(*flags(server, tmp_path, "killed", *settled)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        run = RunDir(tmp_path / "killed")
        while progress(run) < 3 and process.poll() is None:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert progress(run) >= 3
        server.delay_s = 0.0
        finished = resume(run.path, ExecOptions(tmp_path, base_url=server.base_url))
        taken = served(server)["calls"]
    assert reference.same(finished)
    wanted = reference.served["calls"]
    assert wanted <= taken <= wanted + IN_FLIGHT
    assert wanted <= finished.summary.spent.total.calls <= taken
    with cassette.Cassette(run.cassette, readonly=True) as tape:
        assert len(tape) == wanted
    assert totals(finished.summary) == totals(reference.run.summary)


# --- budgets -----------------------------------------------------------------------------------


PRICE = {"prompt": 0.001, "completion": 0.001}


@pytest.mark.parametrize("kind", ["budget_tokens", "budget_usd"])
@pytest.mark.slow
def test_a_budget_stops_a_run_and_what_was_spent_counts_when_it_goes_on(
    reference: Reference, tmp_path: Path, kind: str
) -> None:
    """A dollar here is a thousand tokens, so both budgets mean the same."""
    spent = reference.run.summary.spent.total
    whole = spent.prompt_tokens + spent.completion_tokens
    unit = 1.0 if kind == "budget_tokens" else PRICE["prompt"]
    with ScriptedServer() as server:
        settings = ExecOptions(
            tmp_path, "stopped", base_url=server.base_url, read_concurrency=2,
            model_set={"price": PRICE},
        )  # fmt: skip

        def bounded(share: float) -> ExecOptions:
            limit = whole * share * unit
            return replace(settings, **{kind: int(limit) if unit == 1.0 else limit})

        with pytest.raises(Stopped, match=r"budget of .* spent.*membench run --resume"):
            start(ONE, bounded(0.1))
        run = RunDir(tmp_path / "stopped")
        assert run.manifest().status == "interrupted"
        first = served(server)["calls"]
        assert 0 < len(lines(run.answers)) <= first < reference.served["calls"] / 2
        with pytest.raises(Stopped):
            resume(run.path, bounded(0.1))
        assert served(server)["calls"] == first
        with pytest.raises(Stopped):
            resume(run.path, bounded(0.7))
        assert first < served(server)["calls"] < reference.served["calls"]
        finished = resume(run.path, bounded(1.01))
        assert served(server) == reference.served
    assert reference.same(finished)
    assert tokens_of(finished.summary.spent.total) == tokens_of(spent)
    assert finished.summary.spent.total.usd == pytest.approx(whole * PRICE["prompt"])


@pytest.mark.slow
def test_a_budget_spent_while_playing_stops_before_reading(tmp_path: Path) -> None:
    spec = replace(EMBEDDING, limit=None)
    with ScriptedServer() as server:
        options = ExecOptions(tmp_path, "stopped", base_url=server.base_url, budget_tokens=100)
        with pytest.raises(Stopped, match="budget of 100 tokens spent"):
            start(spec, options)
        assert "chat/completions" not in server.tallies
        finished = resume(tmp_path / "stopped", replace(options, budget_tokens=None))
        spent, taken = finished.summary.spent.total, served(server)
        assert spent.calls == taken["calls"]
        assert spent.prompt_tokens + spent.embedding_tokens == taken["prompt_tokens"]
    assert finished.complete
    abandoned = finished.summary.costs.abandoned.usage
    kept = sum(usage.total.embedding_tokens for usage in finished.summary.costs.usage.values())
    lost = sum(usage.total.embedding_tokens for usage in abandoned.values())
    assert kept + lost == spent.embedding_tokens
    assert lost > 0


@pytest.mark.slow
def test_the_command_line_says_how_to_go_on_and_exits_with_3(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        url = server.base_url
        done = subprocess.run(
            command(*flags(server, tmp_path, "poor", "--budget-tokens", 1000)),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 3
        assert "Traceback" not in done.stderr
        _, _, told = done.stderr.partition("Continue it with: membench ")
        resumed = command(*shlex.split(told))
        assert told.startswith(f"run --resume {tmp_path / 'poor'} ")
        assert told.rstrip().endswith(f"--base-url {url}")
        assert subprocess.run(resumed, capture_output=True).returncode == 0


@pytest.mark.slow
def test_a_dollar_budget_needs_a_price_before_there_is_a_run(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        done = subprocess.run(
            command(*flags(server, tmp_path / "runs", "one", "--budget-usd", 1)),
            capture_output=True,
            text=True,
        )
    assert done.returncode == 2
    assert "price of 'reads' is unknown" in done.stderr
    assert not (tmp_path / "runs").exists()


# --- secrets -----------------------------------------------------------------------------------


KEYS = {
    "OPENAI_API_KEY": "sk-planted-3f9d1c7e5a",
    "ANTHROPIC_API_KEY": "planted-anthropic-77aa",
    "HF_TOKEN": "hf_plantedplanted99",
    "ACME_APIKEY_2": "planted-acme-5512ff",
    "AWS_SECRET_ACCESS_KEY": "planted/aws+secret==",
}


class Indiscreet(ScriptedServer):
    """An upstream that repeats what it was sent, in errors and in one of its replies."""

    def _answer(self, endpoint: str, body: Any) -> tuple[bytes, str]:
        content, kind = super()._answer(endpoint, body)
        return content.replace(b'"object"', b'"debug":"%s","object"' % self.heard, 1), kind

    async def _serve(self, endpoint, http):  # type: ignore[no-untyped-def]
        self.heard = http.headers["Authorization"].encode()
        return await super()._serve(endpoint, http)

    async def _suffer(self, fault, endpoint, body, http):  # type: ignore[no-untyped-def]
        from aiohttp import web

        message = f"{http.headers['Authorization']} refused; try {' '.join(KEYS.values())}"
        content = orjson.dumps({"error": {"message": message}})
        return web.Response(status=400, body=content, content_type="application/json")


@pytest.mark.slow
def test_no_byte_that_a_run_writes_or_prints_holds_a_key(tmp_path: Path) -> None:
    tape = tmp_path / "calls.sqlite"
    environment = {**os.environ, **KEYS}
    said = b""
    with Indiscreet(fault_rates={"error": 0.3}) as server:
        host = server.base_url.removeprefix("http://")
        url = f"http://user:planted-password-1@{host}"
        recording = ("--cassette", tape, "--cassette-mode", "record")
        ways = [
            flags(server, tmp_path, "recorded", *recording),
            flags(server, tmp_path, "json", "--json"),
            flags(server, tmp_path, "poor", "--budget-tokens", 1000),
            flags(server, tmp_path, "open", "--base-url", url),
        ]
        codes = []
        for way in ways:
            done = subprocess.run(command(*way), capture_output=True, env=environment)
            codes.append(done.returncode)
            said += done.stdout + done.stderr
        assert {request.body["model"] for request in server.requests} == {"reads", "judges"}
        assert server.heard == b"Bearer " + KEYS["OPENAI_API_KEY"].encode()
    assert codes == [1, 1, 3, 2]
    assert b"refused" in (tmp_path / "recorded" / "answers.jsonl").read_bytes()
    exported = io.BytesIO()
    assert cassette.export(tape, exported) > 0
    said += exported.getvalue()
    said += b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for key in (*KEYS.values(), "planted-password-1"):
        assert key.encode() not in said
