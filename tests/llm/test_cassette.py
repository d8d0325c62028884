"""The cassette: calls on tape that replay with the network gone."""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import openai
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.domain.errors import DataError, ProviderFault, Reason
from membench.domain.labels import Phase, Role
from membench.llm.cassette import cassette as tape
from membench.llm.cassette.cassette import Cassette, Key, StoredCall
from membench.llm.cassette.request_key import canonical
from membench.llm.config import GatewayConfig, ModelSpec
from membench.llm.gateway import Gateway
from membench.llm.phase_meter import GatewayPhaseMeter
from membench.llm.upstreams.scripted.rules import Request, Script, Text
from membench.records.usage import Usage
from membench.testing.scripted import ReplyRule, ScriptedServer, ServerFault

Start = Callable[..., Gateway]
HELLO = [{"role": "user", "content": "hello"}]


def numbered(request: Request) -> Text:
    """A model at temperature: every call says something else."""
    return Text(f"draw {request.number}")


def entry(n: int = 0, reply: bytes = b"{}", case: str = "c") -> StoredCall:
    return StoredCall(
        Key(case, "reader", "", "0" * 64, n),
        "chat/completions",
        "m",
        "t",
        b"q",
        reply,
        Usage(calls=1),
    )


def play(gateway: Gateway, calls: int = 3) -> list[str]:
    """A lane that asks the same thing several times and embeds a text."""
    access = gateway.lane("lane")
    meter = GatewayPhaseMeter(access)
    endpoint = access.endpoints[Role.MEMORY]
    meter.begin("case")
    said = []
    with openai.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key) as client:
        meter.open("case", 0, Phase.INGEST)
        for _ in range(calls):
            reply = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
            said.append(reply.choices[0].message.content or "")
        client.embeddings.create(model="text-embedding-3-small", input="x")
        said.append(str(meter.close()))
    meter.disconnect()
    gateway.release("lane")
    return said


def test_a_replay_says_the_same_with_the_upstream_gone(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "cassette.sqlite"
    with ScriptedServer([ReplyRule(lambda _: True, numbered)]) as server:
        recorded = play(start(base_url=server.base_url, cassette=file, cassette_mode="record"))
    assert recorded[:3] == ["draw 0", "draw 1", "draw 2"]
    gateway = start(base_url="http://127.0.0.1:1/v1", cassette=file, cassette_mode="replay")
    assert play(gateway)[:3] == recorded[:3]
    assert gateway.spent == Usage()


def test_replayed_usage_is_the_recorded_one_and_marked(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    usages = []
    for mode in ("record", "replay"):
        gateway = start(cassette=file, cassette_mode=mode)
        reply = asyncio.run(gateway.client().chat(Role.READER, HELLO, case="c", key="k"))
        usages.append(reply.usage)
    recorded, replayed = usages
    assert (recorded.replayed, replayed.replayed) == (0, 1)
    assert replayed.prompt_tokens == recorded.prompt_tokens
    assert replayed.usd == recorded.usd


def test_recording_again_continues_where_the_tape_ends(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    with ScriptedServer([ReplyRule(lambda _: True, numbered)]) as server:
        options = {"base_url": server.base_url, "cassette": file, "cassette_mode": "record"}
        play(start(**options), calls=2)
        again = play(start(**options), calls=4)
        assert again[:4] == ["draw 0", "draw 1", "draw 3", "draw 4"]


def test_a_second_attempt_at_a_case_in_one_process_replays_the_first(
    start: Start, tmp_path: Path
) -> None:
    with ScriptedServer([ReplyRule(lambda _: True, numbered)]) as server:
        gateway = start(base_url=server.base_url, cassette=tmp_path / "c", cassette_mode="record")
        assert play(gateway)[:3] == play(gateway)[:3]


def test_a_miss_fails_typed_and_names_the_request(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    Cassette(file).close()
    gateway = start(cassette=file, cassette_mode="replay")
    with pytest.raises(ProviderFault, match="case=c role=reader sample=k n=0 sha256=") as caught:
        asyncio.run(gateway.client().chat(Role.READER, HELLO, case="c", key="k"))
    assert caught.value.reason == Reason.CASSETTE_MISS
    access = gateway.lane("a")
    meter = GatewayPhaseMeter(access)
    meter.open("c", 0, Phase.INGEST)
    body = {"model": "gpt-4o-mini", "messages": HELLO}
    reply = httpx.post(f"{access.endpoints[Role.MEMORY].base_url}/chat/completions", json=body)
    assert reply.status_code == 424
    assert "role=memory" in reply.json()["error"]["message"]
    assert meter.close().faults == (Reason.CASSETTE_MISS,)
    meter.disconnect()


def test_a_replay_without_a_file_is_refused(tmp_path: Path) -> None:
    config = GatewayConfig({}, cassette=tmp_path / "none", cassette_mode="replay")
    with pytest.raises(DataError, match="no such cassette"), Gateway(config):
        pass


def test_a_file_that_is_no_cassette_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c"
    file.write_bytes(b"something else entirely, and long enough" * 40)
    with pytest.raises(DataError, match="not a cassette"):
        Cassette(file)


def test_errors_are_never_stored(start: Start, upstream: ScriptedServer, tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    gateway = start(cassette=file, cassette_mode="record")
    upstream.fail_next(ServerFault("error", status=400))
    with pytest.raises(ProviderFault):
        asyncio.run(gateway.client().chat(Role.READER, HELLO, case="c", key="k"))
    assert tape.stats(file).entries == 0


def test_whether_a_retry_happened_never_shows(
    start: Start, upstream: ScriptedServer, tmp_path: Path
) -> None:
    texts = []
    for name, faults in (("a", 0), ("b", 3)):
        upstream.fail_next(ServerFault("error"), times=faults)
        gateway = start(cassette=tmp_path / name, cassette_mode="record")
        asyncio.run(gateway.client().chat(Role.READER, HELLO, case="c", key="k"))
        with Cassette(tmp_path / name) as cassette:
            texts.append([(entry.key, entry.reply) for entry in cassette.entries()])
    assert texts[0] == texts[1]


def test_samples_with_different_keys_stay_distinct_at_any_order(
    start: Start, tmp_path: Path
) -> None:
    file = tmp_path / "c.sqlite"
    votes = [f"vote {n}" for n in range(8)]

    async def draw(gateway: Gateway, keys: list[str]) -> dict[str, str]:
        client = gateway.client()
        replies = await asyncio.gather(
            *(client.chat(Role.JUDGE, HELLO, case="c", key=key) for key in keys)
        )
        return {key: reply.text for key, reply in zip(keys, replies, strict=True)}

    with ScriptedServer([ReplyRule(lambda _: True, numbered)]) as server:
        gateway = start(base_url=server.base_url, cassette=file, cassette_mode="record")
        recorded = asyncio.run(draw(gateway, votes))
    assert len(set(recorded.values())) == 8
    gateway = start(cassette=file, cassette_mode="replay")
    assert asyncio.run(draw(gateway, votes[::-1])) == recorded


def test_a_client_that_gave_up_was_not_delivered_to(start: Start, tmp_path: Path) -> None:
    """Its reply is charged but not recorded, so a replay needs no phantom call."""
    file = tmp_path / "c.sqlite"
    with ScriptedServer([ReplyRule(lambda _: True, numbered)]) as server:
        gateway = start(base_url=server.base_url, cassette=file, cassette_mode="record")
        access = gateway.lane("a")
        meter = GatewayPhaseMeter(access)
        meter.open("case", 0, Phase.INGEST)
        url = f"{access.endpoints[Role.MEMORY].base_url}/chat/completions"
        body = {"model": "gpt-4o-mini", "messages": HELLO}
        server.fail_next(ServerFault("slow", delay_s=0.3))
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=body, timeout=0.1)
        assert "draw 1" in httpx.post(url, json=body).text
        usage = meter.close()
        meter.disconnect()
    assert usage.total.calls == 2
    assert tape.stats(file).entries == 1


def _write(path: str, start: int) -> None:
    """Body of a writing process."""
    with Cassette(Path(path)) as cassette:
        for n in range(start, 400):
            cassette.put(entry(n, b"reply %d" % n))


@pytest.mark.slow
def test_concurrent_writers_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(str(file), n)) for n in (0, 100, 200)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with Cassette(file) as cassette:
        assert [each.key.n for each in cassette.entries()] == list(range(400))


@pytest.mark.slow
def test_a_killed_writer_leaves_every_stored_entry(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    writer = multiprocessing.get_context("spawn").Process(target=_write, args=(str(file), 0))
    writer.start()
    assert writer.pid is not None
    seen = 0
    while seen < 5:
        time.sleep(0.01)
        if file.exists():
            with Cassette(file) as cassette:
                seen = len(cassette)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    with Cassette(file) as cassette:
        stored = [each.key.n for each in cassette.entries()]
    assert len(stored) >= seen
    assert stored == list(range(len(stored)))


def test_the_first_to_store_wins(tmp_path: Path) -> None:
    with Cassette(tmp_path / "c") as cassette:
        assert cassette.put(entry(reply=b"first")).reply == b"first"
        assert cassette.put(entry(reply=b"second")).reply == b"first"


class TestCommands:
    def test_stats(self, tmp_path: Path) -> None:
        file = tmp_path / "c"
        with Cassette(file) as cassette:
            for n in range(3):
                cassette.put(entry(n))
            cassette.put(entry(case="other"))
        counted = tape.stats(file)
        assert (counted.entries, counted.cases) == (4, 2)
        assert counted.roles["reader"].calls == 4

    def test_export_reads_back_as_recordings_of_a_scripted_model(
        self, start: Start, tmp_path: Path
    ) -> None:
        file, out = tmp_path / "c", tmp_path / "c.jsonl"
        play(start(cassette=file, cassette_mode="record"))
        with out.open("wb") as lines:
            assert tape.export(file, lines) == 4
        script = Script(recordings=tape.recordings(tape.read_export(out)))
        with ScriptedServer(script) as server:
            body = {"model": "gpt-4o-mini", "messages": HELLO}
            reply = httpx.post(f"{server.base_url}/chat/completions", json=body).json()
        assert reply["choices"][0]["message"]["content"] == "hello"

    def test_a_broken_export_is_refused_by_line(self, tmp_path: Path) -> None:
        out = tmp_path / "x.jsonl"
        out.write_text('{"case": "c"}\n')
        with pytest.raises(DataError, match="line 1: not a cassette entry"):
            list(tape.read_export(out))

    def test_merge_keeps_what_is_there(self, tmp_path: Path) -> None:
        for name, reply in (("a", b"1"), ("b", b"2")):
            with Cassette(tmp_path / name) as cassette:
                cassette.put(entry(0, reply))
                cassette.put(entry(1))
                cassette.put(entry(2, case=name))
        merged = tape.merge(tmp_path / "a", [tmp_path / "b"])
        assert (merged.added, merged.present, merged.conflicts) == (1, 1, 1)
        with Cassette(tmp_path / "a") as cassette:
            held = cassette.get(Key("c", "reader", "", "0" * 64))
            assert held is not None
            assert held.reply == b"1"

    def test_export_of_nothing(self, tmp_path: Path) -> None:
        Cassette(tmp_path / "c").close()
        assert tape.export(tmp_path / "c", io.BytesIO()) == 0


class TestCanonicalRequests:
    def test_order_and_volatile_fields_do_not_matter_and_content_does(self) -> None:
        one = canonical("chat/completions", {"model": "m", "messages": HELLO, "user": "u1"})
        two = canonical("chat/completions", {"user": "u2", "messages": HELLO, "model": "m"})
        other = canonical("chat/completions", {"model": "m", "messages": HELLO, "n": 2})
        assert one.sha256 == two.sha256 != other.sha256
        assert one.sha256 != canonical("responses", {"model": "m", "messages": HELLO}).sha256

    @given(st.lists(st.uuids(), min_size=1, max_size=4, unique=True), st.randoms())
    def test_uuids_are_numbered_and_come_back_as_those_at_hand(self, ids, random) -> None:  # type: ignore[no-untyped-def]
        fresh = [f"{random.getrandbits(32):08x}-0000-4000-8000-{n:012x}" for n in range(len(ids))]
        ids = [str(each) for each in ids]
        first = canonical("chat/completions", {"input": [*ids, ids[0]]})
        second = canonical("chat/completions", {"input": [*fresh, fresh[0]]})
        assert first.sha256 == second.sha256
        reply = orjson.dumps({"keep": ids[-1], "other": "00000000-1111-2222-3333-444444444444"})
        expected = orjson.dumps(
            {"keep": fresh[-1], "other": "00000000-1111-2222-3333-444444444444"}
        )
        assert second.restore(first.conceal(reply)) == expected
        assert first.restore(first.conceal(reply)) == reply

    def test_a_system_that_draws_uuids_replays(self, start: Start, tmp_path: Path) -> None:
        file = tmp_path / "c"
        said = []
        for mode, uuid in (("record", "a" * 8), ("replay", "b" * 8)):
            gateway = start(cassette=file, cassette_mode=mode)
            name = f"{uuid}-0000-4000-8000-000000000000"
            messages = [{"role": "user", "content": f"update {name}"}]
            reply = asyncio.run(gateway.client().chat(Role.MEMORY, messages, case="c", key=""))
            said.append(reply.text.replace(uuid, "*"))
        assert said[0] == said[1] == "update *-0000-4000-8000-000000000000"


def test_roles_do_not_share_recordings(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "c"
    roles = {role: ModelSpec("gpt-4o-mini") for role in (Role.READER, Role.JUDGE)}
    gateway = start(roles=roles, cassette=file, cassette_mode="record")
    asyncio.run(gateway.client().chat(Role.READER, HELLO, case="c", key="k"))
    gateway = start(roles=roles, cassette=file, cassette_mode="replay")
    with pytest.raises(ProviderFault, match="cassette_miss"):
        asyncio.run(gateway.client().chat(Role.JUDGE, HELLO, case="c", key="k"))
