"""A question's memories on the screen."""

import pytest

from membench.cli.output.question import named_sources

TURNS = [f"S1:{number}" for number in range(1, 21)]


@pytest.mark.parametrize(
    ("sources", "evidence", "line"),
    [
        ([], ["S1:1"], "no source"),
        (TURNS[:5], ["S9:9"], "S1:1, S1:2, S1:3, S1:4, S1:5"),
        (TURNS, ["S9:9"], "S1:1 ... S1:20, 20 turns"),
        (TURNS, ["S1:3", "S9:9", "S1:12"], "S1:1 ... S1:20, 20 turns, with S1:3, S1:12"),
    ],
)
def test_many_source_turns_are_a_range_and_evidence_among_them_is_named(
    sources: list[str], evidence: list[str], line: str
) -> None:
    assert named_sources(sources, evidence) == line
