import pytest

from membench.domain.score import Score
from membench.metrics.aggregate import PackedEntries, aggregate

CATEGORIES = {"single": "4", "multi": "1"}


def row(value, *, case="c1", category="single", status="scored", flags=(), **more):
    values = {"f1": value, **more}
    return Score(case, "q", "question", category, status, values, flags=flags)


def test_a_metric_is_the_mean_over_rows_that_list_it():
    made = aggregate([row(1.0), row(0.5, case="c2"), row(0.0, recall=0.25)], CATEGORIES)
    assert made.metrics["f1"].value == 0.5
    assert (made.metrics["f1"].n, made.metrics["f1"].clusters) == (3, 2)
    assert made.metrics["recall"].n == 1


def test_failed_rows_count_as_wrong_and_the_scored_figure_stands_beside():
    made = aggregate([row(1.0), row(None, status="failed")], CATEGORIES)
    assert made.metrics["f1"].value == 0.5
    assert made.metrics["f1.scored"].value == 1.0
    assert made.metrics["f1.scored"].n == 1


def test_a_metric_that_failed_everywhere_is_zero():
    down = row(None, status="failed", recall=1.0)
    assert aggregate([down, down], CATEGORIES).metrics["f1"].value == 0


def test_what_a_failed_row_could_still_determine_counts():
    made = aggregate([row(None, status="failed", recall=1.0)], CATEGORIES)
    assert made.metrics["f1"].value == 0
    assert made.metrics["recall.scored"].value == 1


def test_undetermined_rows_leave_the_denominator_and_are_noted():
    rows = [row(1.0, **{"r@5": 1.0}), row(1.0, flags=("pool",), **{"r@5": None})]
    made = aggregate(rows, CATEGORIES)
    assert (made.metrics["r@5"].value, made.metrics["r@5"].n) == (1.0, 1)
    assert made.notes[0].startswith("cut 5: 1 figures are not determined for up to 1 rows")


def test_a_metric_that_no_row_determines_is_null():
    made = aggregate([row(None, flags=("pool",))], CATEGORIES)
    assert made.metrics["f1"].value is None


def test_recalls_that_were_too_short_make_the_whole_figure_null():
    short = row(1.0, flags=("short@10",), **{"recall@5": 1.0, "recall@10": None})
    made = aggregate([row(1.0, **{"recall@5": 0.0, "recall@10": 1.0}), short], CATEGORIES)
    assert made.metrics["recall@10"].value is None
    assert made.metrics["recall@5"].value == 0.5


def test_what_only_lost_cases_list_is_left_out():
    lost = row(None, status="failed", flags=("lost",), **{"recall@50": None})
    assert "recall@50" not in aggregate([row(1.0), lost], CATEGORIES).metrics
    assert aggregate([lost], CATEGORIES).metrics["recall@50"].value == 0


def test_categories_have_their_id_their_count_and_their_metrics():
    made = aggregate([row(1.0), row(0.0), row(0.5, category="multi")], CATEGORIES)
    assert {name: (c.id, c.n) for name, c in made.categories.items()} == {
        "single": ("4", 2),
        "multi": ("1", 1),
    }
    assert made.categories["single"].metrics["f1"].value == 0.5


def test_order_of_rows_does_not_matter():
    rows = [row(v / 7, case=f"c{v % 3}") for v in range(7)]
    assert aggregate(rows, CATEGORIES) == aggregate(rows[::-1], CATEGORIES)


def test_no_rows_make_no_metrics():
    assert aggregate([], CATEGORIES).metrics == {}


def test_an_unknown_category_is_an_error():
    with pytest.raises(KeyError):
        aggregate([row(1.0, category="none")], CATEGORIES)


@pytest.mark.parametrize("distinct", [1, 256, 257, 65_537])
def test_packed_entries_are_those_that_were_put_in_however_many_differ(distinct):
    entries = PackedEntries()
    wanted = [number / 7 for number in range(distinct)] + ["failed", 0.0, "failed"]
    for entry in wanted:
        entries.append(entry)
    assert list(entries) == wanted
    assert (entries.count("failed"), entries.count("too short"), len(entries)) == (
        2,
        0,
        distinct + 3,
    )
