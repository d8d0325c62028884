"""Tables, cards, names and remarks as HTML: what a reader sees of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from membench.leaderboard.rendering import html
from membench.leaderboard.rendering.cards import MOST_CARDS, any_width, cards_html
from membench.leaderboard.rendering.catalogue import address_in, task_lines
from membench.leaderboard.rendering.html import Sorting
from membench.leaderboard.rendering.remarks import DASH, RANKS, board_remarks, brackets, showing
from membench.leaderboard.rendering.standing import scores_html
from membench.leaderboard.rendering.terms import TERMS, term_records
from membench.leaderboard.site.boards import TERMS as LINKED
from membench.leaderboard.site.boards import rows_table
from membench.leaderboard.site.charts import LOCAL_TOOLS
from membench.leaderboard.site.naming import board_names, chips
from membench.leaderboard.store.index import Index, refresh
from membench.leaderboard.store.rows import RowFigure, protocol
from membench.leaderboard.store.store import Store
from membench.leaderboard.views.board.board import Board, board, limited
from membench.leaderboard.views.board.query import BoardQuery, RowFilter
from membench.leaderboard.views.catalogue import task_records
from membench.leaderboard.views.standing import MetricStanding
from membench.records.comparison_key import ComparisonKey
from membench.tasks.registry import get_task
from membench.tasks.wording import judge_wanted, metric_words
from membench.testing.boards import BoardPlan, write_store


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    root = tmp_path_factory.mktemp("rendered")
    write_store(root, BoardPlan(runs=12, questions=60, systems=4, measured=1.0))
    return refresh(Store(root))


@pytest.fixture(scope="module")
def shown(index: Index) -> Board:
    return board(index, BoardQuery(axis="joules"))


# --- tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (183869, "183,869"),
        (1160.0, "1,160"),
        (0.0000031, "0.0000031"),
        (2.0, "2"),
        (0.368, "0.368"),
        (None, "–"),
        (True, "True"),
    ],
)
def test_numbers_have_separators_and_no_exponent(value: object, text: str) -> None:
    assert html.cell_text(value) == text


@pytest.mark.parametrize(
    "figure",
    ["90.2 [88.1, 92.0]", "0.0383 [0.0194, 0.0573] modelled", "8,253", "+1.5", "12.0 %", "3 J"],
)
def test_columns_of_figures_are_set_to_the_right(figure: str) -> None:
    made = html.table([{"score": figure}, {"score": "–"}])
    assert f"<td class=num>{figure}</td><" in made
    assert 'data-id="score" class=num>' in made


@pytest.mark.parametrize("words", ["2026-11-30", "1.2.3", "1–2", "no", "10 turns of one"])
def test_dates_versions_and_words_are_no_figures(words: str) -> None:
    assert "num" not in html.table([{"what": words}])


def test_columns_have_a_capital_as_everywhere_on_the_board() -> None:
    made = html.table([{"score badge": "x", "n": 3, "p50 (ms)": 1}])
    assert ">Score badge</th>" in made
    assert ">n</th>" in made and ">p50 (ms)</th>" in made


def test_backticks_are_code_and_still_escaped() -> None:
    made = html.table([{"remedy": "run `<b> x`"}])
    assert "run <code>&lt;b&gt; x</code>" in made


def test_what_columns_mean_is_told_without_a_tooltip() -> None:
    words = {"rank": ("Rank", "A place."), "gone": ("Gone", "Not a column here.")}
    made = html.meanings([{"rank": "1"}], words)
    assert "<summary>What the columns mean</summary>" in made
    assert "<dt>Rank</dt><dd>A place.</dd>" in made
    assert "Gone" not in made
    assert html.meanings([{"rank": "1"}], {}) == ""


def test_an_address_in_a_cell_is_a_link_only_where_the_column_is_one() -> None:
    records = [{"source": "https://example.org/a", "label": "https://evil.example"}]
    made = html.table(records, links={"source": lambda record: address_in(record["source"])})
    assert '<a rel="noreferrer" href="https://example.org/a">' in made
    assert "<td>https://evil.example</td>" in made


def test_a_paper_is_found_by_its_number() -> None:
    assert address_in("arXiv:2402.17753 (ACL 2024)") == "https://arxiv.org/abs/2402.17753"
    assert address_in("arXiv 2412.15266") == "https://arxiv.org/abs/2412.15266"
    assert address_in("Robertson and Zaragoza 2009") == ""


def test_a_page_can_be_skipped_to_and_says_where_one_is() -> None:
    made = html.page("Tasks", "", {"Tasks": "tasks.html", "Runs": "runs.html"}, here="Tasks")
    assert '<a class="skip" href="#main">' in made and '<main id="main"' in made
    assert '<a href="tasks.html" aria-current=page>' in made
    assert made.count("aria-current=page") == 1


def test_headings_of_our_own_pages_are_headings() -> None:
    assert html.from_markdown("## Costs\n\nPer question.") == "<h2>Costs</h2><p>Per question.</p>"


def test_the_first_click_on_a_score_brings_the_best_to_the_top(shown: Board) -> None:
    made = rows_table(shown, "Rows", "")
    assert f'data-id="{shown.choice.metric}"' in made
    (head,) = [part for part in made.split("<th ") if shown.choice.metric in part][:1]
    assert "data-first=descending" in head
    assert 'data-id="rank"' in made.partition("aria-sort=ascending")[0]
    assert 'data-pinned="2"' in made


def test_an_order_is_only_claimed_where_there_are_ranks() -> None:
    assert "aria-sort" not in html.table([{"system": "a"}], sorting=Sorting())


# --- cards ---------------------------------------------------------------------------------------


def test_no_row_is_out_of_reach_on_a_phone(shown: Board) -> None:
    rows = tuple(
        replace(shown.rows[0], run_id=f"row-{n}", label=f"row {n}") for n in range(MOST_CARDS + 11)
    )
    made = cards_html(replace(shown, rows=rows), str)
    assert made.count("<li>") == len(rows)
    assert "<details><summary>11 more</summary>" in made


def test_a_card_keeps_intervals_whole_and_says_how_many_questions(shown: Board) -> None:
    row = replace(
        shown.rows[0],
        score=RowFigure(0.902, 0.881, 0.92, 10),
        cost=RowFigure(0.0383, 0.0194, 0.0573, 10),
        energy="modelled",
        questions=1986,
    )
    made = cards_html(replace(shown, rows=(row,)), str)
    assert '<dd>90.2\u00a0% <span class="mb-range">[88.1, 92.0]</span></dd>' in made
    assert '0.0383 <span class="mb-range">[0.0194, 0.0573]</span> modelled' in made
    assert "<dt>Questions</dt><dd>1,986</dd>" in made


def test_any_table_is_cards_on_a_phone_with_its_links() -> None:
    made = any_width([{"system": "a", "paper": "arXiv:2402.17753"}], "Systems", links={
        "paper": lambda record: address_in(record["paper"])
    })  # fmt: skip
    assert made.count("https://arxiv.org/abs/2402.17753") == 2


# --- scores --------------------------------------------------------------------------------------


def test_a_score_says_its_size_and_that_less_is_better() -> None:
    words = metric_words(get_task("halumem").card, "qa.omission")
    made = scores_html([MetricStanding(words, RowFigure(0.25, None, None, 2, few=True), {})])
    assert "25.0 % (too few cases)" in made
    assert "; n 2; less is better" in made
    assert "Brackets" not in made


def test_a_bar_is_as_long_as_its_score_and_its_brackets_are_explained() -> None:
    words = metric_words(get_task("halumem").card, "qa.omission")
    made = scores_html([MetricStanding(words, RowFigure(0.25, 0.2, 0.3, 40), {})])
    assert '<s style="width:25.00%"></s>' in made
    assert "25.0 % [20.0, 30.0]" in made
    assert "Brackets are 95 % intervals over cases" in made


# --- remarks -------------------------------------------------------------------------------------


def test_below_a_board_stands_how_to_read_it(shown: Board) -> None:
    words = " ".join(board_remarks(shown))
    card = get_task(shown.choice.task_name).card
    for part in (RANKS, DASH, brackets(shown), "Protocol: ", card.warning, shown.judge_wanted):
        assert part in words


def test_brackets_of_joules_are_the_meters(shown: Board, index: Index) -> None:
    assert "uncertainty of the meter" in brackets(shown)
    assert "meter" not in brackets(board(index, BoardQuery(axis="context_tokens")))


def test_a_board_that_shows_a_part_of_its_rows_says_so(shown: Board) -> None:
    part = limited(shown, None, rows=RowFilter(every=False))
    assert showing(part).startswith("Showing the best setting of each system (4 of 12 rows)")
    assert showing(shown) == ""


def test_what_is_missing_without_a_judge_is_a_sentence() -> None:
    card = get_task("persistbench").card
    said = judge_wanted(card, {"recalled.overlap"})
    assert "has no memory not used" not in said
    assert f'"{metric_words(card, card.main_metric).title}"' in said


# --- names and words -----------------------------------------------------------------------------


def other(shown: Board, group: str, protocol: str, questions: int) -> Board:
    """The same board under another protocol."""
    rows = tuple(replace(row, questions=questions) for row in shown.rows)
    choice = replace(shown.choice, group=group)
    return replace(shown, choice=choice, groups={group: protocol}, rows=rows, all_rows=rows)


def test_boards_of_one_division_are_told_apart_by_what_differs(shown: Board) -> None:
    same = [other(shown, "a", "reader x, k 10", 200), other(shown, "b", "reader x, k 5", 200)]
    assert [name.rest.partition(", ")[2] for name in board_names(same).values()] == ["k 10", "k 5"]


def test_boards_of_one_protocol_are_told_apart_by_their_questions(shown: Board) -> None:
    same = [other(shown, "a", "k 10", 2000), other(shown, "b", "k 10", 20)]
    titles = [name.title for name in board_names(same).values()]
    assert titles[0].endswith("2,000 questions") and titles[1].endswith("20 questions")


@pytest.mark.parametrize(("tokens", "told"), [(0, ""), (1000, ", tokens 1000")])
def test_an_option_of_the_task_is_told_where_it_was_set(tokens: int, told: str) -> None:
    key = ComparisonKey(
        task="synthetic", reader="x", judge="none", k=10, task_options={"tokens": tokens}
    )
    assert protocol(key) == f"reader x, no judge, k 10{told}"


def test_boards_of_a_part_of_the_questions_come_last_and_are_called_that(shown: Board) -> None:
    few = other(shown, "b", "k 10", 20)
    rows = tuple(replace(row, flags=("flag.partial",)) for row in few.rows)
    part = replace(few, rows=rows, all_rows=rows)
    names = board_names([part, other(shown, "a", "k 10", 2000)])
    division = shown.choice.division
    assert [name.rest for name in names.values()] == [f"{division}, 20 questions", division]
    page = chips(names, "", "")
    assert page.index(f">{division}<") < page.index("a part of") < page.index("20 questions<")


def test_boards_that_nothing_else_tells_apart_have_their_key(shown: Board) -> None:
    same = [other(shown, "abcdefgh", "k 10", 20), other(shown, "12345678", "k 10", 20)]
    assert len({name.title for name in board_names(same).values()}) == 2


def test_a_board_alone_is_named_by_task_and_division(shown: Board) -> None:
    (name,) = board_names([shown]).values()
    assert name.rest == shown.choice.division


def test_words_that_boards_link_are_in_the_glossary() -> None:
    assert set(LINKED) <= set(TERMS)
    told = {record["word"]: record["meaning"] for record in term_records()}
    assert "offline: no language model" in told["division"]
    assert "native:" in told["kind"]


def test_every_task_says_what_it_measures_in_words(index: Index) -> None:
    for line in task_lines(task_records(index)):
        card = get_task(line["task"]).card
        words = metric_words(card, card.main_metric)
        assert line["measures"] == f"{words.title}: {words.meaning}; {words.direction}."
        assert "ranked by" not in line


def test_no_tool_of_a_chart_sends_it_anywhere() -> None:
    assert "sendChartToCloud" in LOCAL_TOOLS["modeBarButtonsToRemove"]
