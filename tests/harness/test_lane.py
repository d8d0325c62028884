"""Playing a case: one record per event, typed failures, numbered memories."""

from dataclasses import replace
from datetime import datetime

import pytest

from membench.adapters.parts.structured import ReplyCounts
from membench.domain.answer import Answer
from membench.domain.case import (
    Ask,
    Case,
    Feedback,
    Finalize,
    Ingest,
    Item,
    Probe,
    Question,
    Remember,
    Session,
    Turn,
)
from membench.domain.clock import Clock
from membench.domain.errors import Reason, SystemFault
from membench.domain.labels import Phase
from membench.domain.system import Memory, MemoryChange
from membench.harness.lanes.case_player import CaseJob, CasePlayer, PlaySettings
from membench.llm.phase_meter import NullPhaseMeter
from membench.records.journal import Appender, read_lines


def turn(number: int, words: str) -> Turn:
    return Turn(f"t{number}", "Ana", "user", words, f'Ana said, "{words}"')


SESSION = Session("s1", 0, (turn(1, "I bought a kayak."), turn(2, "It is green.")))
NOW = datetime(2024, 3, 1)
CASE = Case(
    "case",
    "locomo",
    (
        Ingest(SESSION),
        Finalize(),
        Probe("kayak", k=1),
        Ask(Question("What did Ana buy?", NOW), generations=2),
        Ask(Question("What colour is it?", NOW)),
    ),
)


class Notebook:
    """Remembers every turn and recalls them in order."""

    def __init__(self):
        self.calls = []
        self.turns = []

    def reset(self, case):
        self.calls.append(("reset", case.speakers))

    def ingest(self, session):
        self.turns += session.turns
        return [MemoryChange("add", self.memory(t)) for t in session.turns]

    def recall(self, query):
        self.calls.append(("recall", query))
        return [self.memory(t) for t in self.turns][: query.k]

    def memory(self, turn):
        return Memory(turn.text, (turn.id,), score=0.5)

    def close(self):
        self.calls.append(("close",))


def play(tmp_path, system, case=CASE, settings=None, granted=None, **options):
    records, texts = Appender(tmp_path / "play.jsonl"), Appender(tmp_path / "texts.jsonl")
    player = CasePlayer(
        CaseJob(case, 1, granted or {}),
        lambda: system,
        settings or PlaySettings(k=10),
        ignores_k=options.get("ignores_k", False),
        isolates_recalls=options.get("isolates_recalls", False),
        records=records,
        texts=texts,
        meter=NullPhaseMeter(),
        clock=Clock.start(),
    )
    player.play()
    player.close()
    records.close()
    texts.close()
    return list(read_lines(tmp_path / "play.jsonl")), list(read_lines(tmp_path / "texts.jsonl"))


def contents(records):
    return [(record["event"], record["phase"], record["content"]) for record in records]


def test_one_record_per_event_in_order(tmp_path):
    records, _ = play(tmp_path, Notebook())
    assert contents(records) == [
        (0, "ingest", {"status": "ok", "changes": 2}),
        (1, "finalize", {"status": "ok"}),
        (2, "recall", {"status": "ok", "k": 1, "memories": [0]}),
        (3, "recall", {"status": "ok", "k": 10, "memories": [0, 1]}),
        (4, "recall", {"status": "ok", "k": 10, "memories": [0, 1]}),
    ]


def test_each_recalled_memory_is_written_once_with_sources_hash_and_tokens(tmp_path):
    _, texts = play(tmp_path, Notebook())
    assert [(line["n"], line["sources"]) for line in texts] == [(0, ["t1"]), (1, ["t2"])]
    assert texts[0]["text"] == 'Ana said, "I bought a kayak."'
    assert texts[0]["tokens"] == 9
    assert len(texts[0]["sha256"]) == 64


def test_changes_are_listed_where_extraction_is_scored(tmp_path):
    records, texts = play(tmp_path, Notebook(), settings=PlaySettings(10, record_changes=True))
    assert records[0]["content"]["changes"] == [{"kind": "add", "n": 0}, {"kind": "add", "n": 1}]
    assert len(texts) == 2


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("two", "no list"),
        ([Memory("a note")], "no MemoryChange"),
        ([MemoryChange("add", "a note")], "no MemoryChange of a Memory"),
        ([MemoryChange("replace", Memory("a note"))], "kind 'replace'"),
    ],
)
def test_changes_that_break_the_contract_are_a_fault_of_the_system(
    tmp_path, reply, problem, listed
):
    class Odd(Notebook):
        def ingest(self, session):
            return reply

    records, _ = play(tmp_path, Odd(), settings=PlaySettings(10, record_changes=listed))
    assert records[0]["content"] == {"status": "failed", "reason": "system_bad_reply"}
    assert problem in records[0]["telemetry"]["error"]


@pytest.mark.parametrize("memory", [Memory("half \ud83d"), Memory("whole", ("half \ud83d",))])
def test_a_text_that_no_file_can_hold_is_a_fault_of_the_system(tmp_path, memory):
    """Generated text is cut anywhere, also inside an emoji; the lane must outlive it."""

    class Cut(Notebook):
        def recall(self, query):
            return [memory] if "buy" in query.text else super().recall(query)

    records, texts = play(tmp_path, Cut())
    assert [r["content"]["status"] for r in records] == ["ok", "ok", "ok", "failed", "ok"]
    assert records[3]["content"]["reason"] == "system_bad_reply"
    assert [line["n"] for line in texts] == [0, 1]


def test_cannot_tell_and_stored_nothing_are_different(tmp_path):
    class Secretive(Notebook):
        def ingest(self, session):
            return None

    class Forgetful(Notebook):
        def ingest(self, session):
            return []

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    secretive, _ = play(tmp_path / "a", Secretive())
    forgetful, _ = play(tmp_path / "b", Forgetful())
    assert secretive[0]["content"]["changes"] is None
    assert forgetful[0]["content"]["changes"] == 0


def test_the_event_fixes_k_before_the_run_does_and_now_is_the_datasets(tmp_path):
    system = Notebook()
    play(tmp_path, system, settings=PlaySettings(k=7))
    queries = [call[1] for call in system.calls if call[0] == "recall"]
    assert [query.k for query in queries] == [1, 7, 7]
    assert queries[1].now == NOW
    assert all(query.granted is None for query in queries)


def test_evidence_is_granted_only_where_the_harness_says_so(tmp_path):
    system = Notebook()
    play(tmp_path, system, granted={3: ("t1",)})
    granted = [call[1].granted for call in system.calls if call[0] == "recall"]
    assert granted == [None, ("t1",), None]


def test_a_failed_recall_fails_that_question_alone(tmp_path):
    class Moody(Notebook):
        def recall(self, query):
            if "buy" in query.text:
                raise RuntimeError("no")
            return super().recall(query)

    records, _ = play(tmp_path, Moody())
    assert [r["content"]["status"] for r in records] == ["ok", "ok", "ok", "failed", "ok"]
    assert records[3]["content"] == {"status": "failed", "reason": "system_error"}
    assert records[3]["telemetry"]["error"] == "RuntimeError: no"


def test_after_a_failed_ingest_nothing_is_a_wrong_answer(tmp_path):
    class Broken(Notebook):
        def ingest(self, session):
            raise SystemFault(Reason.SYSTEM_TIMEOUT, "too slow")

    records, _ = play(tmp_path, Broken())
    reasons = [record["content"]["reason"] for record in records]
    assert reasons == ["system_timeout", *["earlier_event_failed"] * 4]


def test_a_system_that_cannot_start_fails_its_case(tmp_path):
    class Stillborn(Notebook):
        def reset(self, case):
            raise MemoryError

    records, _ = play(tmp_path, Stillborn())
    reasons = [record["content"]["reason"] for record in records]
    assert reasons == ["system_memory", *["earlier_event_failed"] * 4]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (None, "list of Memory"),
        (["text"], "list of Memory"),
        ([Memory("a"), Memory("b"), Memory("c")], "3 memories for k=2"),
    ],
)
def test_a_reply_that_breaks_the_contract_is_a_fault_of_the_system(tmp_path, reply, problem):
    class Odd(Notebook):
        def recall(self, query):
            return reply

    asks = replace(CASE, timeline=CASE.timeline[3:])
    records, _ = play(tmp_path, Odd(), asks, PlaySettings(k=2))
    assert records[0]["content"] == {"status": "failed", "reason": "system_bad_reply"}
    assert problem in records[0]["telemetry"]["error"]


def new_folder(folder, name):
    """A folder of a run of its own."""
    (folder / name).mkdir()
    return folder / name


@pytest.mark.parametrize(
    ("memory", "field"),
    [
        (Memory(7), "text"),
        (Memory(None), "text"),
        (Memory("a", None), "sources"),
        (Memory("a", "t1"), "sources"),
        (Memory("a", (1,)), "sources"),
        (Memory("a", time="2024-01-01"), "time"),
        (Memory("a", score="high"), "score"),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_a_memory_with_a_field_of_another_type_is_a_fault_of_the_system(
    tmp_path, memory, field, listed
):
    class Recalls(Notebook):
        def recall(self, query):
            return [memory]

    class Stores(Notebook):
        def ingest(self, session):
            return [MemoryChange("add", memory)]

    settings = PlaySettings(10, record_changes=listed)
    recalled, _ = play(new_folder(tmp_path, "recall"), Recalls(), settings=settings)
    stored, _ = play(new_folder(tmp_path, "store"), Stores(), settings=settings)
    for record in (recalled[3], stored[0]):
        assert record["content"] == {"status": "failed", "reason": "system_bad_reply"}
        assert f"'{field}' of a memory" in record["telemetry"]["error"]


def test_an_answer_that_is_no_text_is_a_fault_of_the_system(tmp_path):
    class Counts(Notebook):
        def answer(self, query):
            return Answer(3)

    asks = replace(CASE, timeline=CASE.timeline[3:])
    records, _ = play(tmp_path, Counts(), asks, PlaySettings(k=2, own_answer=True))
    assert records[0]["content"] == {"status": "failed", "reason": "system_bad_reply"}


def test_a_budget_that_is_exceeded_is_a_fault_of_the_system(tmp_path):
    records, _ = play(tmp_path, Notebook(), settings=PlaySettings(10, token_budget=12))
    assert [r["content"]["status"] for r in records] == ["ok", "ok", "ok", "failed", "failed"]


def test_items_reach_a_system_without_remember_as_a_session_of_one_turn(tmp_path):
    system = Notebook()
    case = Case("c", "persistbench", (Remember(Item("i1", "User likes tea.")), *CASE.timeline[3:]))
    records, texts = play(tmp_path, system, case)
    assert records[0]["telemetry"]["turns"] == 1
    assert texts[0]["sources"] == ["i1"]


def test_a_system_may_answer_itself(tmp_path):
    class Talker(Notebook):
        def answer(self, query):
            return Answer("a kayak")

    records, _ = play(tmp_path, Talker(), settings=PlaySettings(10, own_answer=True))
    assert records[3]["content"]["answer"]["text"] == "a kayak"
    assert "answer" not in records[2]["content"]


def test_feedback_goes_to_systems_that_learn_from_it(tmp_path):
    class Learner(Notebook):
        def feedback(self, feedback):
            self.calls.append(("feedback", feedback.text))

    system = Learner()
    play(tmp_path, system, Case("c", "t", (Feedback(0, "wrong", success=False),)))
    assert ("feedback", "wrong") in system.calls


def test_a_wave_plays_phase_by_phase_what_a_free_run_plays_at_once(tmp_path):
    system = Notebook()
    (tmp_path / "free").mkdir()
    free, _ = play(tmp_path / "free", Notebook())
    records, texts = Appender(tmp_path / "play.jsonl"), Appender(tmp_path / "texts.jsonl")
    player = CasePlayer(
        CaseJob(CASE),
        lambda: system,
        PlaySettings(k=10),
        ignores_k=False,
        records=records,
        texts=texts,
        meter=NullPhaseMeter(),
        clock=Clock.start(),
    )
    for phase, done in ((Phase.INGEST, False), (Phase.FINALIZE, False), (Phase.RECALL, True)):
        player.play(until=phase)
        assert player.done is done
    records.close()
    texts.close()
    assert contents(read_lines(tmp_path / "play.jsonl")) == contents(free)


class Forgetful(Notebook):
    """Loses what it recalls, and can be put back."""

    def recall(self, query):
        found = super().recall(query)
        self.turns = self.turns[len(found) :]
        return found

    def snapshot(self, folder):
        (folder / "turns").write_text(" ".join(turn.id for turn in self.turns))

    def restore(self, folder):
        kept = (folder / "turns").read_text().split()
        self.turns = [turn for turn in SESSION.turns if turn.id in kept]


def test_a_store_that_changes_on_recall_is_put_back_after_each_question(tmp_path):
    records, _ = play(tmp_path, Forgetful(), isolates_recalls=True)
    assert [r["content"].get("memories") for r in records[2:]] == [[0], [0, 1], [0, 1]]


class Unsavable(Forgetful):
    """Cannot be saved."""

    def snapshot(self, folder):
        raise OSError("locked")


class Unrestorable(Forgetful):
    """Cannot be put back."""

    def restore(self, folder):
        raise OSError("locked")


def test_a_store_that_cannot_be_saved_fails_its_questions_and_nothing_else(tmp_path):
    records, _ = play(tmp_path, Unsavable(), isolates_recalls=True)
    assert [r["content"]["status"] for r in records] == ["ok", "ok", "failed", "failed", "failed"]
    assert {r["content"]["reason"] for r in records[2:]} == {"system_error"}


def test_after_a_store_that_was_not_put_back_no_question_is_asked(tmp_path):
    records, _ = play(tmp_path, Unrestorable(), isolates_recalls=True)
    reasons = [r["content"].get("reason") for r in records[2:]]
    assert reasons == ["system_error", "earlier_event_failed", "earlier_event_failed"]


def test_otherwise_a_question_changes_what_the_next_one_finds(tmp_path):
    records, _ = play(tmp_path, Forgetful())
    assert [r["content"].get("memories") for r in records[2:]] == [[0], [1], []]


class Secretive(Notebook):
    """Fails when it is asked about itself."""

    def store_bytes(self):
        raise OSError("locked")

    reply_counts = store_bytes


def test_a_system_that_cannot_say_its_size_fails_no_event(tmp_path):
    records, _ = play(tmp_path, Secretive())
    assert {r["content"]["status"] for r in records} == {"ok"}
    assert all(r["telemetry"].get("store_bytes") is None for r in records)


class Counting(Notebook):
    """Counts the replies of a model it does not have."""

    def __init__(self):
        super().__init__()
        self.counts = ReplyCounts()

    def ingest(self, session):
        self.counts.asked += 2
        self.counts.unusable += 1
        return super().ingest(session)

    def reply_counts(self):
        return self.counts

    def store_bytes(self):
        return 10 * len(self.turns)


def test_what_became_of_a_systems_replies_is_in_the_record_of_the_event(tmp_path):
    records, _ = play(tmp_path, Counting())
    assert records[0]["telemetry"]["replies"] == {"asked": 2, "unusable": 1}
    assert all("replies" not in record["telemetry"] for record in records[1:])


def test_the_size_of_a_store_is_told_after_what_may_change_it(tmp_path):
    records, _ = play(tmp_path, Counting())
    assert [r["telemetry"].get("store_bytes") for r in records] == [20, 20, None, None, None]
