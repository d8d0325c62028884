"""A system that stores nothing is told so: counted, noted, flagged in its bundle, never ranked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from leaderboard.conftest import Spoil

from membench.cli.output.summary import stored_lines
from membench.domain.case import Ask, Finalize, Ingest, Probe, Question, Session, Turn
from membench.domain.errors import Reason, SystemFault
from membench.domain.system import Memory, MemoryChange
from membench.harness.lanes.store_count import StoreCount
from membench.harness.run import RunResult, start
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.store.rows import facts_of
from membench.leaderboard.validation import verify
from membench.leaderboard.views.board.rows import why_unranked
from membench.llm.upstreams.scripted.rules import Text
from membench.records.cost_summary import StoredMemories
from membench.records.journal import read_lines
from membench.records.spec import ExecOptions, RunSpec
from membench.records.summary import Summary
from membench.testing.scripted import ReplyRule, ScriptedServer

pytestmark = pytest.mark.slow

CARELESS = Path(__file__).parent / "systems" / "careless"
SESSION = Session("s", 0, (Turn("t", "Ana", "user", "Hi.", "Hi."),))
ADD = MemoryChange("add", Memory("Ana has a dog"))
DELETE = MemoryChange("delete", Memory("Ana has a dog"))


class Silent:
    """Does not list its store."""


class Listing:
    """Lists its store."""

    def memories(self) -> Sequence[Memory]:
        return [Memory("one"), Memory("two")]


class Broken:
    """Fails when it is asked for its store."""

    def memories(self) -> Sequence[Memory]:
        raise SystemFault(Reason.SYSTEM_ERROR, "no")


class Sleeper(Silent):
    """Works at the end, and does not say what it did."""

    def finalize(self) -> None:
        return None


TIMELINE = (Ingest(SESSION), Ingest(SESSION), Finalize(), Probe("x"), Ask(Question("y")))


def counted(system: Any, *returned: Any) -> list[int | None]:
    count = StoreCount(TIMELINE)
    given = (*returned, None, [], [])
    return [count.after(index, what, system) for index, what in enumerate(given)]


@pytest.mark.parametrize(
    ("system", "returned", "stored"),
    [
        (Silent(), ([ADD, ADD], [DELETE]), 1),
        (Silent(), ([], []), 0),
        (Silent(), (None, [ADD]), None),
        (Sleeper(), ([ADD], [ADD]), None),
        (Listing(), (None, None), 2),
        (Broken(), ([ADD], [ADD]), None),
    ],
)
def test_the_store_is_counted_once_after_the_last_event_that_may_change_it(
    system: Any, returned: tuple[Any, ...], stored: int | None
) -> None:
    assert counted(system, *returned) == [None, None, stored, None, None]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunResult]:
    """A system whose model says nothing, the floor, and one that remembers."""
    out = tmp_path_factory.mktemp("runs")
    done = {
        name: start(RunSpec(name, "longmemeval", "sample"), ExecOptions(out, name, energy="none"))
        for name in ("none", "bm25")
    }
    with ScriptedServer([ReplyRule(lambda request: True, Text(""))]) as server:
        spec = RunSpec(str(CARELESS), "longmemeval", "sample", memory_model="mute")
        options = ExecOptions(out, "careless", energy="none", base_url=server.base_url)
        done["careless"] = start(spec, options)
    return done


def said(done: RunResult) -> str:
    return "\n".join(stored_lines(done.summary, done.run.path))


def test_memories_after_ingest_are_in_records_and_summary(runs: dict[str, RunResult]) -> None:
    done = runs["bm25"]
    by_case = [
        line["telemetry"]["stored"]
        for line in read_lines(done.run.play)
        if "stored" in line["telemetry"]
    ]
    assert len(by_case) == done.summary.counts.cases
    stored = StoredMemories(len(by_case), 0, sum(by_case) / len(by_case))
    assert done.summary.costs.stored == stored
    assert "memories" in said(done) and "NOTHING" not in said(done)


def test_an_empty_store_is_said_with_the_replies_that_were_of_no_use(
    runs: dict[str, RunResult],
) -> None:
    done = runs["careless"]
    used = done.summary.costs.usage["ingest"].roles["memory"]
    assert used.calls == used.empty > 0
    assert f"{used.calls} of {used.calls} replies of no use" in said(done)
    assert "NOTHING WAS STORED" in said(done)


def test_a_bundle_of_an_empty_store_is_flagged_and_never_ranked(
    runs: dict[str, RunResult], tmp_path: Path
) -> None:
    done = runs["careless"]
    checked = verify(make_bundle(done.run.path, tmp_path / "bundle").path)
    assert checked.accepted, checked.findings
    assert "flag.empty" in checked.flags
    facts = facts_of(done.run.manifest(), Summary.from_json(checked.summary))
    assert "stayed empty" in why_unranked({**facts, "rehearsal": False, "withdrawn": False}, None)


def test_the_floor_stores_nothing_by_its_card_and_is_ranked(
    runs: dict[str, RunResult], tmp_path: Path
) -> None:
    done = runs["none"]
    assert done.summary.costs.stored.empty == done.summary.counts.cases
    assert "NOTHING" not in said(done)
    checked = verify(make_bundle(done.run.path, tmp_path / "bundle").path)
    assert checked.accepted and "flag.empty" not in checked.flags
    assert facts_of(done.run.manifest(), done.summary)["stores_nothing"] is False


def test_a_claimed_store_that_the_records_do_not_show_is_refused(
    runs: dict[str, RunResult], tmp_path: Path
) -> None:
    bundle = make_bundle(runs["careless"].run.path, tmp_path / "bundle").path
    Spoil(bundle).json("summary.json", lambda summary: summary["stored"].update(empty=0))
    assert [finding.rule for finding in verify(bundle).findings] == ["rescore.cost"]
