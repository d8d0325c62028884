"""A suite is a grid written down: forth and back, resumable, one table, break-even curves."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from records.summaries import summary_of

from membench.domain.errors import DataError, UsageError
from membench.experiments.suite import (
    SuiteFile,
    SuiteResult,
    cells,
    jobs,
    read_suite,
    references_of,
    run_suite,
)
from membench.experiments.suite_table import (
    HEAD,
    PAY_OFF_HEAD,
    pay_off_rows,
    pay_offs,
    rows,
    suite_json,
    table_rows,
    worths,
)
from membench.harness.run import resume, start
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Summary


def suite(**changes: Any) -> SuiteFile:
    values: dict[str, Any] = {
        "name": "s",
        "systems": ["full_context", "memory"],
        "tasks": ["locomo"],
        "metric": "f1",
        "references": ["full_context"],
    }
    return SuiteFile.model_validate({**values, **changes})


# --- the file ----------------------------------------------------------------------------------


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    return path


def test_a_suite_file_is_read_and_expanded(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
name: demo
systems: [bm25, {system: bm25, set: {variant: lucene}}]
tasks: [{task: locomo, split: sample}]
common: {energy: "cpu:7.5", seed: 3}
grid: {k: [5, 10]}
repeats: 2
""",
    )
    grid = cells(read_suite(path), Path("out"))
    assert [cell.label for cell in grid] == [
        "bm25 (k=5)",
        "bm25 (k=10)",
        "bm25 (variant=lucene, k=5)",
        "bm25 (variant=lucene, k=10)",
    ]
    assert grid[3].spec == RunSpec(
        "bm25", "locomo", split="sample", set={"variant": "lucene"}, k=10, seed=3
    )
    assert grid[3].options == ExecOptions(out=Path("out"), energy="cpu:7.5")


def test_single_parameters_can_vary() -> None:
    grid = cells(suite(common={"set": {"a": 1}}, grid={"set.k1": [0.9, 1.2]}), Path())
    assert grid[1].spec.set == {"a": 1, "k1": 1.2}
    assert grid[1].label == "full_context (k1=1.2)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: s", "systems: is missing"),
        ("name: s\nsystems: []\ntasks: [locomo]", "systems"),
        ("name: a/b\nsystems: [x]\ntasks: [y]", "name: must match pattern"),
        ("name: s\nsystems: [{set: {}}]\ntasks: [y]", "every mapping needs 'system'"),
        ("name: s\nsystems: [x]\ntasks: [y]\nrepeats: 0", "repeats"),
        ("name: s\nsystems: [x]\ntasks: [y]\ngrid: {k: []}", "grid.k has no values"),
        ("name: s\nsystems: [x]\ntasks: [y]\nrepeat: 2", "did you mean 'repeats'?"),
        ("name: [", "line 1: is not YAML"),
        ("- a list", "must be a mapping of names to values"),
    ],
)
def test_a_malformed_suite_names_the_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_suite(write(tmp_path, text))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "extra",
    ["common: {splt: sample}", "grid: {sets.k1: [1]}", "grid: {k.x: [1]}", "common: {out: x}"],
)
def test_a_setting_that_no_run_has_is_named(tmp_path: Path, extra: str) -> None:
    text = f"name: s\nsystems: [x]\ntasks: [y]\n{extra}"
    with pytest.raises(DataError, match=r"suite\.yaml: unknown setting '.*' of a run"):
        read_suite(write(tmp_path, text))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("common: {energy: 5}", "energy: 5 "),
        ("common: {energy_protocol: maybe}", "energy_protocol: 'maybe'"),
        ("common: {wave_cases: x}", "wave_cases: 'x'"),
        ("common: {schedule: zig}", "schedule: 'zig'"),
        ("common: {set: 3}", "set: 3 "),
        ("grid: {k: [5, many]}", "k: 'many'"),
    ],
)
def test_a_value_that_no_run_takes_is_named(tmp_path: Path, extra: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_suite(write(tmp_path, f"name: s\nsystems: [x]\ntasks: [y]\n{extra}"))
    assert message in str(caught.value) and "suite.yaml: " in str(caught.value)


def test_a_missing_suite_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_suite(tmp_path / "absent.yaml")


# --- order and resume --------------------------------------------------------------------------


def test_repeats_go_forth_and_back() -> None:
    order = [(job.cell.system, job.repeat) for job in jobs(suite(repeats=3), Path())]
    assert order == [
        ("full_context", 0), ("memory", 0), ("memory", 1), ("full_context", 1),
        ("full_context", 2), ("memory", 2),
    ]  # fmt: skip


def test_run_names_are_stable_and_follow_from_what_is_run() -> None:
    again = [job.run_id for job in jobs(suite(repeats=2), Path())]
    assert again == [job.run_id for job in jobs(suite(repeats=2), Path())]
    assert len(set(again)) == 4
    other = {job.run_id for job in jobs(suite(repeats=2, common={"k": 3}), Path())}
    assert not other & set(again)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"systems": ["bm25", "none", "bm25"]}, "bm25 on locomo"),
        ({"grid": {"k": [5, 5]}}, r"full_context \(k=5\) on locomo"),
        ({"tasks": ["locomo", "locomo"]}, "full_context on locomo"),
        ({"systems": [{"system": "bm25", "k": 3}, {"system": "bm25", "k": 4}], "grid": {"k": [5]}},
         r"bm25 \(k=5\) on locomo"),
    ],
)  # fmt: skip
def test_a_run_that_is_named_twice_is_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=f"the suite names {named} twice"):
        jobs(suite(repeats=2, **changes), Path())


def test_a_wrong_run_is_refused_before_the_first_is_begun() -> None:
    def check(spec: RunSpec, options: ExecOptions) -> None:
        if spec.system == "memory":
            raise UsageError("no such thing")

    begun: list[RunSpec] = []
    with pytest.raises(UsageError):
        run_suite(suite(), Path(), start=lambda s, o: begun.append(s), resume=None, check=check)  # type: ignore[arg-type,func-returns-value]
    assert begun == []


@pytest.mark.slow
def test_finished_runs_are_read_and_unfinished_ones_continued(tmp_path: Path) -> None:
    written = suite(systems=["none", "bm25"], common={"split": "sample", "limit": 1}, repeats=2)
    started: list[str] = []
    resumed: list[str] = []

    def begin(spec: RunSpec, options: ExecOptions) -> Any:
        started.append(str(options.run_id))
        return start(spec, options).run.summary()

    def go_on(path: Path, options: ExecOptions) -> Any:
        resumed.append(path.name)
        return resume(path, options).run.summary()

    first = run_suite(written, tmp_path, start=begin, resume=go_on)
    assert len(started) == 4
    (tmp_path / started[2] / "summary.json").unlink()
    again = run_suite(written, tmp_path, start=begin, resume=go_on)
    assert len(started) == 4
    assert resumed == [started[2]]
    assert [d.summary.content_sha256 for d in again.done] == [
        d.summary.content_sha256 for d in first.done
    ]


# --- table and curves --------------------------------------------------------------------------


def summary(accuracy: float, ingest: float, ask: float, joules: float | None = None) -> Summary:
    """One history with ten questions."""
    blank = {"joules": None, "net_joules": None, "provenance": "unavailable", "u_joules": None}
    known = {"joules": joules, "net_joules": None, "provenance": "modelled", "u_joules": 1.0}
    figure = blank if joules is None else known
    phases = ("ingest", "recall", "answer")
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "embedding_tokens": 0, "usd": 0.0}
    return summary_of(
        counts={"cases": 1, "questions": 10},
        metrics={"f1": {"value": accuracy}},
        time_s={phase: {} for phase in phases},
        cpu_s={"ingest": ingest, "recall": ask, "answer": 0.0},
        usage={phase: usage | {"calls": 0} for phase in phases},
        context_tokens={"mean": ask * 100},
        energy={
            "total": figure,
            "phases": dict.fromkeys(phases, figure),
            "sources": [{"component": "cpu"}] if joules else [],
        },
    )


def result(**by_system: list[Any]) -> SuiteResult:
    """A suite of given summaries, one list per system, repeats in order."""
    repeats = len(next(iter(by_system.values())))
    left = {name: iter(summaries) for name, summaries in by_system.items()}
    return run_suite(
        suite(systems=list(by_system), repeats=repeats),
        Path("/nowhere"),
        start=lambda spec, options: next(left[spec.system]),
        resume=lambda path, options: summary(0, 0, 0),
    )


def both(joules: float | None = None) -> SuiteResult:
    return result(
        full_context=[summary(0.6, 0, 100, joules), summary(0.6, 0, 100, joules)],
        memory=[summary(0.5, 30, 40, joules), summary(0.4, 34, 40, joules)],
    )


def test_one_row_per_cell_with_spread_over_repeats() -> None:
    full, memory = rows(both())
    assert (full.repeats, full.accuracy, full.accuracy_sd) == (2, 0.6, 0.0)
    assert memory.accuracy == pytest.approx(0.45)
    assert memory.accuracy_sd == pytest.approx(0.0707, abs=1e-3)
    assert memory.costs["cpu_s"].setup == pytest.approx(32)
    assert memory.costs["cpu_s"].per_question == pytest.approx(4)


def test_a_cost_that_one_repeat_could_not_tell_is_unknown() -> None:
    mixed = result(memory=[summary(0.5, 1, 1, 5.0), summary(0.5, 1, 1, None)])
    (row,) = rows(mixed)
    assert row.costs["joules"].per_question is None
    assert "unavailable" in row.joules


def test_break_even_against_full_context_over_cpu_seconds_and_context() -> None:
    found = {(p.row.cell.system, p.unit): p for p in pay_offs(rows(both()), ["full_context"])}
    memory = found["memory", "cpu_s"]
    assert memory.break_even == math.ceil(32 / (10 - 4))
    assert memory.curve[10] == pytest.approx(32 + 40)
    assert memory.multiple == pytest.approx(0.4)
    assert found["memory", "context_tokens"].multiple == pytest.approx(0.4)
    assert found["memory", "joules"].break_even is None
    assert found["full_context", "cpu_s"].break_even is None


def test_two_splits_of_a_task_are_two_benchmarks() -> None:
    splits = {
        "small": {"full_context": 10, "memory": 5},
        "large": {"full_context": 90, "memory": 6},
    }
    done = run_suite(
        suite(tasks=[{"task": "locomo", "split": split} for split in splits]),
        Path("/nowhere"),
        start=lambda spec, options: summary(0.5, 0, splits[str(spec.split)][spec.system]),
        resume=lambda path, options: summary(0, 0, 0),
    )
    table = rows(done)
    assert {row[0] for row in table_rows(table)} == {"locomo (split=small)", "locomo (split=large)"}
    found = [p for p in pay_offs(table, ["full_context"]) if p.row.cell.system == "memory"]
    multiples = {p.row.cell.benchmark: p.multiple for p in found if p.unit == "cpu_s"}
    assert multiples == {
        "locomo (split=small)": pytest.approx(0.5),
        "locomo (split=large)": pytest.approx(6 / 90),
    }
    shown = [row for row in pay_off_rows(table, ["full_context"]) if row[2] == "memory"]
    assert {row[4] for row in shown if row[1] == "CPU s"} == {"0.500", "0.600"}


def test_a_memory_that_never_pays_off_says_never() -> None:
    dear = result(full_context=[summary(0.6, 0, 1)], memory=[summary(0.5, 9, 2)])
    text = pay_off_rows(rows(dear), ["full_context"])
    assert [row[-1] for row in text if row[2] == "memory"] == ["never", "never"]


def test_joules_stand_in_no_table_without_their_label() -> None:
    table = rows(both(10.0))
    for row in table_rows(table):
        assert "modelled" in row[HEAD.index("energy")]
    for row in pay_off_rows(table, ["full_context"]):
        if row[PAY_OFF_HEAD.index("cost")] == "J":
            assert "modelled" in row[3]
            assert "modelled" in row[4]
            assert "modelled" in row[5]


def test_only_points_that_nothing_dominates_are_worth_something() -> None:
    table = rows(both())
    by_system = {(w.system, w.unit): w for w in worths(table, ["full_context"])}
    assert by_system["memory", "cpu_s"].score > 0
    useless = rows(result(full_context=[summary(0.6, 0, 1)], memory=[summary(0.5, 9, 2)]))
    dominated = {(w.system, w.unit): w for w in worths(useless, ["full_context"])}
    assert dominated["memory", "cpu_s"].score == 0


def test_the_result_is_plain_values() -> None:
    import orjson

    done = both(10.0)
    again = orjson.loads(orjson.dumps(suite_json(done, rows(done))))
    assert again["complete"]
    assert len(again["runs"]) == 4
    assert again["rows"][1]["energy"].endswith("modelled")


def test_references_are_the_systems_whose_cards_say_so_unless_they_are_named() -> None:
    systems = ["bm25", "recent", {"system": "full_context"}, "none"]
    assert references_of(suite(systems=systems, references=None)) == ("full_context", "bm25")
    assert references_of(suite(systems=systems, references=["recent"])) == ("recent",)
    assert references_of(suite(systems=systems, references=[])) == ()
