"""G-Memory: from a task to those alike and linked, up to insights, down to trajectories."""

from pathlib import Path
from typing import Any

import pytest
from native import asked, playing
from stream import fill, live, texts

STEPS = {"steps": "ran the plan"}
QUIET: dict[str, Any] = {"operations": []}


def operation(kind: str, number: int = -1, text: str = "") -> dict[str, Any]:
    return {"operations": [{"kind": kind, "number": number, "text": text}]}


def flat(request: Any) -> Any:
    return {"scores": []}


def test_a_task_one_link_away_comes_back_though_it_shares_no_word_with_the_question(
    tmp_path: Path,
) -> None:
    replies = {"Steps": STEPS, "Operations": QUIET, "Scores": flat}
    given = {"index": "bm25", "neighbours": 1, "edge": 0.3, "trajectories": 2}
    with playing("g-memory", tmp_path, replies, **given) as (system, _):
        fill(system)
        live(system, 0, "valve gasket worn", "Amber", "Yes.", success=True)
        live(system, 1, "pump valve gasket", "Teal", "Yes.", success=True)
        found = texts(system, "a pump")
    assert [text.splitlines()[0] for text in found] == [
        "Task: pump valve gasket",
        "Task: valve gasket worn",
    ]
    with playing("exprag", tmp_path, index="bm25", experiences=1) as (plain, _):
        fill(plain)
        live(plain, 0, "valve gasket worn", "Amber", "Yes.", success=True)
        live(plain, 1, "pump valve gasket", "Teal", "Yes.", success=True)
        assert "worn" not in " ".join(texts(plain, "a pump"))


def test_an_insight_comes_with_the_tasks_it_rests_on_and_not_with_others(tmp_path: Path) -> None:
    def refined(request: Any) -> Any:
        return operation("add", text="Teal for pumps") if "Task: pump" in request.last else QUIET

    replies = {"Steps": STEPS, "Operations": refined, "Scores": flat}
    given = {"index": "bm25", "neighbours": 1, "trajectories": 1}
    with playing("g-memory", tmp_path, replies, **given) as (system, _):
        fill(system)
        live(system, 0, "pump", "Teal", "Yes.", success=True)
        assert texts(system, "pump")[0] == "Teal for pumps"
        assert "Teal for pumps" not in texts(system, "tea")


def test_insights_are_refined_only_once_enough_tasks_are_stored(tmp_path: Path) -> None:
    replies = {"Steps": STEPS, "Operations": operation("add", text="so")}
    given = {"index": "bm25", "first_insights": 3}
    with playing("g-memory", tmp_path, replies, **given) as (system, server):
        for number in range(4):
            live(system, number, f"task {number}", "Teal", "Yes.", success=True)
            assert len(asked(server, "Operations")) == max(0, number - 1)


def test_insights_grow_stronger_change_and_go(tmp_path: Path) -> None:
    script = [
        operation("add", text="one"),
        operation("agree", 0),
        operation("edit", 0, "two"),
        *[operation("remove", 0)] * 4,
    ]
    replies = {"Steps": STEPS, "Operations": lambda request: script.pop(0)}
    with playing("g-memory", tmp_path, replies, index="bm25", first_insights=1) as (system, _):
        seen = []
        for number in range(7):
            live(system, number, f"task {number}", "Teal", "Yes.", success=True)
            kept = [item for item in system.store if item.kind == "insight"]
            seen.append([(item.text, item.strength) for item in kept])
            if number == 2:
                assert kept[0].sources == tuple(
                    f"t{n}:{place}" for n in range(3) for place in range(3)
                )
    assert seen == [
        *([("one", 2)], [("one", 3)], [("two", 4)]),
        *([("two", 3)], [("two", 2)], [("two", 1)], []),
    ]


def test_a_trajectory_is_condensed_and_kept_whole_without_a_usable_reply(tmp_path: Path) -> None:
    for reply, attempt in (({"steps": "sealed it"}, "sealed it"), ("I cannot.", "Teal, at length")):
        replies = {"Steps": reply, "Operations": QUIET, "Scores": flat}
        with playing("g-memory", tmp_path, replies, index="bm25") as (system, _):
            live(system, 0, "pump", "Teal, at length", "Yes.", success=True)
            assert f"Attempt: {attempt}\n" in system.memories()[0].text


@pytest.mark.parametrize("reply", [operation("agree", 7), operation("remove", -1), "no"])
def test_bad_changes_are_skipped_and_counted(tmp_path: Path, reply: Any) -> None:
    replies = {"Steps": STEPS, "Operations": reply}
    with playing("g-memory", tmp_path, replies, index="bm25", first_insights=1) as (system, _):
        live(system, 0, "pump", "Teal", "Yes.", success=True)
        counts = system.reply_counts()
        assert counts.unknown + counts.unusable == 1
        assert len(system.memories()) == 1
