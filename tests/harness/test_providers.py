"""docs/providers.md: its blocks are read as the command line does, and refused without a key."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from membench.cli import app
from membench.domain.errors import UsageError
from membench.domain.labels import Role
from membench.experiments.plan import plan_of
from membench.harness.prepare import ResolvedRun, prepare
from membench.harness.run_models import check_models, check_reachable, gateway_config
from membench.llm.config import ModelSpec
from membench.llm.upstreams import credentials
from membench.llm.upstreams.choose import upstream_for
from membench.llm.upstreams.http import HttpUpstream
from membench.llm.upstreams.litellm import LitellmUpstream
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
SECTION = re.compile(
    r"^## (?P<name>[^\n]+)\n+<!-- plan: (?P<calls>\d+) calls, (?P<price>no price|priced)"
    r"(?:; key: (?P<key>\w+))? -->\n```\n(?P<block>.*?)```\n(?P<rest>.*?)(?=^## |\Z)",
    re.MULTILINE | re.DOTALL,
)
SECTIONS = [match.groupdict() for match in SECTION.finditer(PAGE)]
VARIABLES = {name for needed in credentials.NEEDED.values() for names in needed for name in names}


@dataclass
class Captured(Exception):
    """What a command line came to, taken where the run would start."""

    spec: RunSpec
    options: ExecOptions


def each(*, key: bool | None = None) -> pytest.MarkDecorator:
    """Run a test for every provider, or for those with or without a key."""
    chosen = [s for s in SECTIONS if key is None or bool(s["key"]) is key]
    return pytest.mark.parametrize("section", chosen, ids=[s["name"] for s in chosen])


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider's variables, and no socket: nothing may be called."""
    for name in (*VARIABLES, "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def refuse(*_: object) -> None:
        raise AssertionError("something was called")

    monkeypatch.setattr("socket.socket.connect", refuse)


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Resolve the command of a block by the program's own parser."""

    def capture(spec: RunSpec, options: ExecOptions, progress: object) -> None:
        raise Captured(spec, options)

    def resolve(section: dict[str, str]) -> ResolvedRun:
        lines = section["block"].replace("\\\n", " ").splitlines()
        (line,) = [line for line in lines if line.startswith("membench run ")]
        monkeypatch.setattr("membench.harness.run.start", capture)
        command = typer.main.get_command(app)
        with pytest.raises(Captured) as captured:
            command.main(shlex.split(line)[1:], standalone_mode=False)
        return prepare(captured.value.spec, captured.value.options)

    return resolve


def role_of(section: dict[str, str]) -> Role:
    """The role whose model a section is about."""
    return Role.RERANKER if f"--{Role.RERANKER}" in section["block"] else Role.READER


def test_every_provider_that_was_promised_has_a_section():
    local, hosted = "vLLM Ollama llama.cpp A_reranker LM_Studio", "OpenAI Anthropic Gemini"
    wanted = f"{local} {hosted} OpenRouter Azure_OpenAI"
    assert [section["name"].replace(" ", "_") for section in SECTIONS] == wanted.split()


@each()
def test_a_section_names_two_errors(section):
    assert len(re.findall(r"^- ", section["rest"], re.MULTILINE)) == 2


@each(key=True)
def test_a_provider_without_its_key_is_refused_before_there_is_a_run(section, resolved, tmp_path):
    run = RunDir(tmp_path / "run")
    with pytest.raises(UsageError, match=re.escape(f"${section['key']} is not set")):
        check_models(resolved(section), run, tuple(Role))
    assert not run.path.exists()


@each()
def test_with_what_the_block_exports_the_run_may_start(section, resolved, monkeypatch, tmp_path):
    for name, value in re.findall(r"^export (\w+)=(\S+)", section["block"], re.MULTILINE):
        monkeypatch.setenv(name, value)
    check_models(resolved(section), RunDir(tmp_path / "run"), tuple(Role))


@each()
def test_calls_go_where_the_section_says(section, resolved, tmp_path):
    seats = gateway_config(resolved(section), RunDir(tmp_path / "run")).seats()
    model = seats[role_of(section), 0]
    upstream = upstream_for(model)
    if section["key"] in (None, "OPENAI_API_KEY"):
        assert isinstance(upstream, HttpUpstream)
        assert upstream.base_url in (*section["block"].split(), "https://api.openai.com/v1")
    else:
        assert isinstance(upstream, LitellmUpstream)
        assert upstream.model == model.model


@each()
def test_the_plan_says_what_the_page_says_of_it(section, resolved):
    estimate = plan_of(resolved(section)).to_json()
    rows = [row for row in estimate["rows"] if row["role"] == role_of(section)]
    assert sum(row["calls"] for row in rows) == int(section["calls"])
    assert all((row["usd"] is not None) is (section["price"] == "priced") for row in rows)


def test_one_of_the_variables_that_a_provider_accepts_is_enough(monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    check_reachable(ModelSpec("gemini/gemini-3.5-flash-lite"))


def test_an_address_is_asked_for_like_a_key(monkeypatch):
    monkeypatch.setenv("AZURE_API_KEY", "k")
    with pytest.raises(UsageError, match="AZURE_API_BASE"):
        check_reachable(ModelSpec("azure/gpt-4.1-mini"))


def test_a_provider_of_which_nothing_is_known_is_left_to_litellm():
    check_reachable(ModelSpec("bedrock/some-model"))
