"""What scoring adds up is the same whether cases are added one after the other or in parts."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from membench.domain.labels import Role
from membench.harness.prepare import prepare
from membench.harness.run import start
from membench.harness.stages.score import Totals
from membench.records.attempts import RawCaseRecords, RunRecords, played_case
from membench.records.spec import ExecOptions, RunSpec

pytestmark = pytest.mark.slow

MODELS = {Role.READER: "some-model"}
USAGE = {
    **dict.fromkeys(("calls", "prompt_tokens", "completion_tokens"), 3),
    "usd": 0.25,
    "source": "provider",
    "roles": {"reader": {"calls": 3, "usd": 0.25, "source": "provider"}},
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, Any, RawCaseRecords]]:
    """The cases of a run of the sample: with usage, an abandoned attempt and a replaced answer."""
    spec = RunSpec("bm25", "locomo", "sample")
    options = ExecOptions(tmp_path_factory.mktemp("runs"))
    run = start(spec, options).run
    play, answers = run.play.read_bytes().splitlines(), run.answers.read_bytes().splitlines()
    first = orjson.loads(play[0]) | {"attempt": 0}
    run.play.write_bytes(b"\n".join([orjson.dumps(first), *play]) + b"\n")
    paid = orjson.loads(answers[0])
    paid["telemetry"] |= {"usage": USAGE, "store_bytes": 7}
    run.answers.write_bytes(b"\n".join([*answers, orjson.dumps(paid)]) + b"\n")
    recorded = RunRecords(run.play, run.texts, run.answers)
    prepared = prepare(spec, options)
    found = [(case, gold, recorded.lines(case)) for case, gold in prepared.cases()]
    assert sum(len(lines.load().abandoned) for _, _, lines in found) == 2
    return found


def added(totals: Totals, case: Any, gold: Any, lines: RawCaseRecords) -> Totals:
    """Totals with one more case, scored by its task."""
    from membench.tasks.locomo.task import Locomo

    loaded = lines.load()
    played = played_case(case, loaded)
    totals.add(loaded, played, list(Locomo().score(played, gold, {})))
    return totals


def plain(totals: Totals) -> Any:
    """Everything a summary takes from totals."""
    return (
        totals.tally.counts(),
        totals.cost.costs(totals.spans.spans).to_json(),
        sorted(totals.spans.spans, key=lambda span: (span.start, span.case)),
        totals.spans.from_cassette,
        totals.content.hexdigest(),
    )


def test_parts_come_to_the_whole(cases: list[tuple[Any, Any, RawCaseRecords]]) -> None:
    whole, merged = Totals(MODELS), Totals(MODELS)
    for case in cases:
        added(whole, *case)
        merged.merge(added(Totals(MODELS), *case))
    one, other = plain(whole), plain(merged)
    assert one[1].pop("cpu_s") == pytest.approx(other[1].pop("cpu_s"))
    assert one == other
    assert one[1]["usage"]["answer"]["usd"] == 0.25
    assert one[1]["store_bytes"] == 7


def test_an_unfinished_part_leaves_the_whole_without_a_hash(
    cases: list[tuple[Any, Any, RawCaseRecords]],
) -> None:
    (case, gold, lines), *_ = cases
    merged = added(Totals(MODELS), case, gold, lines)
    merged.merge(added(Totals(MODELS), case, gold, RawCaseRecords(lines.events, {}, {}, {})))
    assert merged.content.hexdigest() is None
