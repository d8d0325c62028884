"""What `membench plan` prints: a total per run, what each rests on, and why a price is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from membench.cli.output.estimate import Wishes, planned, print_plans
from membench.domain.errors import UsageError
from membench.metrics.numbers import counted
from membench.records.spec import ExecOptions, RunSpec


def lines(capsys: pytest.CaptureFixture[str], *systems: str, **changes: str) -> list[str]:
    made = [
        planned(
            RunSpec(system, "locomo", "sample", **changes),  # type: ignore[arg-type]
            ExecOptions(energy="none"),
            Wishes({}, ()),
        )
        for system in systems
    ]
    print_plans(made, as_json=False)
    return capsys.readouterr().out.splitlines()


def test_each_run_of_several_has_a_total_and_what_only_it_rests_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = lines(capsys, "full_context", "none", reader="openai/gpt-4o-mini")
    totals = [line for line in said if line.startswith("total of the run: 40 calls, ")]
    assert len(totals) == 2 and len(set(totals)) == 2
    (grand,) = [n for n, line in enumerate(said) if line.startswith("estimated total of 2 runs: ")]
    own = [n for n, line in enumerate(said) if "recalled per question" in line]
    shared = [n for n, line in enumerate(said) if "tokens per answer" in line]
    assert len(own) == 2 and max(own) < grand
    assert len(shared) == 1 and grand < min(shared)


def test_one_run_is_not_called_one_of_several(capsys: pytest.CaptureFixture[str]) -> None:
    said = lines(capsys, "none", reader="openai/gpt-4o-mini")
    (total,) = [line for line in said if "total" in line]
    assert total.startswith("estimated total: 40 calls, ")


def test_an_unknown_price_has_its_remedy_below(capsys: pytest.CaptureFixture[str]) -> None:
    said = lines(capsys, "none", "none", reader="nobody-knows-me")
    assert any("unknown USD" in line for line in said)
    (note,) = [line for line in said if line.startswith("note: ")]
    assert "--model-set 'reader.price={prompt: P, completion: C}'" in note


def test_a_folder_of_rows_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        Wishes.of({}, tmp_path / "nowhere")
    assert Wishes.of({}, tmp_path).results == (tmp_path,)


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "1 run"), (0, "0 runs"), (1986, "1,986 runs"), (1.0, "1 run"), (0.5, "0.5 runs")],
)
def test_a_noun_agrees_with_its_number(number: float, words: str) -> None:
    assert counted(number, "run") == words
    assert counted(2, "query", "queries") == "2 queries"
