"""Memento: what worked comes before what failed, however alike the failures are."""

from pathlib import Path

from native import playing
from stream import live, texts

STREAM = [
    ("the pump leaks", "Amber", "No.", False),
    ("the pump leaks again", "Basalt", "No.", False),
    ("a leak", "Teal", "Yes.", True),
    *((word, "Zinc", "Yes.", True) for word in ("tea", "jam", "salt", "rye", "ham", "oil")),
]


def test_of_the_nearest_cases_those_that_worked_come_first(tmp_path: Path) -> None:
    with playing("memento", tmp_path, index="bm25", cases=3) as (system, _):
        for number, (task, attempt, said, success) in enumerate(STREAM):
            live(system, number, task, attempt, said, success)
        found = texts(system, "the pump leaks")
    assert [text.splitlines()[-1] for text in found] == [
        "Reward: 1 (it worked)",
        "Reward: 0 (it failed)",
        "Reward: 0 (it failed)",
    ]
    assert "Teal" in found[0]
    with playing("exprag", tmp_path, index="bm25", experiences=3) as (plain, _):
        for number, (task, attempt, said, success) in enumerate(STREAM):
            live(plain, number, task, attempt, said, success)
        assert "Teal" not in texts(plain, "the pump leaks")[0]


def test_a_case_holds_no_words_of_feedback_unless_asked_to(tmp_path: Path) -> None:
    for given, held in ((False, False), (True, True)):
        with playing("memento", tmp_path, index="bm25", feedback_text=given) as (system, _):
            live(system, 0, "pump", "Amber", "Rather Teal.", success=False)
            assert ("Rather Teal." in texts(system, "pump")[0]) == held


def test_an_episode_without_a_reward_is_no_case_and_is_kept_as_it_is(tmp_path: Path) -> None:
    with playing("memento", tmp_path, index="bm25") as (system, _):
        assert live(system, 0, "pump", "Amber", "Hm.", None) == []
        assert texts(system, "pump") == ["Task: pump\nAttempt: Amber\nFeedback: Hm."]


def test_a_case_takes_the_place_of_its_episode(tmp_path: Path) -> None:
    with playing("memento", tmp_path, index="bm25") as (system, _):
        changes = live(system, 0, "pump", "Amber", "Yes.", success=True)
        assert [change.kind for change in changes] == ["delete", "add"]
        assert len(system.memories()) == 1
