"""ReMe's experience pool: lessons from both ends, compared, and deleted when they do not pay."""

from pathlib import Path
from typing import Any

from native import asked, playing
from stream import fill, live, texts

from membench.adapters.systems.native.reme_native.forms import COMPARE, FAILURE, SUCCESS


def lesson(when: str, content: str, confidence: float = 0.9) -> dict[str, Any]:
    return {"when": when, "content": content, "keywords": [], "confidence": confidence}


def lessons(*found: dict[str, Any]) -> dict[str, Any]:
    return {"lessons": list(found)}


def instructions(server: Any) -> list[str]:
    return [request.body["messages"][0]["content"] for request in server.requests]


def test_success_and_failure_are_asked_about_apart_and_then_compared(tmp_path: Path) -> None:
    def reply(request: Any) -> Any:
        both = request.last.count("Outcome") == 2
        return lessons(lesson("a pump leaks", "Teal and not Amber" if both else "some"))

    given = {"index": "bm25", "duplicate": 2.0}
    with playing("reme-native", tmp_path, {"Lessons": reply}, **given) as (system, server):
        live(system, 0, "the pump leaks", "Amber", "No.", success=False)
        live(system, 1, "the pump leaks", "Teal", "Yes.", success=True)
        assert instructions(server) == [FAILURE, SUCCESS, COMPARE]
        compared = asked(server, "Lessons")[-1]
        assert compared.index("it worked") < compared.index("it failed")
        assert any("Teal and not Amber" in text for text in texts(system, "the pump leaks"))


def test_a_lesson_takes_the_place_of_its_episode_and_keeps_its_turns(tmp_path: Path) -> None:
    replies = {"Lessons": lessons(lesson("a pump leaks", "run Teal"))}
    with playing("reme-native", tmp_path, replies, index="bm25") as (system, _):
        live(system, 0, "the pump leaks", "Teal", "Yes.", success=True)
        (memory,) = system.memories()
        assert memory.text == "When: a pump leaks\nDo: run Teal"
        assert memory.sources == ("t0:0", "t0:1", "t0:2")


def words_of(request: Any) -> dict[str, Any]:
    """A lesson about the first word of the task."""
    word = request.last.split()[1]
    return lesson(word, f"plan for {word}")


def test_lessons_without_confidence_and_repetitions_are_not_stored(tmp_path: Path) -> None:
    def reply(request: Any) -> Any:
        if "pump" not in request.last:
            return lessons(words_of(request))
        return lessons(
            lesson("a pump leaks", "run Teal"),
            lesson("a pump leaks", "run Teal"),
            lesson("a pump leaks", "run Teal indeed"),
            lesson("a lamp flickers", "run Zinc", confidence=0.4),
        )

    with playing("reme-native", tmp_path, {"Lessons": reply}, index="bm25") as (system, _):
        fill(system)
        live(system, 0, "the pump leaks", "Teal", "Yes.", success=True)
        (memory,) = [memory for memory in system.memories() if "pump" in memory.text]
        assert memory.text == "When: a pump leaks\nDo: run Teal"


def only_at_first(request: Any) -> Any:
    """A lesson of the first episode about the pump, and of those about something else."""
    if "pump" not in request.last:
        return lessons(words_of(request))
    first = "pump at first" in request.last and request.last.count("Outcome") == 1
    return lessons(lesson("pump", "Teal")) if first else lessons()


def about_pumps(system: Any) -> int:
    return sum("pump" in memory.text for memory in system.memories())


def test_a_lesson_that_is_used_and_does_not_pay_is_deleted(tmp_path: Path) -> None:
    given = {"index": "bm25", "least_uses": 3, "lessons": 1}
    with playing("reme-native", tmp_path, {"Lessons": only_at_first}, **given) as (system, _):
        fill(system)
        live(system, 0, "pump at first", "Teal", "Yes.", success=True)
        for number, success in enumerate((True, False), 1):
            live(system, number, "pump", "Amber", "So.", success)
            assert about_pumps(system) == 1
        live(system, 3, "pump", "Amber", "No.", success=False)
        assert about_pumps(system) == 0


def test_a_lesson_that_pays_stays(tmp_path: Path) -> None:
    given = {"index": "bm25", "least_uses": 2, "lessons": 1}
    with playing("reme-native", tmp_path, {"Lessons": only_at_first}, **given) as (system, _):
        fill(system)
        live(system, 0, "pump at first", "Teal", "Yes.", success=True)
        for number in range(1, 6):
            live(system, number, "pump", "Teal", "Yes.", success=number != 5)
        assert about_pumps(system) == 1


def test_an_episode_without_a_usable_lesson_stays_as_it_is(tmp_path: Path) -> None:
    with playing("reme-native", tmp_path, {"Lessons": "I cannot."}, index="bm25") as (system, _):
        live(system, 0, "pump", "Teal", "Yes.", success=True)
        assert texts(system, "pump") == [
            "Task: pump\nAttempt: Teal\nFeedback: Yes.\nOutcome: it worked"
        ]
        assert system.reply_counts().unusable == 1
