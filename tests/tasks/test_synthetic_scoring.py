"""Scoring generated cases: exact, without a judge, failures told apart from wrong answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.domain.case import Ingest
from membench.domain.outcome import Answered, Ingested, Outcome, PlayedCase, Recalled
from membench.domain.system import Memory, MemoryChange
from membench.tasks.find import find_source
from membench.tasks.generation.match import holds, words
from membench.tasks.registry import get_task
from membench.tasks.synthetic.gold import UNANSWERABLE, StorePoint, SyntheticQuestion
from membench.tasks.synthetic.scoring import LONGEST, answer_values, is_exact, is_right, score_case
from membench.tasks.synthetic.store import Heard, Store, score_store
from tests.tasks.playing import OK, OPAQUE, load, play

SYNTHETIC = get_task("synthetic")
FAILED = Outcome(False, "timeout")

TOWN = SyntheticQuestion(
    "q",
    "update",
    ("S2:1",),
    "Thornwick",
    accepted=("Thornwick",),
    decoys=("Fernholm", "Pellgate"),
    stale=("Fernholm",),
)
DAYS = SyntheticQuestion(
    "q",
    "temporal",
    ("S1:1", "S2:1"),
    "12 days",
    accepted=("12 days", "twelve days"),
    alone=("12", "twelve"),
    told=False,
)
NOTHING = SyntheticQuestion("q", UNANSWERABLE, answer="not mentioned", decoys=("Pellgate",))


@pytest.fixture(scope="module")
def case():
    return load(SYNTHETIC(), find_source(SYNTHETIC, "sample", None))[0]


# --- answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Thornwick", True),
        ("You live in THORNWICK now.", True),
        ("thornwick's market square", True),
        ("Thornwickshire", False),
        ("Thorn wick", False),
        ("Fernholm", False),
        ("", False),
        ("I do not know.", False),
        ("Thornwick " * (LONGEST + 1), False),
    ],
)
def test_an_answer_is_right_if_it_holds_the_value(answer, right):
    assert is_right(answer, TOWN) is right


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("12", True),
        ("twelve", True),
        ("Twelve.", True),
        ("It was 12 days", True),
        ("12 March", False),
        ("112 days", False),
        ("112", False),
    ],
)
def test_a_bare_number_is_right_only_alone(answer, right):
    assert is_right(answer, DAYS) is right


@pytest.mark.parametrize(
    ("answer", "right"),
    [("Not mentioned.", True), ("I don't know", True), ("Pellgate", False), ("", False)],
)
def test_only_a_refusal_answers_what_was_never_said(answer, right):
    assert is_right(answer, NOTHING) is right
    assert answer_values(NOTHING, answer)["refusal"] == float(right)


def test_a_strictly_right_answer_names_no_other_value():
    both = answer_values(TOWN, "Fernholm, now Thornwick")
    assert (both["accuracy"], both["strict.accuracy"], both["answer.stale"]) == (1.0, 0.0, 0.0)
    old = answer_values(TOWN, "in Fernholm")
    assert (old["accuracy"], old["answer.stale"]) == (0.0, 1.0)


def test_an_exact_answer_is_the_value_alone():
    assert is_exact("The Thornwick", TOWN)
    assert not is_exact("in Thornwick", TOWN)
    assert answer_values(TOWN, "in Thornwick")["f1"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("date", ["2023-01-13", "January 13, 2023", "the 13th of January 2023"])
def test_a_date_may_be_written_in_several_ways(case, date):
    from datetime import date as day

    from membench.tasks.synthetic.dates import spellings

    asked = replace(DAYS, accepted=spellings(day(2023, 1, 13)), alone=())
    assert is_right(f"It was {date}.", asked)
    assert not is_right(date.replace("13", "14"), asked)


def test_commas_in_numbers_and_hyphens_are_no_difference():
    assert words("1,735 euros for candle-making, Dr. Eckmann's") == (
        *("1735", "euros", "for", "candle", "making", "dr", "eckmann"),
    )


@given(st.text(), st.text(min_size=1))
def test_a_text_holds_itself_and_what_it_is_extended_by(text, more):
    if words(text):
        assert holds(words(f"{more} {text} {more}"), text)


# --- rows --------------------------------------------------------------------------------------


def metrics_of(rows):
    return {name: m.value for name, m in SYNTHETIC().aggregate(rows).metrics.items()}


def test_gold_answers_from_gold_evidence_are_perfect(case):
    made = metrics_of(SYNTHETIC().score(play(*case), case[1], {}))
    for name in ("accuracy", "answerable.accuracy", "refusal", "exact", "f1"):
        assert made[name] == 1.0, name
    assert made["evidence.turn.recall@10"] == made["evidence.turn.mrr"] == 1.0
    assert made["answer.stale"] == 0.0


def test_refusing_everything_earns_the_unanswerable_ones_only(case):
    made = metrics_of(score_case(play(*case, answer=lambda q: "Not mentioned"), case[1]))
    share = sum(q.category == UNANSWERABLE for q in case[1].questions.values()) / 10
    assert made["accuracy"] == share
    assert made["answerable.accuracy"] == 0.0
    assert made["refusal"] == 1.0


def test_a_failed_answer_is_no_wrong_answer_and_counts_as_one(case):
    played = play(*case)
    event = next(e for e, q in case[1].questions.items() if q.category != UNANSWERABLE)
    answered = {**played.answered, event: (Answered(FAILED),)}
    rows = score_case(replace(played, answered=answered), case[1])
    row = next(row for row in rows if row.event == event)
    assert (row.status, row.reason) == ("failed", "timeout")
    made = metrics_of(rows)
    assert made["accuracy"] == 0.9
    assert made["accuracy.scored"] == 1.0
    assert made["evidence.turn.recall@10"] == 1.0


def test_a_failed_recall_fails_the_row_and_its_evidence(case):
    played = play(*case)
    event = next(e for e, q in case[1].questions.items() if q.category != UNANSWERABLE)
    recalled = {**played.recalled, event: Recalled(FAILED, k=10)}
    rows = score_case(replace(played, recalled=recalled), case[1])
    row = next(row for row in rows if row.event == event)
    assert row.status == "failed"
    assert row.values["evidence.turn.recall@10"] is None
    assert metrics_of(rows)["evidence.turn.recall@10"] < 1.0


def test_a_case_that_was_never_played_is_missing_not_wrong(case):
    rows = score_case(PlayedCase(case[0]), case[1])
    assert {(row.status, row.reason) for row in rows} == {("failed", "missing")}


def test_memories_without_sources_have_no_evidence_figures_but_text_ones(case):
    played = play(*case)
    bare = {
        event: replace(r, memories=tuple(Memory(m.text) for m in r.memories))
        for event, r in played.recalled.items()
    }
    rows = score_case(replace(played, recalled=bare), case[1])
    made = SYNTHETIC().aggregate(rows).metrics
    assert made["evidence.turn.recall@10"].n == 0
    assert made["recalled.answer"].n > 0


def test_what_was_recalled_is_looked_through_for_old_and_new_values(case):
    played = play(*case)
    turns = case[0].turns()
    texts = {
        event: replace(
            r, memories=tuple(Memory(turns[s].text, (s,)) for m in r.memories for s in m.sources)
        )
        for event, r in played.recalled.items()
    }
    made = metrics_of(score_case(replace(played, recalled=texts), case[1]))
    assert made["recalled.answer"] == 1.0
    assert made["recalled.stale"] == 0.0


def test_scoring_is_pure(case):
    task, played = SYNTHETIC(), play(*case)
    assert task.score(played, case[1], {}) == task.score(played, case[1], {})


# --- the store ---------------------------------------------------------------------------------


def add(text: str, name: str | None = None, kind="add") -> MemoryChange:
    return MemoryChange(kind, Memory(text, id=name))


def stored(case, changes) -> dict:
    """Metrics of a store to which each session did what `changes` says."""
    played = PlayedCase(
        case[0],
        ingested={
            event: Ingested(OK, changes(event, told.session))
            for event, told in enumerate(case[0].timeline)
            if isinstance(told, Ingest)
        },
    )
    return metrics_of(score_store(played, case[1]))


def test_a_log_of_every_turn_recalls_all_and_keeps_what_is_stale(case):
    made = stored(case, lambda _, session: tuple(add(turn.text) for turn in session.turns))
    assert made["memory.recall"] == made["memory.kept"] == 1.0
    assert made["memory.stale"] == 1.0
    assert made["memory.invented"] == 0.0


def test_a_store_of_nothing_recalls_nothing_and_holds_nothing_stale(case):
    made = stored(case, lambda *_: ())
    assert made["memory.recall"] == made["memory.kept"] == made["memory.stale"] == 0.0
    assert "memory.invented" not in made


def test_a_store_that_cannot_tell_has_no_figures_and_says_so(case):
    played = PlayedCase(case[0], ingested={0: Ingested(OK, None)})
    made = SYNTHETIC().aggregate(score_store(played, case[1]))
    assert not any(name.startswith("memory.") for name in made.metrics)
    assert any("n/a, not 0" in note for note in made.notes)


def test_a_failed_session_counts_as_not_recalled(case):
    points = next(iter(case[1].points.items()))
    played = PlayedCase(case[0], ingested={points[0]: Ingested(FAILED)})
    rows = [row for row in score_store(played, case[1]) if "memory.recall" in row.values]
    assert len(rows) == len(points[1])
    assert metrics_of(rows)["memory.recall"] == 0.0


def ideal(case, wanted):
    """What an ideal store would do with a session: one memory per point, updated in place."""
    ids: dict[str, str] = {}

    def changes(event, _session):
        done = []
        for number, point in enumerate(case[1].points.get(event, ())):
            name = ids.pop(point.replaces or "", f"{event}/{number}")
            ids[point.phrases[0]] = name
            kind = "update" if point.replaces and wanted == "update" else "add"
            subject = " ".join(point.subject)
            done.append(add(f"{subject} {point.phrases[0]}", name, kind))
        return tuple(done)

    return changes


def test_an_ideal_store_is_perfect(case):
    made = stored(case, ideal(case, "update"))
    assert made["memory.recall"] == made["memory.kept"] == 1.0
    assert made["memory.stale"] == made["memory.invented"] == 0.0


POINT = StorePoint("fact", ("Thornwick",), ("Nadia", "sister"), replaces="Fernholm")


@pytest.mark.parametrize(
    ("changes", "held", "stale"),
    [
        ([add("Nadia lives in Fernholm", "1")], False, True),
        ([add("Nadia lives in Thornwick", "1")], True, False),
        ([add("She lives in Thornwick", "1")], False, False),
        ([add("The user's sister moved from Fernholm to Thornwick", "1")], True, False),
        ([add("Nadia: Fernholm", "1"), add("Nadia: Thornwick", "2")], True, True),
        ([add("Nadia: Fernholm", "1"), add("Nadia: Thornwick", "1", "update")], True, False),
        ([add("Nadia: Fernholm", "1"), add("Nadia: Fernholm", "1", "delete")], False, False),
        ([add("Nadia: Fernholm"), add("Nadia: Fernholm", None, "delete")], False, False),
        ([add("", "1"), add("...", "1", "update")], False, False),
    ],
)
def test_a_store_follows_changes(changes, held, stale):
    store = Store()
    for change in changes:
        store.apply(change)
    assert (store.holds(POINT), store.is_stale(POINT)) == (held, stale)
    assert not store.blurred


def test_an_update_of_nothing_known_blurs_the_store():
    store = Store()
    store.apply(add("Nadia lives in Thornwick", None, "update"))
    assert store.blurred
    assert store.holds(POINT)


@pytest.mark.parametrize(
    ("memory", "invented"),
    [
        ("Nadia settled in Thornwick on 13 January 2023", False),
        ("User's sister is Nadia", False),
        ("The user pays 1735 euros", False),
        ("Nadia settled in Brackford", True),
        ("Brackford", True),
        ("The user's sister is called Sarah", True),
        ("The user pays 1753 euros", True),
        ("It was on Friday, the 3rd of March 2024 at 14:30", False),
        ("User Prefers Short Answers And Long Walks", False),
        ("", False),
    ],
)
def test_a_memory_is_invented_if_it_names_what_nobody_said(memory, invented):
    heard = Heard()
    heard.hear(["My sister Nadia has settled in Thornwick.", "I pay 1735 euros."])
    assert heard.is_invented(memory) is invented


@given(st.text())
def test_any_memory_can_be_looked_at(memory):
    heard = Heard()
    heard.hear([memory])
    assert not heard.is_invented(memory)
    Store().apply(add(memory))
    Heard().is_invented("9" * 5000)


def test_ids_of_rows_are_unique(case):
    def log(_, session):
        return tuple(add(turn.text) for turn in session.turns)

    played = replace(
        play(*case),
        ingested={
            event: Ingested(OK, log(event, told.session))
            for event, told in enumerate(case[0].timeline)
            if isinstance(told, Ingest)
        },
    )
    ids = [row.item_id for row in score_case(played, case[1])]
    assert len(set(ids)) == len(ids)


def test_official_ids_stay_out_of_the_public_case():
    case, gold = load(SYNTHETIC(), find_source(SYNTHETIC, "sample", None))[0]
    assert case.id == OPAQUE(gold.case_id)
