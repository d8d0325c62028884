"""Keys come from the environment and go upstream, and nowhere else."""

from __future__ import annotations

import asyncio
import logging
import traceback
from pathlib import Path

import httpx
import orjson
import pytest

from membench.domain.errors import ProviderFault
from membench.domain.labels import Phase, Role
from membench.llm.config import GatewayConfig, ModelSpec, public_url
from membench.llm.gateway import Gateway
from membench.llm.phase_meter import GatewayPhaseMeter
from membench.llm.upstreams.scripted.rules import Request, Text
from membench.llm.upstreams.secrets import redacted
from membench.testing.scripted import ReplyRule, ScriptedServer, ServerFault

KEY = "planted-key-7c1d9e42"
SAID = [{"role": "user", "content": "hello"}]


class Echoing(ScriptedServer):
    """An upstream that repeats the caller's key in its errors, as some do."""

    async def _suffer(self, fault, endpoint, body, http):  # type: ignore[no-untyped-def]
        from aiohttp import web

        message = f"wrong key {http.headers['Authorization']}, see sk-abcdefgh12345678"
        content = orjson.dumps({"error": {"message": message}})
        return web.Response(status=fault.status, body=content, content_type="application/json")


def test_a_planted_key_is_in_nothing_that_is_written_or_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("PLANTED_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []

    def answer(request: Request) -> Text:
        return Text("fine")

    with Echoing([ReplyRule(lambda _: True, answer)]) as server:
        spec = ModelSpec("m", server.base_url, api_key_env="PLANTED_API_KEY", attempts=1)
        roles = {Role.MEMORY: spec, Role.READER: spec}
        config = GatewayConfig(roles, cassette=tmp_path / "c.sqlite", cassette_mode="record")
        with Gateway(config) as gateway:
            seen.append(repr(vars(gateway)))
            access = gateway.lane("a")
            meter = GatewayPhaseMeter(access)
            url = f"{access.endpoints[Role.MEMORY].base_url}/chat/completions"
            meter.open("case", 0, Phase.INGEST)
            server.fail_next(ServerFault("error", status=401))
            for _ in range(2):
                reply = httpx.post(url, json={"model": "m", "messages": SAID})
                seen.append(f"{reply.headers} {reply.text}")
            assert reply.status_code == 200
            seen.append(str(meter.close()))
            meter.disconnect()
            server.fail_next(ServerFault("error", status=403))
            try:
                asyncio.run(gateway.client().chat(Role.READER, SAID, case="c", key="k"))
            except ProviderFault:
                seen.append(traceback.format_exc())
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    captured = capfd.readouterr()
    everything = "\n".join([*seen, captured.out, captured.err, caplog.text])
    assert "wrong key [secret]" in everything
    assert KEY not in everything
    assert "sk-abcdefgh12345678" not in everything
    assert KEY.encode() not in files


def test_the_key_does_reach_the_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_API_KEY", KEY)
    heard: list[str] = []

    class Listening(ScriptedServer):
        async def _serve(self, endpoint, http):  # type: ignore[no-untyped-def]
            heard.append(http.headers["Authorization"])
            return await super()._serve(endpoint, http)

    with Listening() as server:
        spec = ModelSpec("m", server.base_url, api_key_env="PLANTED_API_KEY")
        with Gateway(GatewayConfig({Role.READER: spec})) as gateway:
            asyncio.run(gateway.client().chat(Role.READER, SAID, case="c", key="k"))
    assert heard == [f"Bearer {KEY}"]


def test_a_cassette_is_compressed_but_its_texts_hold_no_key_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    from membench.llm.cassette import cassette

    monkeypatch.setenv("PLANTED_API_KEY", KEY)
    with ScriptedServer() as server:
        spec = ModelSpec("m", server.base_url, api_key_env="PLANTED_API_KEY")
        file = tmp_path / "c.sqlite"
        config = GatewayConfig({Role.READER: spec}, cassette=file, cassette_mode="record")
        with Gateway(config) as gateway:
            asyncio.run(gateway.client().chat(Role.READER, SAID, case="c", key="k"))
    out = io.BytesIO()
    assert cassette.export(file, out) == 1
    assert KEY.encode() not in out.getvalue()


def test_redaction_knows_the_environment_and_common_shapes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACME_API_KEY", "abcdefgh-123")
    assert redacted("key abcdefgh-123 refused") == "key [secret] refused"
    assert redacted("Bearer xyz, sk-proj-0123456789") == "[secret] [secret]"
    assert redacted("a task-based risk-assessment") == "a task-based risk-assessment"


def test_urls_lose_their_credentials() -> None:
    assert public_url("https://me:pw@host:8000/v1?key=k") == "https://host:8000/v1"
