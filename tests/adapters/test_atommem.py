"""AtomMem: entries are created, read, updated and deleted while a model reads for a question."""

from pathlib import Path
from typing import Any

from native import in_turn, playing, talk

from membench.domain.system import Query

DAY, LATER = "2024-01-01T09:00", "2024-01-08T09:00"


def reader(tmp_path: Path, *replies: str, **given: Any) -> Any:
    given = {"index": "bm25", "chunk_characters": 20, **given}
    return playing("atommem", tmp_path, rules=in_turn(*replies), **given)


def history(system: Any, *lines: str) -> None:
    for index, line in enumerate(lines):
        system.ingest(talk(index, line, day=DAY))


def texts(found: Any) -> list[str]:
    return [memory.text for memory in found]


CREATE = (
    "<update_memory>Porto so far.</update_memory><update_query>Porto</update_query>"
    "<add_memory>Ann lives in Porto.</add_memory><add_memory>Bo has a dog.</add_memory>"
)


def test_nothing_is_called_before_the_question_and_a_chunk_is_one_call(tmp_path: Path) -> None:
    with reader(tmp_path, CREATE, "<add_memory>x</add_memory>") as (system, server):
        history(system, "I moved to Porto", "I have a dog", "bread and jam")
        assert len(server.requests) == 0
        found = system.recall(Query("Who lives in Porto?", 5))
        assert len(server.requests) == 3
        assert all("Question: Who lives in Porto?" in each.last for each in server.requests)
        assert texts(found)[:2] == ["Porto so far.", "Ann lives in Porto."]
        assert (found[0].sources, found[1].sources) == ((), ("s0:0",))


def test_the_query_shows_entries_which_are_then_modified_and_deleted(tmp_path: Path) -> None:
    change = "<modify_memory>Memory 1: Ann lives in Faro.</modify_memory>"
    gone = "<delete_memory>Memory 1</delete_memory>"
    with reader(tmp_path, CREATE, change, gone) as (system, server):
        history(system, "I moved to Porto", "I moved to Faro")
        found = system.recall(Query("Where?", 5))
        assert "Entries:\nMemory 1: Ann lives in Porto." in server.requests[1].last
        assert "Note: Porto so far.\nQuery: Porto" in server.requests[1].last
        changed = next(memory for memory in found if "Faro" in memory.text)
        assert changed.sources == ("s0:0", "s1:0")
    with reader(tmp_path, CREATE, gone) as (system, _):
        history(system, "I moved to Porto", "I moved to Faro")
        assert texts(system.recall(Query("Where?", 5))) == ["Porto so far.", "Bo has a dog."]


def test_another_question_is_another_reading(tmp_path: Path) -> None:
    with reader(tmp_path, "<add_memory>x</add_memory>") as (system, server):
        history(system, "I moved to Porto", "I have a dog")
        for question in ("a", "b", "b"):
            system.recall(Query(question, 5))
        assert len(server.requests) == 4


def test_it_answers_out_of_its_box_after_a_query_of_its_own(tmp_path: Path) -> None:
    more = "<add_memory>Tea is nice.</add_memory>"
    replies = [CREATE + more, "<update_query>dog</update_query>"]
    replies.append("<final_answer>\\boxed{Bo}</final_answer>")
    with reader(tmp_path, *replies) as (system, server):
        history(system, "I moved to Porto")
        assert system.answer(Query("Who has a dog?", 5)).text == "Bo"
        assert len(server.requests) == 3
        assert "Memory 1: Bo has a dog." in server.requests[2].last


def test_after_three_queries_without_an_answer_there_is_none(tmp_path: Path) -> None:
    with reader(tmp_path, CREATE, "<update_query>dog</update_query>") as (system, server):
        history(system, "I moved to Porto")
        assert system.answer(Query("Who has a dog?", 5)).text == ""
        assert len(server.requests) == 1 + 4
        assert system.reply_counts().unusable == 1


def test_a_chunk_without_usable_action_is_an_entry_and_unknown_numbers_are_counted(
    tmp_path: Path,
) -> None:
    wrong = "<modify_memory>Memory 9: x</modify_memory><delete_memory>all</delete_memory>"
    with reader(tmp_path, "I refuse. <add_memory>no end", wrong) as (system, _):
        history(system, "I moved to Porto", "I have a dog")
        assert texts(system.recall(Query("Porto", 5))) == ["Ann: I moved to Porto"]
        counts = system.reply_counts()
        assert (counts.unusable, counts.unknown) == (1, 2)


def test_of_too_long_a_history_the_middle_is_left_out_and_counted(tmp_path: Path) -> None:
    with reader(tmp_path, "<add_memory>x</add_memory>", most_chunks=3) as (system, server):
        history(system, *(f"line number {n} of it" for n in range(6)))
        system.recall(Query("q", 5))
        read = [each.last.partition("The next piece:")[2] for each in server.requests]
        assert [n for n in range(6) if any(f"number {n}" in text for text in read)] == [0, 1, 5]
        assert system.reply_counts().cut == 3


def test_the_note_is_bounded_and_a_snapshot_brings_its_own_reading_back(tmp_path: Path) -> None:
    long = f"<update_memory>{'word ' * 50}</update_memory>"
    with reader(tmp_path, long, note_tokens=5) as (system, server):
        history(system, "I moved to Porto")
        before = system.recall(Query("q", 5))
        assert system.count_tokens(before[0].text) <= 5
        system.snapshot(tmp_path)
        history(system, "later")
        system.restore(tmp_path)
        assert system.recall(Query("q", 5)) == before
        assert len(server.requests) == 1
