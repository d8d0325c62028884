"""What the pages show, as values."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.energy.verification.repeats import Repeat
from membench.energy.verification.validity import Check
from membench.leaderboard.rendering.charts import selection
from membench.leaderboard.rendering.charts.axes import score_title
from membench.leaderboard.rendering.charts.notes import why_no_chart
from membench.leaderboard.rendering.charts.scatter import alt_text, scatter
from membench.leaderboard.rendering.charts.selection import drawable, drawn
from membench.leaderboard.store.index import Index, refresh, verified_joules
from membench.leaderboard.store.rows import facts_of, reference_of
from membench.leaderboard.store.store import Store
from membench.leaderboard.validation import verify
from membench.leaderboard.views import amortisation, catalogue, claims, compare, question, run
from membench.leaderboard.views.board.board import board, limited
from membench.leaderboard.views.board.limits import budget_steps
from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.tables import (
    FORMULA,
    board_records,
    frontier_records,
    harmless,
    to_csv,
    to_json,
)
from membench.metrics.numbers import significant
from membench.records.manifest import SystemEntry
from membench.testing.boards import METRIC, BoardPlan, write_store


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Twelve made-up runs of four systems."""
    root = tmp_path_factory.mktemp("many")
    write_store(root, BoardPlan(runs=12, questions=100, systems=4))
    return Store(root)


@pytest.fixture(scope="module")
def index(many: Store) -> Index:
    return refresh(many)


@pytest.fixture(scope="module")
def real(honest: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One real, verified run."""
    store = Store(tmp_path_factory.mktemp("real"))
    store.add(honest, verify(honest))
    return store


# --- leaderboard -------------------------------------------------------------------------------


def test_rows_come_by_place_with_ranges_that_hold_them(index: Index) -> None:
    rows = board(index, BoardQuery()).rows
    places = [row.rank for row in rows if row.rank]
    assert [rank.rank for rank in places] == sorted(rank.rank for rank in places)
    assert all(rank.best <= rank.rank <= rank.worst for rank in places)


def test_filters_move_nobody(index: Index) -> None:
    whole = board(index, BoardQuery())
    some = limited(whole, 30.0, 0.4)
    ranks = {row.run_id: row.rank for row in whole.rows}
    assert some.rows
    assert all(ranks[row.run_id] == row.rank for row in some.rows)


def test_a_lowest_score_shows_each_systems_cheapest_setting(index: Index) -> None:
    whole = board(index, BoardQuery(axis="context_tokens"))
    some = limited(whole, None, 0.3)
    for row in some.rows:
        assert row.cost is not None and row.score is not None
        rivals = [
            other.cost.value
            for other in whole.rows
            if other.system == row.system
            and other.cost
            and other.score
            and other.score.value >= 0.3
        ]
        assert row.cost.value == min(rivals)


def test_a_highest_cost_shows_each_systems_best_setting(index: Index) -> None:
    whole = board(index, BoardQuery(axis="context_tokens"))
    some = limited(whole, 200.0, 0.0)
    assert all(row.cost and row.cost.value <= 200 for row in some.rows)
    assert len({row.system for row in some.rows}) == len(some.rows)


def test_unavailable_energy_is_a_dash_and_never_zero(index: Index) -> None:
    shown = board(index, BoardQuery(axis="joules"))
    without = [row for row in shown.rows if row.cost is None]
    assert without
    assert {row.run_id for row in without}.isdisjoint(r.run_id for r in drawable(shown))
    cells = [r["J / question"] for r in board_records(shown)]
    assert "–" in cells
    assert "0" not in cells


def test_a_board_opens_on_joules_where_rows_have_them(index: Index) -> None:
    assert board(index, BoardQuery()).choice.axis == "joules"


def test_without_joules_it_opens_on_cpu_seconds_and_says_how_to_get_them(tmp_path: Path) -> None:
    write_store(tmp_path, BoardPlan(runs=3, questions=40, measured=0))
    shown = board(refresh(Store(tmp_path)), BoardQuery())
    assert shown.choice.axis == "cpu_s"
    assert "--energy cpu:7.5" in shown.energy_wanted
    assert "--energy nvml" in shown.energy_wanted
    assert "3 of 3" in shown.energy_wanted


def test_a_board_says_what_a_judge_would_add(index: Index) -> None:
    assert "membench judge RUN --judge MODEL" in board(index, BoardQuery()).judge_wanted


def test_joules_of_unlike_provenance_do_not_stand_beside_each_other(index: Index) -> None:
    shown = board(index, BoardQuery(axis="joules"))
    assert len(shown.machines) == 1
    assert shown.hidden == sum(row.cost is None for row in shown.rows) > 0


def test_seconds_compare_whatever_the_energy_meter(index: Index) -> None:
    shown = board(index, BoardQuery(axis="seconds"))
    assert (len(shown.machines), shown.hidden) == (1, 0)
    assert all(row.cost for row in shown.rows)


def test_groups_of_another_k_are_never_ranked_together(tmp_path: Path) -> None:
    write_store(tmp_path, BoardPlan(runs=6, questions=50, groups=2))
    index = refresh(Store(tmp_path))
    first = board(index, BoardQuery())
    assert len(first.groups) == 2
    assert len(first.rows) == 3


def test_a_withdrawn_row_has_no_rank(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = write_store(tmp_path, BoardPlan(runs=2, questions=50))
    store.withdraw(ids[0], "us", "wrong data")
    rows = {row.run_id: row for row in board(refresh(store), BoardQuery()).rows}
    assert rows[ids[0]].rank is None
    assert rows[ids[0]].why == "withdrawn"
    assert rows[ids[1]].rank is not None


def test_the_setup_of_a_history_is_spread_over_its_questions(index: Index) -> None:
    query = board(index, BoardQuery(axis="seconds")).rows[0]
    total = {r.run_id: r for r in board(index, BoardQuery(axis="seconds", scope="total")).rows}
    assert query.cost and query.setup
    expected = query.cost.value + query.setup.value * 10 / 100
    cost = total[query.run_id].cost
    assert cost is not None and cost.value == pytest.approx(expected)


def test_an_empty_store_has_an_empty_board(tmp_path: Path) -> None:
    shown = board(refresh(Store(tmp_path)), BoardQuery())
    assert (shown.rows, shown.groups) == ((), {})


def test_what_was_chosen_and_is_not_there_falls_back(index: Index) -> None:
    shown = board(
        index, BoardQuery(task="nope:nope", group="x", metric="y", axis="z", division="w")
    )
    assert shown.choice.task == "locomo:locomo10"
    assert shown.rows


def test_limits_offered_cover_every_cost(index: Index) -> None:
    rows = board(index, BoardQuery(axis="context_tokens")).rows
    steps = budget_steps(rows)
    assert steps == sorted(steps)
    assert steps[-1] >= max(row.cost.value for row in rows if row.cost)


def test_the_chart_carries_run_ids_and_has_words(index: Index) -> None:
    shown = board(index, BoardQuery(axis="context_tokens"))
    figure = scatter(shown).to_dict()
    ids = {i for trace in figure["data"] for i in trace.get("customdata", ())}
    assert ids == {row.run_id for row in shown.rows}
    assert figure["layout"]["xaxis"]["type"] == "log"
    for record in frontier_records(shown):
        assert record["system"] in alt_text(shown)


# --- the other pages ---------------------------------------------------------------------------


def test_runs_of_other_data_are_not_compared(many: Store, index: Index, tmp_path: Path) -> None:
    ids = write_store(tmp_path, BoardPlan(runs=2, questions=50, groups=2))
    shown = compare.compare(Store(tmp_path), refresh(Store(tmp_path)), ids)
    assert shown.pairs == ()
    assert shown.refused == ("k: 5 / 10",)


def test_a_comparison_is_paired_and_adds_up(many: Store, index: Index) -> None:
    runs = [row.run_id for row in board(index, BoardQuery()).rows]
    shown = compare.compare(many, index, [runs[0], runs[-1]])
    (pair,) = shown.pairs
    whole, *parts = [line for line in pair.metrics if line.metric == shown.metric]
    assert whole.difference.value is not None and whole.difference.value > 0
    assert whole.table is not None
    both = whole.table
    assert both.both + both.only_a + both.only_b + both.neither == 100
    assert (both.only_a - both.only_b) / 100 == pytest.approx(whole.difference.value)
    assert len(pair.disagreements) == both.only_a + both.only_b
    assert {part.category for part in parts} == {
        "multi-hop",
        "temporal",
        "open-domain",
        "single-hop",
        "adversarial",
    }


def test_a_comparison_turned_round_turns_its_sign(
    many: Store, index: Index, tmp_path: Path
) -> None:
    runs = [row.run_id for row in board(index, BoardQuery()).rows][:2]
    there = compare.compare(many, index, runs).pairs[0].metrics[0].difference.value
    back = compare.compare(many, index, runs[::-1]).pairs[0].metrics[0].difference.value
    assert there is not None and back is not None
    assert there == pytest.approx(-back)


def test_break_even_is_against_the_chosen_reference(index: Index) -> None:
    shown = board(index, BoardQuery(axis="seconds"))
    page = amortisation.amortisation(shown, shown.rows[0].run_id)
    assert page.reference is shown.rows[0]
    assert {line.row.run_id for line in page.lines} == {row.run_id for row in shown.rows}
    record = amortisation.records(page)[0]
    assert record["breaks even at"] == "(reference)"


def test_only_an_accuracy_gives_a_cost_per_correct_answer(index: Index) -> None:
    shown = board(index, BoardQuery(axis="seconds"))
    assert "recall" in shown.choice.metric
    page = amortisation.amortisation(shown)
    assert not any("correct" in column for column in amortisation.records(page)[0])
    judged = replace(shown, choice=replace(shown.choice, metric="judged.accuracy"))
    record = amortisation.records(amortisation.amortisation(judged))[0]
    assert any("correct" in column for column in record)


def test_a_board_without_a_chart_says_which_of_two_things_is_missing(index: Index) -> None:
    shown = board(index, BoardQuery(axis="seconds"))
    unranked = tuple(replace(row, why="a subset of the questions") for row in shown.points)
    assert why_no_chart(replace(shown, points=unranked)).startswith("No row here is ranked")
    unknown = tuple(replace(row, cost=None) for row in shown.points)
    assert "a known Time (s)" in why_no_chart(replace(shown, points=unknown))


def test_rows_without_a_line_are_left_out_for_what_is_true_of_them(index: Index) -> None:
    shown = board(index, BoardQuery(axis="seconds"))
    first, other, *rest = shown.all_rows
    rows = (replace(first, joined=False), replace(other, setup=None), *rest)
    page = amortisation.amortisation(replace(shown, all_rows=rows))
    assert page.left_out == (
        "1 row is left out: this cost was counted on another machine or by another meter. "
        "1 row is left out: this cost is unknown for ingestion or for questions."
    )
    assert len(page.lines) == len(shown.all_rows) - 2


def test_a_run_page_names_how_each_metric_came_about(real: Store) -> None:
    page = run.run_page(real, "story")
    assert page.loaded is not None
    records = run.metric_records(page.loaded)
    assert {record["came about"] for record in records} == {"re-scored"}
    assert any("commit" in str(fact["value"]) for fact in run.facts(page.loaded))


def test_a_hosted_system_says_how_far_away_it_is(real: Store, index: Index) -> None:
    page = run.run_page(real, "story")
    assert page.loaded is not None
    here, summary = page.loaded.manifest, page.loaded.summary
    far = replace(here, round_trip_ms=41.53)
    assert facts_of(here, summary)["network"] == ""
    assert facts_of(far, summary)["network"] == "41.5 ms"
    assert run.network_words(here) == "–"
    assert "took 41.5 ms" in run.network_words(far)
    assert "network" not in board_records(board(index, BoardQuery()))[0]
    hosted = replace(index, runs=index.runs.assign(network="41.5 ms"))
    assert board_records(board(hosted, BoardQuery()))[0]["network"] == "41.5 ms"


def test_questions_can_be_filtered(real: Store) -> None:
    page = run.run_page(real, "story")
    assert page.loaded is not None
    rows = page.loaded.rows()
    everything = run.question_records(rows, ["f1"])
    some = run.question_records(rows, ["f1"], category="single-hop", only="wrong")
    assert 0 < len(some) < len(everything)
    assert {record["category"] for record in some} == {"single-hop"}
    assert run.question_records(rows, ["f1"], search="no such id") == []


def test_a_tombstone_has_a_page(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (run_id,) = write_store(tmp_path, BoardPlan(runs=1, questions=20))
    store.withdraw(run_id, "us", "wrong data", remove=True)
    page = run.run_page(store, run_id)
    assert page.loaded is None
    assert page.withdrawn is not None and page.withdrawn.why == "wrong data"


def test_a_question_shows_gold_and_memories_where_the_data_is(real: Store) -> None:
    page = run.run_page(real, "story")
    assert page.loaded is not None
    first = page.loaded.rows()[0].item_id
    shown = question.question_page(real, ["story"], first)
    assert shown.text and shown.gold and shown.evidence
    assert any(line.evidence for line in shown.runs[0].recalled)
    assert question.WITHHELD not in {line.text for line in shown.runs[0].recalled}


def test_a_question_shows_no_word_of_the_data_where_that_is_not_allowed(real: Store) -> None:
    page = run.run_page(real, "story")
    assert page.loaded is not None
    first = page.loaded.rows()[0].item_id
    shown = question.question_page(real, ["story"], first, show_text=False)
    assert (shown.text, shown.gold, shown.evidence) == (None, None, ())
    assert {line.text for line in shown.runs[0].recalled} == {question.WITHHELD}


def test_systems_and_tasks_count_their_rows(real: Store) -> None:
    index = refresh(real)
    systems = {record["system"]: record["rows"] for record in catalogue.system_records(index)}
    tasks = {record["task"]: record["rows"] for record in catalogue.task_records(index)}
    assert (systems["bm25"], tasks["locomo"]) == (1, 1)


def test_claims_are_quoted_with_their_source_and_never_measured() -> None:
    rows = claims.of_task("locomo")
    assert rows
    assert all(row["source"] and row["runner"] for row in rows)
    assert not [row for row in claims.claims() if "secondary source" in row["note"]]
    assert not [row for row in claims.claims() if row["metric"] in ("joules", "energy")]


# --- tables ------------------------------------------------------------------------------------


@given(st.text())
def test_no_cell_of_a_csv_is_a_formula(text: str) -> None:
    assert not str(harmless(text)).startswith(FORMULA)


def test_csv_and_json_hold_exactly_what_is_shown(index: Index) -> None:
    records = board_records(board(index, BoardQuery()))
    assert json.loads(to_json(records)) == records
    assert to_csv(records).count("\n") == len(records) + 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (0.00123, "0.00123"), (12345.6, "12,346"), (2.0, "2.00")],
)
def test_numbers_for_people(value: float | None, text: str) -> None:
    assert significant(value) == text


def test_a_ceiling_is_shown_and_never_ranked(tmp_path: Path) -> None:
    """A control that is granted the evidence is no system."""
    import hashlib

    from membench.leaderboard.bundles.bundle import checksums

    ids = write_store(tmp_path, BoardPlan(runs=2, questions=50))
    folder = tmp_path / "locomo" / ids[0]
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["system"]["capabilities"] = ["evidence_grant"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    files = {f.name: f.read_bytes() for f in folder.iterdir() if f.name != "SHA256SUMS"}
    (folder / "SHA256SUMS").write_bytes(checksums(files))
    badge = json.loads((tmp_path / "badges" / f"{ids[0]}.json").read_text())
    badge["bundle_sha256"] = hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()
    (tmp_path / "badges" / f"{ids[0]}.json").write_text(json.dumps(badge))
    shown = board(refresh(Store(tmp_path)), BoardQuery())
    rows = {row.run_id: row for row in shown.rows}
    assert rows[ids[0]].rank is None and not rows[ids[0]].front
    assert rows[ids[0]] in drawable(shown)
    assert rows[ids[1]].rank is not None and rows[ids[1]].rank.worst == 1


def test_where_less_is_better_the_lowest_score_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from membench.tasks.locomo.task import TASK

    card = replace(TASK.card, lower_is_better=(METRIC,))
    monkeypatch.setattr(TASK, "card", card)
    write_store(tmp_path, BoardPlan(runs=8, questions=100, systems=8))
    whole = board(refresh(Store(tmp_path)), BoardQuery(axis="context_tokens"))
    scores = [row.score.value for row in whole.rows if row.score]
    assert scores == sorted(scores)
    assert whole.rows[0].rank is not None and whole.rows[0].rank.best == 1
    assert whole.rows[0].front
    some = limited(whole, None, most=scores[3])
    assert {row.score.value for row in some.rows if row.score} == set(scores[:4])
    assert "less is better" in score_title(whole)


def test_counts_are_shown_as_counts() -> None:
    from membench.leaderboard.store.rows import RowFigure
    from membench.leaderboard.views.tables import score_text
    from membench.metrics.names import is_fraction

    assert is_fraction("evidence.turn.recall@10")
    assert not is_fraction("recalled.tokens")
    assert score_text("recalled.tokens", RowFigure(45.5)) == "45.5"
    assert score_text("f1", RowFigure(0.455)) == "45.5"


PASSED = Check("undisturbed", "pass", "no flag")
STEADY = Repeat((PASSED,), (PASSED,), 100.0, measured=True, conditions={"schedule": "waves"})


def attempts(*joules: float | None, withdrawn: int = -1) -> Any:
    """Runs of one configuration; None is a run without measured joules."""
    import pandas as pd

    return pd.DataFrame(
        {
            "configuration": "one",
            "withdrawn": number == withdrawn,
            "energy_repeat": ""
            if total is None
            else json.dumps(replace(STEADY, joules=total).to_json()),
        }
        for number, total in enumerate(joules)
    )


def test_joules_are_verified_by_all_attempts_together() -> None:
    assert verified_joules(attempts(100.0, 101.0, 99.0, None)).tolist() == [True, True, True, False]
    assert not verified_joules(attempts(100.0, 101.0)).any()
    assert not verified_joules(attempts(100.0, 160.0, 60.0)).any()


def test_a_withdrawn_attempt_verifies_nobody() -> None:
    assert not verified_joules(attempts(100.0, 101.0, 99.0, withdrawn=1)).any()


def test_of_very_many_points_the_frontier_and_the_best_ranked_are_drawn(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = board(index, BoardQuery("locomo"))
    everything = {row.run_id for row in drawn(shown)}
    assert everything == {row.run_id for row in drawable(shown)}
    monkeypatch.setattr(selection, "MOST_POINTS", 3)
    few = {row.run_id for row in drawn(shown)}
    assert {row.run_id for row in drawable(shown) if row.front} <= few
    assert len(few) < len(everything)


def test_break_even_is_against_the_row_whose_card_says_full_context(index: Index) -> None:
    shown = board(index, BoardQuery(axis="seconds"))
    first, other, *rest = shown.all_rows
    named = replace(first, system="full_context")
    declared = replace(other, reference="full-context")
    page = amortisation.amortisation(replace(shown, all_rows=(named, declared, *rest)))
    assert page.reference is declared


@pytest.mark.parametrize(
    ("system", "reference"),
    [
        ({"name": "full_context"}, "full-context"),
        ({"name": "full_context", "reference": None}, ""),
        ({"name": "mine", "reference": "full-context"}, "full-context"),
        ({"name": "mine"}, ""),
    ],
)
def test_a_bundle_says_what_its_system_is_and_the_card_answers_for_older_ones(
    system: dict[str, str | None], reference: str
) -> None:
    texts = ("title", "version", "fidelity", "protocol", "granularity", "time", "replay")
    entry = dict.fromkeys(texts, "") | {"parameters": {}, "order_dependent": False}
    assert reference_of(SystemEntry.from_json(entry | system)) == reference
