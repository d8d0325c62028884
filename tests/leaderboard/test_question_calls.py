"""The model calls behind a question: which they are, their texts, and who may read those."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from membench.harness.run import PLAYED, derive, rebuilt, start
from membench.leaderboard.views.model_calls import (
    NO_MODEL,
    NOT_NAMED,
    AskedQuestion,
    QuestionCalls,
    call_entries,
    owner_note,
    question_calls,
)
from membench.records.journal import Appender, read_lines
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.registry import get_task

pytestmark = pytest.mark.slow

SPEC = RunSpec(
    "session-summaries",
    "synthetic",
    "mini",
    limit=1,
    reader="scripted",
    judge="scripted",
    memory_model="scripted",
    embedder="scripted",
)
COUNTED = (("ingest", "memory"), ("ingest", "embedder"), ("recall", "embedder"))
"""What the system calls for one question with evidence in one session."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A recorded run."""
    out = tmp_path_factory.mktemp("calls")
    options = ExecOptions(out=out, run_id="recorded", cassette_mode="record")
    return start(SPEC, options).run


@pytest.fixture
def copy(run: RunDir, tmp_path: Path) -> RunDir:
    """One to change."""
    return RunDir(Path(shutil.copytree(run.path, tmp_path / "recorded")))


def asked(run: RunDir) -> AskedQuestion:
    """A question whose evidence is one turn."""
    for case, gold in rebuilt(run, ExecOptions()).cases():
        for event, question in gold.questions.items():
            if len(question.evidence) == 1:
                return AskedQuestion(
                    question.question_id, case, event, frozenset(question.evidence)
                )
    raise AssertionError


def places(found: QuestionCalls) -> tuple[tuple[str, str], ...]:
    return tuple((call.phase, call.role) for call in found.calls)


def test_every_call_of_the_question_and_of_its_evidence_is_there(run: RunDir) -> None:
    found = question_calls(run, asked(run))
    assert places(found) == (*COUNTED, ("answer", "reader"))
    assert all(call.usage.latency_s and call.usage.tokens for call in found.calls)
    assert not found.note


def test_prompts_and_replies_are_those_of_the_cassette(run: RunDir) -> None:
    question = asked(run)
    evidence = next(iter(question.evidence))
    summed_up, embedded, _, answered = question_calls(run, question).calls
    assert question.case.turns()[evidence].text in (summed_up.prompt or "")
    assert summed_up.reply
    assert embedded.reply == "(vectors: 1)"
    assert question.case.timeline[question.event].question.text in (answered.prompt or "")  # type: ignore[union-attr]
    assert summed_up.model == "scripted"


def test_texts_that_must_not_be_passed_on_come_with_the_reason_why_their_owner_sees_them() -> None:
    assert "CC-BY-NC-4.0" in owner_note(get_task("locomo").card)
    assert owner_note(get_task("synthetic").card) == ""


def test_a_run_that_recorded_nothing_says_how_to(copy: RunDir) -> None:
    copy.cassette.unlink()
    found = question_calls(copy, asked(copy))
    assert places(found) == (*COUNTED, ("answer", "reader"))
    assert "--cassette-mode record" in found.note


def test_a_cassette_elsewhere_is_named(copy: RunDir, tmp_path: Path) -> None:
    moved = copy.cassette.rename(tmp_path / "calls.sqlite")
    assert all(call.prompt for call in question_calls(copy, asked(copy), moved).calls)


def test_calls_of_abandoned_attempts_are_left_out_and_late_ones_marked(copy: RunDir) -> None:
    """A killed attempt, and a system that calls after it said that it was ready."""
    lines = list(read_lines(copy.spent))
    first = next(line for line in lines if line.get("event") == asked(copy).event)
    copy.spent.unlink()
    ledger = Appender(copy.spent)
    for line in (*lines, *lines, {**first, "late": True}):
        ledger.append(line)
    ledger.close()
    found = question_calls(copy, asked(copy))
    assert [call.note for call in found.calls] == ["", "", "", "late", ""]


def test_a_run_of_an_older_version_says_that_it_named_no_calls(copy: RunDir) -> None:
    lines = [{n: line[n] for n in ("role", "case", "usage")} for line in read_lines(copy.spent)]
    copy.spent.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert question_calls(copy, asked(copy)) == QuestionCalls((), NOT_NAMED)


def test_a_run_without_models_called_none(tmp_path: Path) -> None:
    spec = RunSpec("bm25", "synthetic", "mini", limit=1)
    plain = start(spec, ExecOptions(out=tmp_path)).run
    assert question_calls(plain, asked(plain)) == QuestionCalls((), NO_MODEL)


def test_a_replay_shows_the_same_calls_as_replayed(run: RunDir, tmp_path: Path) -> None:
    options = ExecOptions(out=tmp_path, cassette=run.cassette, cassette_mode="replay")
    replayed = start(SPEC, options).run
    found = question_calls(replayed, asked(replayed), run.cassette)
    assert {call.note for call in found.calls} == {"replayed"}
    before = question_calls(run, asked(run))
    assert [call.reply for call in found.calls] == [call.reply for call in before.calls]


def test_a_derived_run_shows_ingestion_from_its_parent_and_its_own_reader(run: RunDir) -> None:
    changes = {"reader": "refuse", "judge": "none"}
    options = ExecOptions(out=run.path.parent, run_id="refuses")
    derived = derive(run.path, changes, PLAYED, options)
    assert places(question_calls(derived.run, asked(run))) == COUNTED


def test_entries_are_plain_values(run: RunDir) -> None:
    entries = call_entries(question_calls(run, asked(run)))
    assert json.loads(json.dumps(entries)) == entries
    assert entries[0]["ms"] > 0
