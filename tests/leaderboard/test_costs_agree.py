"""One cost, one number: wherever a run is shown; and one comparison, printed or on the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from membench.cli.output.comparison import comparison_json
from membench.cli.output.summary import cost_table
from membench.energy.reporting.report import metrics_of
from membench.experiments.compare import compare_with_first, headline
from membench.experiments.finished_run import load
from membench.experiments.suite import read_suite, run_suite
from membench.experiments.suite_table import rows, suite_json
from membench.harness.run import resume, start
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.rendering.plot import mark
from membench.leaderboard.site.export import export
from membench.leaderboard.store.index import refresh
from membench.leaderboard.store.store import Store
from membench.leaderboard.validation import verify
from membench.leaderboard.views import compare as page
from membench.leaderboard.views.amortisation import amortisation
from membench.leaderboard.views.board.board import board
from membench.leaderboard.views.board.query import BoardQuery
from membench.metrics.numbers import significant
from membench.records.costs import (
    COSTS,
    MAIN_COSTS,
    QUESTION,
    QUESTION_PHASES,
    SETUP,
    SETUP_PHASES,
    mean_cost,
    name_of,
    stage_cost,
)
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Summary
from membench.testing.scripted import ScriptedServer

pytestmark = pytest.mark.slow

SUITE = """
name: walk
systems: [{system}]
tasks: [{{task: locomo, split: sample}}]
common: {{energy: "cpu:7.5"{more}}}
"""
METRIC = "evidence.turn.recall@10"


@dataclass
class Walk:
    """One run of a suite with everything that shows it."""

    summary: Summary
    path: Path
    suite: Any
    store: Store
    site: Path
    served: int


def walked(folder: Path, system: str, more: str = "", served: int = 0) -> Walk:
    """Run a suite of one run, submit it, and export the board."""
    file = folder / "suite.yaml"
    file.write_text(SUITE.format(system=system, more=more))
    suite = read_suite(file)
    done = run_suite(
        suite,
        folder,
        start=lambda spec, options: start(spec, options).run.summary(),
        resume=lambda path, options: resume(path, options).run.summary(),
    )
    (result,) = done.done
    path = folder / result.job.run_id
    store = Store(folder / "store")
    bundle = make_bundle(path, folder / "bundle").path
    store.add(bundle, verify(bundle))
    export(store, folder / "site")
    shown = json.loads(json.dumps(suite_json(done, rows(done))))
    return Walk(result.summary, path, shown, store, folder / "site", served)


@pytest.fixture(scope="module", params=["model-free", "models"])
def walk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "model-free":
        yield walked(folder, "bm25")
        return
    with ScriptedServer() as server:
        models = "reader: gpt-4o-mini, embedder: text-embedding-3-small"
        more = f", {models}, base_url: '{server.base_url}'"
        found = walked(folder, "dense", more)
        found.served = sum(
            tally.prompt_tokens + tally.completion_tokens for tally in server.tallies.values()
        )
        yield found


PARTS = (QUESTION, SETUP)


def approx(value: float | None) -> Any:
    """Equal but for rounding."""
    return None if value is None else pytest.approx(value, rel=1e-12)


def test_model_tokens_are_those_that_the_server_counted(walk: Walk) -> None:
    tokens = COSTS["tokens"]
    totals = [stage_cost(walk.summary, tokens, part) for part in PARTS]
    assert sum(total or 0 for total in totals) == walk.served
    for part, total in zip(PARTS, totals, strict=True):
        kinds = [cost for cost in COSTS.values() if cost.part_of == "tokens"]
        assert sum(stage_cost(walk.summary, kind, part) or 0 for kind in kinds) == total


def test_context_is_what_was_recalled_for_each_question(walk: Walk) -> None:
    lines = [json.loads(line) for line in (walk.path / "play.jsonl").read_text().splitlines()]
    recalled = [
        line["telemetry"]["context_tokens"] for line in lines if line.get("phase") == "recall"
    ]
    shown = mean_cost(walk.summary, COSTS["context_tokens"], QUESTION)
    assert shown == pytest.approx(sum(recalled) / len(recalled))
    assert mean_cost(walk.summary, COSTS["context_tokens"], SETUP) == 0


def test_the_energy_report_has_the_same_joules(walk: Walk) -> None:
    found = metrics_of(walk.summary, METRIC)
    asked, setup = (mean_cost(walk.summary, COSTS["joules"], part) for part in PARTS)
    assert (asked is None) == bool(walk.served)  # the machine of a remote model is not metered
    assert found.per_question.joules == approx(asked)
    assert found.per_history.joules == approx(setup)


@pytest.mark.parametrize("cost", MAIN_COSTS, ids=lambda cost: cost.id)
class TestEveryCost:
    def test_the_suite_shows_it(self, walk: Walk, cost: Any) -> None:
        (row,) = walk.suite["rows"]
        assert row["per_question"][cost.id] == mean_cost(walk.summary, cost, QUESTION)
        assert row["per_history"][cost.id] == mean_cost(walk.summary, cost, SETUP)

    def test_the_comparison_shows_it(self, walk: Walk, cost: Any) -> None:
        run = load(walk.path)
        (item,) = compare_with_first([run, run], [METRIC])
        printed = {line["cost"]: line for line in comparison_json(item)["costs"]}
        for part in PARTS:
            expected, line = mean_cost(walk.summary, cost, part), printed.get(name_of(part, cost))
            assert (line is None) == (not expected)
            if line is not None:
                assert line["first"] == line["second"] == expected
                assert line["per"] == ("question" if part == QUESTION else "history")

    def test_the_board_and_its_amortisation_show_it(self, walk: Walk, cost: Any) -> None:
        choice = BoardQuery(axis=cost.id, metric=METRIC)
        shown = board(refresh(walk.store), choice)
        (row,) = shown.all_rows
        asked, setup = (mean_cost(walk.summary, cost, part) for part in PARTS)
        # The verifier adds up in an order of its own, which can move the last bit of a sum.
        assert (row.cost.value if row.cost else None) == approx(asked)
        assert (row.setup.value if row.setup else None) == approx(setup)
        for line in amortisation(shown).lines:
            assert line.lifecycle.per_question == approx(asked)
            assert line.lifecycle.setup == approx(setup)

    def test_the_plot_shows_it(self, walk: Walk, cost: Any) -> None:
        for part in PARTS:
            found = mark(load(walk.path), METRIC, name_of(part, cost))
            assert (found.cost if found else 0) == (mean_cost(walk.summary, cost, part) or 0)

    def test_the_export_shows_it(self, walk: Walk, cost: Any) -> None:
        (file,) = walk.site.glob("data/locomo-sample-*.json")
        records = json.loads(file.read_text())
        asked = mean_cost(walk.summary, cost, QUESTION)
        assert (cost.id in records) == bool(asked)
        for record in records.get(cost.id, ()):
            assert record[f"{cost.unit} / question"].split(" ")[0] == significant(asked)

    def test_the_closing_table_shows_it(self, walk: Walk, cost: Any) -> None:
        columns = {"seconds": "total s", "cpu_s": "CPU s", "tokens": "tokens", "usd": "USD"}
        table = cost_table(walk.summary)
        cells = {str(column.header): list(column.cells) for column in table.columns}
        if cost.id not in columns:
            assert cost.id in ("context_tokens", "sent_tokens", "joules")
            return
        printed = dict(zip(cells["phase"], cells[columns[cost.id]], strict=True))
        for part, phases in ((QUESTION, QUESTION_PHASES), (SETUP, SETUP_PHASES)):
            values = [str(printed[phase]).replace(",", "") for phase in phases if phase in printed]
            total = stage_cost(walk.summary, cost, part)
            if total is None:
                assert "-" in values
            else:
                assert sum(map(float, values)) == pytest.approx(total, abs=0.011)


# --- one comparison -----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["locomo", "longmemeval", "halumem", "persistbench"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two runs of a task's sample, and a board with both."""
    folder = tmp_path_factory.mktemp(request.param)
    store = Store(folder / "store")
    paths = []
    for system in ("bm25", "recent"):
        spec = RunSpec(system, request.param, split="sample")
        path = start(spec, ExecOptions(out=folder, run_id=system)).run.path
        bundle = make_bundle(path, folder / f"{system}-bundle").path
        store.add(bundle, verify(bundle))
        paths.append(path)
    return store, [load(path) for path in paths]


def test_the_page_shows_what_the_command_compares(pair: Any) -> None:
    store, runs = pair
    (printed,) = compare_with_first(runs, headline(runs[0]))
    shown = page.compare(store, refresh(store), [run.name for run in runs])
    (on_page,) = shown.pairs

    def by_line(item: Any) -> dict[Any, Any]:
        lines = comparison_json(item)["metrics"]
        return {(line["metric"], line["category"]): line for line in lines}

    assert by_line(on_page) == by_line(printed)
    for one, other in zip(on_page.costs, printed.costs, strict=True):
        assert (one.cost, one.per, one.provenance) == (other.cost, other.per, other.provenance)
        assert (one.first, one.second) == (approx(other.first), approx(other.second))
        assert one.ratio.value == approx(other.ratio.value)
        ends = other.ratio.ci95
        assert one.ratio.ci95 == (None if ends is None else pytest.approx(ends, rel=1e-12))
        assert (one.ratio.n, one.ratio.clusters) == (other.ratio.n, other.ratio.clusters)
    records = [*page.summary_records(shown), *page.category_records(shown)]
    assert {(r["metric"], r.get("category")) for r in records} == set(by_line(printed))
    for record in records:
        line = by_line(printed)[record["metric"], record.get("category")]
        assert record["n"] == line["difference"]["n"]
        assert record["cases"] == line["difference"]["clusters"]
        assert record["p (cases, t)"] == page.p_text(line["adjusted"]["t"])
        if 0 < record["cases"] < 3:
            assert record["95 % interval"] == "too few cases"


def test_the_figures_of_the_memories_are_compared_on_the_page_too(pair: Any) -> None:
    store, runs = pair
    shown = page.compare(store, refresh(store), [run.name for run in runs])
    wanted = {name for name in headline(runs[0]) if name in shown.metrics}
    assert {line.metric for line in shown.pairs[0].metrics} == wanted
