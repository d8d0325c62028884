"""Where calls go and which key goes with them: nothing leaves for an address nobody named."""

from __future__ import annotations

from pathlib import Path

import pytest

from membench.domain.errors import UsageError
from membench.domain.labels import Role
from membench.harness.run import start
from membench.harness.run_models import check_reachable
from membench.llm.config import SERVERS, ModelSpec, base_urls, complete_url
from membench.llm.upstreams.choose import upstream_for
from membench.llm.upstreams.http import HttpUpstream
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.scripted import ScriptedServer

KEY = "sk-planted-9d2f7c1b"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's key is in the environment, and another one."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("MY_SERVER_KEY", "another-planted-key")


def key_sent(spec: ModelSpec) -> str | None:
    """What an upstream would send."""
    upstream = upstream_for(spec)
    assert isinstance(upstream, HttpUpstream)
    return upstream.api_key


def test_the_key_of_openai_goes_to_openai_alone() -> None:
    assert key_sent(ModelSpec("gpt-4o-mini")) == KEY
    assert key_sent(ModelSpec("gpt-4o-mini", base_url="https://api.openai.com/v1")) == KEY
    for elsewhere in ("http://localhost:8000/v1", "https://api.openai.com.example.org/v1"):
        assert key_sent(ModelSpec("gpt-4o-mini", base_url=elsewhere)) is None


def test_a_key_that_is_named_goes_where_it_is_named_for() -> None:
    url = "http://localhost:8000/v1"
    named = ModelSpec("m", base_url=url, api_key_env="MY_SERVER_KEY")
    assert key_sent(named) == "another-planted-key"
    assert key_sent(ModelSpec("m", base_url=url, api_key_env="OPENAI_API_KEY")) == KEY


@pytest.mark.parametrize("prefix", sorted(SERVERS))
def test_a_server_of_ones_own_without_an_address_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError, match="no address is given"):
        check_reachable(ModelSpec(f"{prefix}/some-model"))


def test_with_an_address_the_prefix_is_no_part_of_the_name() -> None:
    url = "http://localhost:8000/v1"
    assert ModelSpec("hosted_vllm/Qwen/Qwen3-8B", base_url=url).served_name == "Qwen/Qwen3-8B"
    assert ModelSpec("Qwen/Qwen3-8B", base_url=url).served_name == "Qwen/Qwen3-8B"


@pytest.mark.parametrize(
    ("given", "complete"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1/chat/completions", "http://localhost:8000/v1"),
        ("https://example.org/openai/v1/", "https://example.org/openai/v1"),
    ],
)
def test_base_urls_are_completed(given: str, complete: str) -> None:
    assert complete_url(given) == complete
    assert base_urls(f"reader={given}") == {Role.READER: complete}


@pytest.mark.slow
def test_a_run_works_with_a_url_without_its_version(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        url = server.base_url.removesuffix("/v1")
        spec = RunSpec("bm25", "locomo", "sample", limit=1, reader="hosted_vllm/reads")
        finished = start(spec, ExecOptions(tmp_path, base_url=f"{url}/"))
        assert {request.body["model"] for request in server.requests} == {"reads"}
    assert finished.complete
