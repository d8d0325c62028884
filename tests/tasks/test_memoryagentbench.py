"""MemoryAgentBench: tables in every form, chunks that lose nothing, official figures."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.domain.case import Ask, Finalize, Ingest
from membench.domain.errors import DataError, UsageError
from membench.domain.outcome import Answered, Outcome
from membench.tasks.files.source import Source
from membench.tasks.files.tables import stream_rows
from membench.tasks.find import find_source
from membench.tasks.memoryagentbench.gold import SOURCES, MemoryAgentBenchQuestion, category_of
from membench.tasks.memoryagentbench.loader import pack
from membench.tasks.memoryagentbench.scoring import (
    LONGEST,
    answer_values,
    normalise,
    parsed,
    score_case,
)
from membench.tasks.registry import get_task
from membench.testing.leaks import leaks, poisoned
from membench.tokens import count_tokens
from tests.tasks.playing import OPAQUE, load, loads_or_is_refused, mutated, play

TASK = get_task("memoryagentbench")
ROWS = json.loads(TASK.sample().read_text())


def source_of(path: Path, rows=ROWS) -> Source:
    """The rows in the form that the file's name asks for, written by `datasets` where it can."""
    if path.suffix in (".parquet", ".arrow"):
        datasets = pytest.importorskip("datasets")
        table = datasets.Dataset.from_list(rows)
        if path.suffix == ".parquet":
            table.to_parquet(path)
        else:
            table.save_to_disk(path.parent / "saved")
            (path.parent / "saved" / "data-00000-of-00001.arrow").rename(path)
    elif ".jsonl" in path.suffixes:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        content = json.dumps(rows).encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return Source(path, "sample")


FORMS = ["x.parquet", "x.arrow", "x.json", "x.json.gz", "x.jsonl"]


# --- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMS)
def test_a_table_gives_the_same_cases_in_every_form(tmp_path, name):
    assert load(TASK(), source_of(tmp_path / name)) == load(TASK(), Source(TASK.sample(), "sample"))


@pytest.mark.parametrize("name", ["Conflict_Resolution-00000-of-00001.parquet"])
def test_the_hubs_file_is_found_by_its_name(tmp_path, name):
    (tmp_path / "memoryagentbench").mkdir()
    source_of(tmp_path / "memoryagentbench" / name, ROWS[:2])
    found = find_source(TASK, None, tmp_path)
    assert (found.path.name, found.split) == (name, "conflict_resolution")
    assert TASK.identify(found).name == "unknown"
    assert len(load(TASK(), found)) == 2


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table" * 100])
def test_a_broken_table_is_refused_with_its_file(tmp_path, name, content):
    pytest.importorskip("datasets")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        list(stream_rows(Source(tmp_path / name, "sample")))


def test_a_table_that_is_not_there_is_refused(tmp_path):
    pytest.importorskip("datasets")
    with pytest.raises(DataError, match="cannot be read"):
        list(stream_rows(Source(tmp_path / "x.parquet", "sample")))


def test_a_table_without_the_library_names_the_extra(tmp_path, monkeypatch):
    source = source_of(tmp_path / "x.parquet")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match="needs the library 'datasets'") as caught:
        list(stream_rows(source))
    assert "membench[data]" in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(mutated(ROWS))
def test_a_mutated_file_loads_or_is_refused_with_its_place(tmp_path_factory, rows):
    loads_or_is_refused(TASK(), tmp_path_factory.mktemp("mutated") / "x.json", rows)


def broken(change) -> list:
    rows = json.loads(json.dumps(ROWS))
    change(rows)
    return rows


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: rows.clear(), "no row"),
        (lambda rows: rows[0]["questions"].pop(), "do not go with"),
        (lambda rows: rows[0]["metadata"].update(source="other_1"), "no known source"),
        (lambda rows: rows[1]["answers"].__setitem__(0, []), "empty list"),
        (lambda rows: rows.append(rows[0]), "already there"),
        (lambda rows: rows[0].update(context=" "), "blank"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(tmp_path, change, problem):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(broken(change)))
    with pytest.raises(DataError, match=problem):
        load(TASK(), Source(path, "sample"))


# --- cases -------------------------------------------------------------------------------------

PUBLIC = ("context", "questions")


def test_nothing_private_crosses_into_a_lane(tmp_path):
    private = poisoned(ROWS, lambda key: key not in (*PUBLIC, "", "source"))
    path = tmp_path / "x.json"
    path.write_text(json.dumps(private))
    for case, gold in load(TASK(), Source(path, "sample")):
        assert leaks(case) == []
        assert leaks(gold)


def test_a_case_is_its_chunks_then_its_questions():
    for case, gold in load(TASK(), Source(TASK.sample(), "sample")):
        kinds = [type(event) for event in case.timeline]
        assert kinds == [Ingest] * kinds.count(Ingest) + [Finalize] + [Ask] * len(gold.questions)
        assert case.id == OPAQUE(gold.case_id)


def test_a_source_is_known_by_how_it_begins():
    assert category_of("ruler_qa1_197K") == SOURCES["ruler_qa"]
    assert category_of("eventqa_65536") == SOURCES["eventqa"]
    assert category_of("icl_banking77_5900shot_balance") == SOURCES["icl"]
    assert category_of("longmemeval_s*") == SOURCES["longmemeval"]
    assert category_of("new") is None


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, max_size=600), st.integers(64, 100))
def test_chunks_lose_nothing_and_keep_to_their_size(text, limit):
    chunks = pack(text, limit)
    assert "".join(chunks) == text
    # tokens of joined lines differ by a little from their sum
    assert all(count_tokens(chunk) <= limit * 1.1 for chunk in chunks)


def test_a_fact_is_not_cut_in_two():
    facts = [f"{n}. The mayor of town {n} is person {n}." for n in range(400)]
    chunks = pack("\n".join(facts), 200)
    assert len(chunks) > 20
    assert [line for chunk in chunks for line in chunk.splitlines()] == facts


def test_a_line_that_is_too_long_is_cut_after_a_sentence():
    text = "She rowed on and on. " * 100
    chunks = pack(text, 64)
    assert all(chunk.endswith(". ") for chunk in chunks)


def test_a_chunk_that_is_too_small_is_refused():
    with pytest.raises(UsageError, match="at least 64"):
        TASK({"chunk_tokens": 10})


# --- scoring -----------------------------------------------------------------------------------


def question(source: str, *answers: str) -> MemoryAgentBenchQuestion:
    return MemoryAgentBenchQuestion("q", SOURCES[source], (), answers[0], answers)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("Answer: Rodez", "Rodez"),
        ("I see.\nanswer: Answer: Rodez \nMore", "Rodez"),
        ("Rodez\nbecause", "Rodez"),
        ("\nRodez", ""),
        ("", ""),
    ],
)
def test_output_is_parsed_as_the_script_does(output, expected):
    assert parsed(output) == expected


def test_normalising_drops_case_marks_and_articles():
    assert normalise("The  Theatre, an Opera-House!") == "theatre operahouse"


def test_conflicts_are_scored_by_substring_over_all_answers():
    values = answer_values(question("factconsolidation_sh", "Rodez", "Lyon"), "It is in Lyon.")
    assert values["accuracy"] == values["substring_exact_match"] == 1.0
    assert values["exact_match"] == 0.0


def test_labels_are_compared_exactly_and_as_parsed():
    labels = question("icl", "7")
    assert answer_values(labels, "Answer: 7")["accuracy"] == 1.0
    assert answer_values(labels, "so\n7")["accuracy"] == 0.0
    assert answer_values(labels, "label: 7")["accuracy"] == 0.0


def test_events_need_every_answer():
    events = question("eventqa", "she left", "he slept")
    assert answer_values(events, "She left. He slept.")["accuracy"] == 1.0
    assert answer_values(events, "She left.")["accuracy"] == 0.0


def test_yes_and_no_earn_no_part_of_an_f1():
    assert answer_values(question("ruler_qa", "yes"), "yes it is")["f1"] == 0.0


def test_a_list_of_everything_is_not_strictly_right():
    values = answer_values(question("ruler_qa", "Rodez"), "Rodez " + "word " * LONGEST)
    assert (values["accuracy"], values["strict.accuracy"]) == (1.0, 0.0)


def test_gold_answers_are_right_and_what_needs_a_judge_has_no_accuracy():
    rows = [
        row
        for case, gold in load(TASK(), Source(TASK.sample(), "sample"))
        for row in score_case(play(case, gold), gold)
    ]
    without = [row.category for row in rows if "no_accuracy" in row.flags]
    assert without == [SOURCES["longmemeval"]]
    made = TASK().aggregate(rows)
    accuracy = made.metrics["accuracy"]
    assert accuracy.value == made.metrics["strict.accuracy"].value == 1.0
    assert accuracy.n == 6
    assert any("1 questions have no accuracy" in note for note in made.notes)


def test_a_failed_answer_is_failed():
    case, gold = load(TASK(), Source(TASK.sample(), "sample"))[0]
    played = play(case, gold)
    event = next(iter(gold.questions))
    failed = {**played.answered, event: (Answered(Outcome(False, "timeout")),)}
    rows = score_case(type(played)(case, recalled=played.recalled, answered=failed), gold)
    assert (rows[0].status, rows[0].reason) == ("failed", "timeout")
    assert rows[1].status == "scored"


@pytest.mark.data
def test_the_real_conflict_table_loads_whole(real_file):
    cases = list(TASK().cases(Source(real_file, "conflict_resolution"), OPAQUE))
    assert len(cases) == 8
    assert sum(len(gold.questions) for _, gold in cases) == 800
    rows = [row for case, gold in cases[:1] for row in score_case(play(case, gold), gold)]
    assert TASK().aggregate(rows).metrics["accuracy"].value == 1.0


@pytest.fixture
def real_file():
    import os

    folder = os.environ.get("MEMBENCH_DATA")
    path = Path(folder or "") / "memoryagentbench" / "Conflict_Resolution.json.gz"
    if folder is None or not path.is_file():
        pytest.skip("MEMBENCH_DATA is not set, or has no such file")
    return path
