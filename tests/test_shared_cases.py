"""Every case folder beside the checkout: inputs on which membench once failed, and what is right.

The folders are no part of the repository; their kinds are tested room by room with inputs of our
own. Where they are, this walks them all, so that a new one without a check here is noticed.
"""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from membench.domain.errors import JudgeFault, MembenchError, ProviderFault, Reason
from membench.domain.score import JudgeRequest
from membench.energy.sources.base import SourceUnavailable
from membench.energy.sources.nvml import NvmlSource
from membench.llm.replies import checked, usage_of
from membench.llm.upstreams.base import EVENTS, Reply, retry_after
from membench.tasks.files.source import Source
from membench.tasks.prompts import without_reasoning
from membench.tasks.registry import get_task
from tests.experiments.test_prediction_files import scored
from tests.llm.test_odd_replies import CHAT, PARIS, ask, completion, served
from tests.tasks.playing import OPAQUE

__all__ = ["served"]

BESIDE = Path(__file__).parents[2] / "shared" / "cases"
DATA = Path(os.environ.get("MEMBENCH_DATA", "nowhere")).parent / "cases"
CASES = next((folder for folder in (BESIDE, DATA) if folder.is_dir()), None)
FOLDERS = {f.name: f for f in sorted(CASES.glob("[0-9]*-*"))} if CASES else {}

Serve = Callable[..., Any]


def reply_of(folder: Path) -> Any:
    return json.loads((folder / "reply.json").read_text())


def sent(folder: Path) -> tuple[int, Any]:
    """Status and body of the reply that a folder describes in one form or the other."""
    found = reply_of(folder)
    entry = found[0] if isinstance(found, list) else found
    if "body" in entry or "status" in entry:
        return entry.get("status", 200), entry.get("body", {})
    said = {k: v for k, v in entry.items() if k in ("reasoning_content", "refusal")}
    body = completion(entry["content"], entry.get("finish_reason", "stop"), **said)
    return 200, body | ({"usage": entry["usage"]} if "usage" in entry else {})


def is_no_answer(folder: Path, serve: Serve) -> None:
    gateway, _ = serve(lambda path, body: sent(folder))
    with pytest.raises(ProviderFault) as caught:
        ask(gateway)
    assert caught.value.reason == Reason.PROVIDER_BAD_REPLY


def says_the_providers_words(folder: Path, serve: Serve) -> None:
    gateway, _ = serve(lambda path, body: sent(folder))
    with pytest.raises(MembenchError, match="Insufficient credits"):
        for key in range(4):
            ask(gateway, str(key))


def is_read(folder: Path, serve: Serve) -> None:
    gateway, _ = serve(lambda path, body: sent(folder))
    assert without_reasoning(ask(gateway).text) == "Quarry Lane"


def holds_a_thought_alone(folder: Path, serve: Serve) -> None:
    gateway, _ = serve(lambda path, body: sent(folder))
    assert without_reasoning(ask(gateway).text) == ""


def is_read_without_v1(folder: Path, serve: Serve) -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        return sent(folder) if path.startswith("/v1/") else (404, {"detail": "Not Found"})

    gateway, _ = serve(answer, "")
    assert ask(gateway).text == "Quarry Lane"


def is_put_together(folder: Path, serve: Serve) -> None:
    body = reply_of(folder)["body"].encode()
    (choice,) = json.loads(checked(CHAT, {}, Reply(body, EVENTS)).body)["choices"]
    assert choice["message"]["content"] == "Quarry Lane"


def asks_for_no_wait(folder: Path, serve: Serve) -> None:
    wait = retry_after(reply_of(folder)["headers"]["Retry-After"])
    assert wait is not None
    assert wait >= 0


def is_left_out_after_the_refusal(**wish: Any) -> Callable[[Path, Serve], None]:
    def check(folder: Path, serve: Serve) -> None:
        (name,) = wish
        gateway, _ = serve(
            lambda path, body: sent(folder) if name in body else (200, completion("Paris")),
            attempts=1,
        )
        assert ask(gateway, **wish).text == "Paris"
        assert name in gateway.parameter_changes["reader"]

    return check


def is_counted_here(folder: Path, serve: Serve) -> None:
    assert usage_of(CHAT, {"messages": PARIS}, [sent(folder)[1]]).source == "tokenizer"


def verdict(folder: Path, serve: Serve, task: str, kind: str) -> Any:
    """The label that a judge's reply in a folder comes to."""
    text = folder / "reply.txt"
    if text.is_file():
        words = text.read_text()
    else:
        gateway, _ = serve(lambda path, body: sent(folder))
        words = ask(gateway).text
    request = JudgeRequest("x", kind, {})
    return get_task(task)().parse_verdict(request, words)["label"]


def is_correct(folder: Path, serve: Serve) -> None:
    assert verdict(folder, serve, "locomo", "answer") == "CORRECT"


def is_no_verdict(task: str, kind: str) -> Callable[[Path, Serve], None]:
    def check(folder: Path, serve: Serve) -> None:
        with pytest.raises(JudgeFault):
            verdict(folder, serve, task, kind)

    return check


def vectors(folder: Path, serve: Serve) -> list[list[float]]:
    """What two requests for embeddings give, as the folder's server answers them."""
    kind, calls = reply_of(folder)[0]["embed"], iter(range(9))

    def answer(path: str, body: Any) -> tuple[int, Any]:
        width = 12 if kind == "width_changes" and next(calls) else 8
        rows = [{"index": n, "embedding": [n + 1.0] * width} for n in range(len(body["input"]))]
        if kind == "no_index":
            rows = [{"embedding": row["embedding"]} for row in rows]
        return 200, {"data": rows}

    gateway, _ = serve(answer, dimensions=8, attempts=1)
    client = gateway.client()
    for key in "ab":
        found, _ = gateway.run(client.embed(["a", "b"], case="c", key=key))
    return list(found)


def are_in_order(folder: Path, serve: Serve) -> None:
    assert [vector[0] for vector in vectors(folder, serve)] == [1.0, 2.0]


def is_a_bad_reply(folder: Path, serve: Serve) -> None:
    with pytest.raises(ProviderFault) as caught:
        vectors(folder, serve)
    assert caught.value.reason == Reason.PROVIDER_BAD_REPLY


def is_loaded(folder: Path, serve: Serve) -> None:
    source = Source(folder / "locomo10.json", "locomo10")
    assert list(get_task("locomo")().cases(source, OPAQUE))


def scores_one(task: str, metric: str) -> Callable[[Path, Serve], None]:
    """Whatever predictions are there give 1; a file without verdicts is read and not scored."""

    def check(folder: Path, serve: Serve) -> None:
        beside = folder / "v.jsonl"
        for path in sorted(folder.glob("*.json*")):
            if path != beside:
                rows = scored(task, path, beside if beside.is_file() else None)
                known = [row.values.get(metric) for row in rows.values() if row.reason != "missing"]
                judged = beside.is_file() or "graded" in path.name or metric == "f1"
                assert (1.0 in known) if judged else known

    return check


def with_stub(folder: Path, named: str | None) -> list[Any]:
    """Channels of NVML as the folder's stand-in shows it."""
    stub = runpy.run_path(str(folder / "pynvml.py"))

    class Stub:
        def __getattr__(self, name: str) -> Any:
            return stub[name] if name in stub else stub["__getattr__"](name)

    source = NvmlSource.parse(named) if named else NvmlSource()
    source.nvml = Stub()  # type: ignore[assignment]
    return list(source.open(lambda: 0.0))


def counts_once(folder: Path, serve: Serve) -> None:
    for named in ("0,0", "0,GPU-0aaa"):
        assert len(with_stub(folder, named)) == 1


def is_refused_or_all(folder: Path, serve: Serve) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CUDA_VISIBLE_DEVICES", "0")
        environment.delenv("CUDA_DEVICE_ORDER", raising=False)
        with pytest.raises(SourceUnavailable, match="CUDA_DEVICE_ORDER"):
            with_stub(folder, None)


CHECKS: dict[str, Callable[[Path, Serve], None]] = {
    "01": asks_for_no_wait,
    "02": is_put_together,
    "03": is_no_answer,
    "04": holds_a_thought_alone,
    "05": is_no_answer,
    "06": is_left_out_after_the_refusal(response_format={"type": "json_object"}),
    "07": is_left_out_after_the_refusal(temperature=0.0),
    "08": is_correct,
    "09": is_no_verdict("locomo", "answer"),
    "10": is_counted_here,
    "12": scores_one("longmemeval", "accuracy"),
    "13": scores_one("locomo", "f1"),
    "14": is_loaded,
    "15": is_counted_here,
    "16": is_loaded,
    "17": is_loaded,
    "103": is_no_answer,
    "106": is_read,
    "111": is_correct,
    "114": is_no_verdict("longmemeval", "base"),
    "124": says_the_providers_words,
    "127": is_read_without_v1,
    "130": are_in_order,
    "133": is_a_bad_reply,
    "135": scores_one("longmemeval", "accuracy"),
    "136": scores_one("locomo", "judged.accuracy"),
    "139": scores_one("locomo", "f1"),
    "140": scores_one("locomo", "f1"),
    "150": counts_once,
    "151": is_refused_or_all,
}
"""Number of a folder -> what is right about it."""

ELSEWHERE = {
    "11": "energy/test_ledger.py",
    "153": "energy/test_sources.py",
    "156": "leaderboard/test_store.py",
}
"""Folders with a command of several runs, or counters in time: where their kind is tested."""


def number(name: str) -> str:
    return name.partition("-")[0]


@pytest.mark.skipif(CASES is None, reason="no shared/cases beside the checkout")
def test_every_folder_has_its_check() -> None:
    unknown = {name for name in FOLDERS if number(name) not in {*CHECKS, *ELSEWHERE}}
    assert not unknown
    assert all((Path(__file__).parent / path).is_file() for path in ELSEWHERE.values())


@pytest.mark.parametrize("name", [name for name in FOLDERS if number(name) in CHECKS])
def test_a_case_comes_out_right(name: str, served: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GPUS", "Small:counter,Big:counter")
    CHECKS[number(name)](FOLDERS[name], served)
