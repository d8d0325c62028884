"""What was paid and what was recorded are compared: a difference is said, what is known is not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import orjson
import pytest

from membench.cli.output.summary import unrecorded_lines
from membench.domain.labels import Role
from membench.energy.verification.protocol import Protocol
from membench.harness import run_energy
from membench.harness.run import RunResult, rescore, resume, start
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.validation import verify
from membench.llm.upstreams.scripted.rules import Text
from membench.records.cost_summary import AbandonedCost
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Summary, unrecorded_calls
from membench.records.usage import PhaseUsage, Usage
from membench.testing.scripted import ReplyRule, ScriptedServer

pytestmark = pytest.mark.slow

CAREFUL = Path(__file__).parent / "systems" / "careless"


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer([ReplyRule(lambda request: True, Text("a fact"))]) as running:
        yield running


def options(server: ScriptedServer, out: Path, *, warm: bool = False) -> ExecOptions:
    return ExecOptions(out, energy="none", base_url=server.base_url, energy_protocol=warm)


@pytest.fixture(scope="module")
def warmed(server: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A system that calls its model at every session, after a warm-up that called it too."""
    spec = RunSpec(str(CAREFUL), "longmemeval", "sample", memory_model="mute", limit=1)
    hasty = Protocol(
        sampler_rounds=1, sampler_s=0.001, idle_s=0, warm_up_s=0, warm_up_limit_s=0,
        settle_s=0, recheck_s=0,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_energy, "SETTINGS", hasty)
        return start(spec, options(server, tmp_path_factory.mktemp("runs"), warm=True))


@pytest.fixture
def copied(warmed: RunResult, tmp_path: Path) -> RunDir:
    """A copy of its folder."""
    shutil.copytree(warmed.run.path, tmp_path / warmed.run.path.name)
    return RunDir(tmp_path / warmed.run.path.name)


def test_calls_of_a_warm_up_are_a_cost_of_nothing_that_counts(
    warmed: RunResult, tmp_path: Path
) -> None:
    costs, spent = warmed.summary.costs, warmed.summary.spent
    assert spent is not None
    recorded = costs.usage["ingest"].roles["memory"].calls
    assert costs.abandoned.usage["ingest"].roles["memory"].calls == recorded > 0
    assert spent.roles["memory"].calls == 2 * recorded
    assert unrecorded_calls(warmed.summary) == {}
    assert list(unrecorded_lines(warmed.summary)) == []
    checked = verify(make_bundle(warmed.run.path, tmp_path / "bundle").path)
    assert checked.accepted, checked.findings
    assert "flag.unrecorded" not in checked.flags


def test_a_call_without_a_record_is_said_and_flagged(
    server: ScriptedServer, copied: RunDir, tmp_path: Path
) -> None:
    pay_again(copied)
    again = rescore(copied.path, options(server, tmp_path))
    assert unrecorded_calls(again.summary) == {"memory": 1}
    assert "1 of the memory model" in next(iter(unrecorded_lines(again.summary)))
    checked = verify(make_bundle(copied.path, tmp_path / "bundle").path)
    assert checked.accepted, checked.findings
    assert "flag.unrecorded" in checked.flags


def test_a_call_that_a_kill_kept_out_of_the_records_is_charged_when_the_run_goes_on(
    warmed: RunResult, server: ScriptedServer, copied: RunDir, tmp_path: Path
) -> None:
    pay_again(copied)
    before = warmed.summary.costs.abandoned.usage["ingest"].roles["memory"].calls
    again = resume(copied.path, options(server, tmp_path))
    assert unrecorded_calls(again.summary) == {}
    assert again.summary.costs.abandoned.usage["ingest"].roles["memory"].calls == before + 1
    assert again.summary.content_sha256 == warmed.summary.content_sha256


def test_calls_of_readers_and_judges_are_none_of_the_system() -> None:
    calibration = PhaseUsage.of({Role.JUDGE: Usage(calls=9), Role.READER: Usage(calls=9)})
    summary = SimpleNamespace(
        spent=calibration, costs=SimpleNamespace(usage={}, abandoned=AbandonedCost())
    )
    assert unrecorded_calls(cast("Summary", summary)) == {}


def pay_again(run: RunDir) -> None:
    """Enter a call of the memory model in the ledger once more."""
    lines = run.spent.read_bytes().splitlines()
    line = next(line for line in lines if orjson.loads(line)["role"] == "memory")
    run.spent.write_bytes(b"\n".join([*lines, line, b""]))
