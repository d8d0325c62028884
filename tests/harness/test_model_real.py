"""Real conversations with a reader and a judge: recorded, then replayed with the server stopped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from test_model_runs import served, totals

from membench.harness.run import start
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.scripted import ScriptedServer

pytestmark = [pytest.mark.data, pytest.mark.slow]


def test_two_locomo_conversations_replay_to_the_same_content(tmp_path: Path) -> None:
    if not os.environ.get("MEMBENCH_DATA"):
        pytest.skip("MEMBENCH_DATA is not set")
    spec = RunSpec("bm25", "locomo", limit=2, reader="reads", judge="judges")
    tape = tmp_path / "calls.sqlite"
    with ScriptedServer(keep_requests=0) as server:
        options = ExecOptions(
            tmp_path, "a", base_url=server.base_url, cassette=tape, cassette_mode="record"
        )
        recorded = start(spec, options)
        taken = served(server)
    replayed = start(
        spec,
        ExecOptions(
            *(tmp_path, "b"),
            base_url=options.base_url,
            cassette=tape,
            cassette_mode="replay",
            concurrency=2,
            read_concurrency=7,
        ),
    )
    for finished in (recorded, replayed):
        assert finished.complete
        assert finished.summary.counts.cases == 2
        assert totals(finished.summary) == taken
    for part in ("content_sha256", "metrics", "categories", "counts", "judge"):
        assert getattr(replayed.summary, part) == getattr(recorded.summary, part)
    assert replayed.summary.spent.total.calls == 0
