"""An agent that remembers by itself: told sessions, asked anew, scored by its answers alone."""

from __future__ import annotations

import json
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from membench.adapters.registry import checked_parameters, create, get_card
from membench.domain.case import CaseInfo, Item, Session, Turn
from membench.domain.errors import SystemFault, UsageError
from membench.domain.system import Query, SystemContext
from membench.harness.run import start
from membench.leaderboard.bundles.bundle import make_bundle
from membench.leaderboard.store.rows import label
from membench.leaderboard.validation import verify
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.conformance import render, run_conformance

AGENT = """
import json, sys
told = []
for line in sys.stdin:
    text = json.loads(line)["messages"][-1]["content"]
    asked = "Answer from what" in text
    reply = " | ".join(told) if asked else "noted"
    if not asked:
        told.append(text)
    print(json.dumps({"content": reply}), flush=True)
"""


class Handler(BaseHTTPRequestHandler):
    """An agent that says back everything its user told it."""

    told: ClassVar[dict[str, list[str]]] = defaultdict(list)
    seen: ClassVar[list[dict[str, Any]]] = []
    reply: bytes | None = None

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).seen.append({"path": self.path, "auth": self.headers["Authorization"], **body})
        text, told = body["messages"][-1]["content"], self.told[body["user"]]
        asked = "Answer from what" in text
        said = " | ".join(told) if asked else "noted"
        if not asked:
            told.append(text)
        content = self.reply or json.dumps({"choices": [{"message": {"content": said}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An agent on loopback."""
    monkeypatch.setattr(Handler, "told", defaultdict(list))
    monkeypatch.setattr(Handler, "seen", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


@pytest.fixture
def command(tmp_path: Path) -> str:
    """An agent behind a command."""
    script = tmp_path / "agent.py"
    script.write_text(AGENT)
    return f"{sys.executable} {script}"


@pytest.fixture(params=["url", "command"])
def where(request: pytest.FixtureRequest) -> dict[str, str]:
    """The agent, in either place."""
    return {request.param: request.getfixturevalue(request.param)}


def made(tmp_path: Path, **given: Any) -> Any:
    card = get_card("chat_agent")
    context = SystemContext(checked_parameters(card, given), 0, tmp_path, len)
    return create(card, context)


def session() -> Session:
    turns = (Turn("a", "Ines", "user", "I keep bees.", "Ines: I keep bees."),)
    return Session("s", 0, turns, datetime(2023, 5, 8, 13, 56))


def test_it_conforms(where: dict[str, str]) -> None:
    report = run_conformance("chat_agent", where)
    assert report.passed, render(report)


def test_sessions_are_told_with_their_dates_and_asked_of_in_another_conversation(
    where: dict[str, str], tmp_path: Path
) -> None:
    agent = made(tmp_path, **where)
    agent.reset(CaseInfo("c", "t", ()))
    assert agent.ingest(session()) is None
    assert agent.remember(Item("i", "Ines is allergic to walnuts.")) is None
    query = Query("What does Ines keep?", 5, now=datetime(2023, 6, 1, 9, 0))
    said = agent.answer(query).text
    agent.close()
    assert agent.recall(query) == []
    assert "8 May" in said.replace("08 May", "8 May")
    assert "Ines: I keep bees." in said
    assert "walnuts" in said


def test_a_new_case_is_a_new_user(where: dict[str, str], tmp_path: Path) -> None:
    agent = made(tmp_path, **where)
    agent.reset(CaseInfo("c", "t", ()))
    agent.ingest(session())
    agent.reset(CaseInfo("c", "t", ()))
    assert "bees" not in agent.answer(Query("What does Ines keep?", 5)).text
    agent.close()


def test_a_key_comes_from_the_environment_and_only_reaches_the_server(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="AGENT_KEY is not set"):
        made(tmp_path, url=url, key_variable="AGENT_KEY").reset(CaseInfo("c", "t", ()))
    monkeypatch.setenv("AGENT_KEY", "sesame")
    agent = made(tmp_path, url=url, key_variable="AGENT_KEY")
    agent.reset(CaseInfo("c", "t", ()))
    agent.ingest(session())
    agent.close()
    assert Handler.seen[0]["auth"] == "Bearer sesame"
    assert Handler.seen[0]["path"] == "/v1/chat/completions"


@pytest.mark.parametrize("reply", [b"nothing", b"{}", b'{"choices": []}', b'{"choices": 3}'])
def test_a_reply_that_is_none_is_a_fault_of_the_system(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: bytes
) -> None:
    monkeypatch.setattr(Handler, "reply", reply)
    agent = made(tmp_path, url=url)
    agent.reset(CaseInfo("c", "t", ()))
    with pytest.raises(SystemFault, match="system_bad_reply"):
        agent.ingest(session())
    agent.close()


def test_a_command_that_ends_is_a_fault_of_the_system(tmp_path: Path) -> None:
    agent = made(tmp_path, command=f"{sys.executable} -c pass")
    agent.reset(CaseInfo("c", "t", ()))
    with pytest.raises(SystemFault, match="system_crash"):
        agent.ingest(session())
    agent.close()


@pytest.mark.parametrize("given", [{}, {"url": "http://127.0.0.1:1", "command": "x"}])
def test_it_needs_one_place(tmp_path: Path, given: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="either a url or a command"):
        made(tmp_path, **given)


@pytest.mark.slow
def test_a_run_scores_its_own_answers_and_leaves_retrieval_undetermined(
    url: str, tmp_path: Path
) -> None:
    given = {"url": url, "name": "acme", "version": "1"}
    spec = RunSpec("chat_agent", "locomo", "sample", limit=1, set=given)
    result = start(spec, ExecOptions(out=tmp_path / "runs", run_id="one"))
    summary, manifest = result.run.summary(), result.run.manifest()
    assert summary.complete
    assert summary.system == "acme"
    assert summary.comparison_key.reader == "system"
    assert summary.metrics["f1"].value > 0
    evidence = [m for name, m in summary.metrics.items() if "evidence" in name]
    assert all(metric.value is None for metric in evidence)
    assert summary.costs.context_tokens.mean is None
    assert summary.costs.recalled is None
    assert label(manifest).startswith("acme [answers by itself]")


def test_another_reader_is_refused(url: str, tmp_path: Path) -> None:
    spec = RunSpec("chat_agent", "locomo", "sample", reader="refuse", set={"url": url})
    with pytest.raises(UsageError, match="shows no memories"):
        start(spec, ExecOptions(out=tmp_path / "runs"))


@pytest.mark.slow
def test_what_it_answered_is_published_and_verified(command: str, tmp_path: Path) -> None:
    given = {"command": command, "name": "acme", "version": "1"}
    spec = RunSpec("chat_agent", "locomo", "sample", set=given)
    result = start(spec, ExecOptions(out=tmp_path / "runs", run_id="one"))
    made = make_bundle(result.run.path, tmp_path / "bundle")
    verification = verify(made.path)
    assert verification.findings == ()
    assert (
        json.loads((made.path / "manifest.json").read_text())["system"]["adapter"] == "chat_agent"
    )


@pytest.mark.slow
def test_only_a_system_that_says_so_may_show_no_memories(command: str, tmp_path: Path) -> None:
    given = {"command": command, "name": "acme", "version": "1"}
    spec = RunSpec("chat_agent", "locomo", "sample", set=given)
    run = start(spec, ExecOptions(out=tmp_path / "runs", run_id="one")).run
    manifest = json.loads((run.path / "manifest.json").read_text())
    manifest["system"]["protocol"] = "blind"
    (run.path / "manifest.json").write_text(json.dumps(manifest))
    found = verify(make_bundle(run.path, tmp_path / "bundle").path).findings
    assert [finding.rule for finding in found] == ["rescore.memory"]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "stored"), [("synthetic", "memory."), ("halumem", "extraction.")])
def test_where_a_task_scores_what_is_stored_too_that_is_not_known(
    command: str, tmp_path: Path, task: str, stored: str
) -> None:
    given = {"command": command, "name": "acme", "version": "1"}
    spec = RunSpec("chat_agent", task, "sample", set=given)
    result = start(spec, ExecOptions(out=tmp_path / "runs", run_id="one"))
    assert result.summary.complete
    figures = {name: m for name, m in result.summary.metrics.items() if name.startswith(stored)}
    assert all(metric.value is None for metric in figures.values())
    assert any("n/a, not 0" in note for note in result.summary.notes)
    assert verify(make_bundle(result.run.path, tmp_path / "bundle").path).accepted
