"""A suite's repeats decide whether its joules are verified, and its record says by which checks."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from rich.console import Console

from energy.fakes import gpu_channel, log_of, steady, write_log
from membench.cli.output import suite
from membench.domain.errors import DataError, Stopped
from membench.energy.samples import IDLE, RECHECK, Trace, Window
from membench.energy.verification.overhead import ROUND
from membench.energy.verification.protocol import Protocol
from membench.harness import run_energy
from membench.harness.progress import Progress
from membench.harness.run import RunResult, rescore, start
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec

pytestmark = pytest.mark.slow

PHASES = {"ingest": (100, 160), "finalize": (162, 164), "recall": (170, 210), "answer": (215, 255)}
"""Where a run's phases are put on the clock: long enough for every check."""
SAMPLER = tuple(Window(name, n, n + 0.5) for n, name in enumerate(ROUND * 6))
WINDOWS = (*SAMPLER, Window(IDLE, 30, 90), Window(RECHECK, 265, 320))
PASSED = {"name": "a sensor", "status": "pass", "detail": "a fake GPU"}


def told_the_time(path: Path) -> None:
    """Put the records of a file on the clock, those of a phase one after the other."""
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    for phase, (begin, end) in PHASES.items():
        mine = [line for line in lines if line["phase"] == phase]
        edges = np.linspace(begin, end, len(mine) + 1).tolist()
        for line, first, last in zip(mine, edges, edges[1:], strict=False):
            line["telemetry"] |= {"start": first, "end": last}
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


def sampled(path: Path, watts: float) -> None:
    """What a GPU of 60 W idle that draws so much at work would have said."""
    times = np.arange(0, 330.05, 0.1)
    busy = np.zeros(times.shape, np.bool_)
    for begin, end in PHASES.values():
        busy |= (times >= begin) & (times < end)
    power = np.where(busy, watts, 60.0)
    joules = np.concatenate(([0.0], np.cumsum(power[:-1] * 0.1)))
    write_log(log_of(Trace.of(gpu_channel(), times, joules, power), windows=WINDOWS), path)


class Machine:
    """Runs for real, then tells the run when it was and what it drew."""

    def __init__(self, watts: dict[str, Sequence[float]]) -> None:
        self.watts = {system: iter(values) for system, values in watts.items()}

    def __call__(self, spec: RunSpec, options: ExecOptions, progress: Progress) -> RunResult:
        run = start(spec, options).run
        for path in (run.play, run.answers):
            told_the_time(path)
        sampled(run.energy, next(self.watts[spec.system]))
        run.write_manifest(replace(run.manifest(), energy_protocol=[PASSED]))
        return rescore(run.path, options)


def suite_file(folder: Path, systems: str, repeats: int = 3, **common: str) -> Path:
    path = folder / "suite.yaml"
    settings = {"split": "sample", "limit": "1", "schedule": "waves", "energy": "none", **common}
    listed = ", ".join(f"{key}: {value}" for key, value in settings.items())
    path.write_text(
        f"name: demo\nsystems: [{systems}]\ntasks: [locomo]\n"
        f"common: {{{listed}}}\nrepeats: {repeats}\n"
    )
    return path


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A suite of which one system's repeats agree and another's do not, and what it printed."""
    folder = tmp_path_factory.mktemp("suite")
    file = suite_file(folder, "bm25, none")
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        machine = Machine({"bm25": (300, 303, 298), "none": (300, 420, 250)})
        patch.setattr(suite, "start", machine)
        patch.setattr("membench.cli.output.console.out", lambda: Console(width=1000))
        suite.run_file(file, folder / "runs", as_json=False)
    return folder, printed.getvalue()


def row(told: tuple[Path, str], system: str) -> dict[str, Any]:
    record = orjson.loads((told[0] / "runs" / "demo.suite.json").read_bytes())
    (found,) = [r for r in record["rows"] if r["system"] == system]
    return dict(found)


def statuses(found: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in found["checks"]}


def test_repeats_that_agree_are_verified(told: tuple[Path, str]) -> None:
    agreed = row(told, "bm25")
    assert set(statuses(agreed).values()) == {"pass"}, agreed["checks"]
    assert agreed["verified"] is True
    assert len(agreed["joules"]) == 3
    assert agreed["provenance"] == "measured"


def test_repeats_that_disagree_fail_that_line_and_no_other(told: tuple[Path, str]) -> None:
    found = row(told, "none")
    assert [name for name, status in statuses(found).items() if status != "pass"] == ["repeatable"]
    assert found["verified"] is False


def test_the_table_shows_every_check_by_name_and_verified_where_all_passed(
    told: tuple[Path, str],
) -> None:
    lines = [line.split() for line in told[1].splitlines()]
    checks = [line for line in lines if line[:1] == ["locomo"] and line[2] in ("pass", "fail")]
    assert ["locomo", "none", "fail", "repeatable", "CV"] in [line[:5] for line in checks]
    assert ["locomo", "bm25", "pass", "repeatable", "CV"] in [line[:5] for line in checks]
    verdicts = [" ".join(line[1:]) for line in lines if "checks" in line and line[2] != "check"]
    assert verdicts == [
        "bm25 verified 10 of 10 checks passed",
        "none not verified 9 of 10 checks passed",
    ]
    first, *folded = told[1][told[1].index("locomo") :].splitlines()
    rest = takewhile(lambda line: line.startswith(" "), folded)
    assert " ".join([first, *rest]).split()[-1] == "verified"


def test_the_records_of_the_runs_stay_what_each_run_alone_comes_to(told: tuple[Path, str]) -> None:
    for run_id in row(told, "bm25")["runs"]:
        energy = RunDir.open(told[0] / "runs" / run_id).manifest().energy
        assert energy["verified"] is False
        assert {c["name"]: c["status"] for c in energy["checks"]}["repeatable"] == "not run"


def test_the_record_is_made_again_from_the_runs(
    told: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def begun(spec: RunSpec, options: ExecOptions, progress: Progress) -> RunResult:
        raise AssertionError("nothing is left to run")

    folder, _ = told
    record = folder / "runs" / "demo.suite.json"
    before = record.read_bytes()
    record.unlink()
    monkeypatch.setattr(suite, "start", begun)
    suite.run_file(folder / "suite.yaml", folder / "runs", as_json=True)
    assert record.read_bytes() == before


# --- under the protocol, a recording played back -----------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The protocol without its waits."""
    hasty = Protocol(
        sampler_rounds=1, sampler_s=0.001, idle_s=0, warm_up_s=0, warm_up_limit_s=0,
        settle_s=0, recheck_s=0,
    )  # fmt: skip
    monkeypatch.setattr(run_energy, "SETTINGS", hasty)


@pytest.mark.usefixtures("at_once")
def test_a_replay_goes_through_the_protocol_and_is_never_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.jsonl"
    write_log(log_of(steady(100, 600)), trace)
    source = f'"replay:{trace}"'
    file = suite_file(tmp_path, "bm25", repeats=2, energy=source, energy_protocol="true")
    suite.run_file(file, tmp_path / "runs", as_json=True)
    told = capsys.readouterr()
    (found,) = orjson.loads(told.out)["rows"]
    checks = {check["name"]: (check["status"], check["detail"]) for check in found["checks"]}
    assert checks["undisturbed"][0] == "fail"
    assert "replayed" in checks["undisturbed"][1]
    assert "1 round of A-B-B-A" in checks["sampler is cheap"][1]
    assert checks["protocol"][0] == "fail"
    assert "warm-up" in checks["protocol"][1]
    assert checks["repeatable"] == ("not run", "2 of 3 repeats")
    assert found["verified"] is False
    assert "verified joules take 3" in told.err


@pytest.mark.usefixtures("at_once")
def test_what_preflight_finds_is_said_before_the_run(tmp_path: Path) -> None:
    class Notes:
        def __init__(self) -> None:
            self.lines: list[str] = []

        def stage(self, name: str, total: int | None, unit: str) -> None:
            self.lines.append(f"stage {name}")

        def advance(self, amount: int = 1) -> None:
            pass

        def found(self, amount: int) -> None:
            pass

        def at(self, place: str) -> None:
            pass

        def note(self, message: str) -> None:
            self.lines.append(message)

        def finish(self) -> None:
            pass

    notes = Notes()
    options = ExecOptions(out=tmp_path, energy="cpu:7.5", energy_protocol=True)
    done = start(RunSpec("bm25", "locomo", split="sample", limit=1), options, notes)
    warned = [n for n, line in enumerate(notes.lines) if "energy protocol" in line]
    assert warned
    assert max(warned) < notes.lines.index("stage play")
    assert any("--schedule waves" in line for line in notes.lines)
    steps = {step["name"]: step["status"] for step in done.run.manifest().energy_protocol}
    assert steps["a sensor"] == "fail"
    assert steps["cpu measured"] == "fail"


@pytest.mark.usefixtures("at_once")
def test_the_warm_up_calls_the_models_as_the_run_does(tmp_path: Path) -> None:
    spec = RunSpec("bm25", "locomo", split="sample", limit=1, reader="scripted")
    plain = start(spec, ExecOptions(out=tmp_path, run_id="plain", energy="none"))
    warmed = start(
        spec, ExecOptions(out=tmp_path, run_id="warmed", energy="none", energy_protocol=True)
    )
    assert warmed.summary.spent.total.calls == 2 * plain.summary.spent.total.calls > 0
    assert (
        warmed.summary.costs.usage["answer"].total.calls
        == plain.summary.costs.usage["answer"].total.calls
    )
    assert warmed.summary.content_sha256 == plain.summary.content_sha256
    spent = plain.summary.spent.total
    tokens = spent.prompt_tokens + spent.completion_tokens
    tight = ExecOptions(
        out=tmp_path, energy="none", energy_protocol=True, budget_tokens=tokens + tokens // 2
    )
    with pytest.raises(Stopped, match="budget"):
        start(spec, tight)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no readings"),
        ("garbage", "holds no readings"),
        ("garbage\n", "line 1"),
        ('{"line": "session"}\n{"c": 0, "t": 1}\n', "line 2"),
    ],
)
def test_a_trace_of_garbage_is_refused_before_anything_runs(
    tmp_path: Path, text: str, message: str
) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text(text)
    file = suite_file(tmp_path, "bm25", energy=f'"replay:{trace}"')
    with pytest.raises(DataError, match=message):
        suite.run_file(file, tmp_path / "runs", as_json=True)
    assert not (tmp_path / "runs").exists()
