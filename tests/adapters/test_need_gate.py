"""The gate decides per question whether memory is asked at all."""

from pathlib import Path
from typing import Any

import pytest
from native import asked, playing, talk

from membench.domain.system import Query

DAY = "2024-01-01T09:00"
LINES = ("my sister is called Ines", "nice", "the capital of France is far", "yes")


def needed(request: Any) -> Any:
    return {"needed": "yes" if "sister" in request.last else "no"}


def test_a_question_that_needs_no_memory_gets_none_though_words_match(tmp_path: Path) -> None:
    with playing("need-gate", tmp_path, {"Need": needed}) as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        assert system.recall(Query("What is the capital of France?", 5)) == []
        assert system.recall(Query("Who is my sister?", 5))[0].sources == ("s0:0",)
        assert len(asked(server, "Need")) == 2


@pytest.mark.parametrize("reply", ["Hm.", {"needed": "perhaps"}])
def test_memory_is_used_where_the_gate_cannot_tell(tmp_path: Path, reply: Any) -> None:
    with playing("need-gate", tmp_path, {"Need": reply}) as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        assert system.recall(Query("the capital of France", 5))
        assert system.reply_counts().unusable == 1
