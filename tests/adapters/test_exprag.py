"""ExpRAG: an episode comes back whole, found by its task, with what feedback said of it."""

from pathlib import Path

from native import playing, talk
from stream import episode, live, texts

from membench.domain.case import Feedback
from membench.domain.system import Query


def test_an_episode_is_found_by_its_task_though_the_lesson_shares_no_word_with_it(
    tmp_path: Path,
) -> None:
    """Plain retrieval over turns finds the task of the earlier episode, and not what it taught."""
    stream = [("the pump leaks", "I ran Amber.", "No use."), ("tea", "I ran Teal.", "Yes, Teal.")]
    with playing("exprag", tmp_path, index="bm25", experiences=1) as (system, _):
        for number, (task, attempt, said) in enumerate(stream):
            live(system, number, task, attempt, said, success=number == 1)
        (found,) = system.recall(Query("a pump that leaks", 10))
    assert found.text == (
        "Task: the pump leaks\nAttempt: I ran Amber.\nFeedback: No use.\nOutcome: it failed"
    )
    assert found.sources == ("t0:0", "t0:1", "t0:2")
    with playing("bm25", tmp_path, ties="stable") as (plain, _):
        for number, (task, attempt, said) in enumerate(stream):
            plain.ingest(episode(number, task, attempt, said))
        assert plain.recall(Query("a pump that leaks", 1))[0].sources == ("t0:0",)


def test_feedback_writes_the_outcome_under_the_same_memory(tmp_path: Path) -> None:
    with playing("exprag", tmp_path, index="bm25") as (system, _):
        (stored,) = system.ingest(episode(0, "pump", "Amber", "Yes."))
        assert "Outcome" not in stored.memory.text
        (change,) = system.feedback(Feedback(0, "Yes.", success=True))
        assert (change.kind, change.memory.id) == ("update", stored.memory.id)
        assert change.memory.text.endswith("Outcome: it worked")


def test_feedback_without_an_episode_or_without_an_outcome_is_no_outcome(tmp_path: Path) -> None:
    with playing("exprag", tmp_path, index="bm25") as (system, _):
        assert system.feedback(Feedback(0, "Yes.", success=True)) == []
        assert live(system, 0, "pump", "Amber", "Hm.", None) == []
        live(system, 1, "pump", "Amber", "Yes.", success=True)
        assert system.feedback(Feedback(3, "Yes.", success=True)) == []
        assert texts(system, "pump", 1) == ["Task: pump\nAttempt: Amber\nFeedback: Hm."]


def test_no_more_than_its_number_of_experiences_is_recalled(tmp_path: Path) -> None:
    with playing("exprag", tmp_path, index="bm25", experiences=2) as (system, _):
        for number in range(5):
            live(system, number, "pump", "Amber", "Yes.", success=True)
        assert len(texts(system, "pump")) == 2
        assert len(texts(system, "pump", 1)) == 1


def test_a_conversation_is_an_episode_that_nobody_rated(tmp_path: Path) -> None:
    with playing("exprag", tmp_path, index="bm25") as (system, _):
        system.ingest(talk(0, "a dog", "a cat", "a cow", day="2024-01-01"))
        system.ingest(talk(1, "a tea", day="2024-01-02"))
        system.ingest(talk(2, day="2024-01-02"))
        (first, second) = system.memories()
    assert first.text == "Task: a dog\nAttempt: a cat\nFeedback: a cow"
    assert second.text == "Task: a tea"


def test_a_saved_store_still_learns_from_the_last_episode(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    with playing("exprag", tmp_path, index="bm25") as (system, _):
        system.ingest(episode(0, "pump", "Amber", "Yes."))
        system.snapshot(folder)
        system.ingest(episode(1, "lamp", "Teal", "Yes."))
        system.restore(folder)
        (change,) = system.feedback(Feedback(0, "Yes.", success=True))
        assert change.memory.sources == ("t0:0", "t0:1", "t0:2")
        assert len(system.memories()) == 1
