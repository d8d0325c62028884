"""Settings of a run's models: one `ModelSpec` per role, a budget, a cassette.

A model is named as litellm names it, or as the registry of local models does
(`llm.upstreams.local`): those are served by the gateway itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from membench.domain.errors import UsageError
from membench.domain.labels import JsonView, Role
from membench.llm.upstreams.local.entry import LocalModel, PromptCache
from membench.llm.upstreams.local.registry import find_local

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_KEY = "OPENAI_API_KEY"
SERVERS = frozenset(
    (
        *("hosted_vllm", "vllm", "lm_studio", "ollama", "ollama_chat", "llamafile", "xinference"),
        *("openai_like", "custom_openai", "docker_model_runner", "oobabooga", "lemonade"),
    )
)
"""litellm's prefixes for servers of one's own, which have no address that could be known."""

ALIASES = ("gpt-4o-mini", "text-embedding-3-small")
"""Names that packages have built in; each stands for the model of the role that is asked."""

Seat = tuple[Role, int]
"""A role and which of its models: 0 for all but further judges."""

CassetteMode = Literal["off", "record", "replay"]


@dataclass(frozen=True)
class Price:
    """Dollars per token."""

    prompt: float
    completion: float = 0.0
    cached: float | None = None


@dataclass(frozen=True)
class ModelSpec:
    """The model of one role.

    Attributes:
        model: Its litellm name, or a local one.
        base_url: An OpenAI-compatible upstream that knows the model by exactly this name; None
            for the provider that the name says.
        api_key_env: Environment variable with the upstream's key; keys come from nowhere else.
            None: `OPENAI_API_KEY` where the upstream is OpenAI's own address, no key elsewhere.
        temperature: Used where a request states none.
        max_tokens: Output limit, used where a request states none.
        unsent: Parameters that no request to the model has, whoever states them: those that were
            set to null.
        output_limit: The most output tokens the model can give; higher wishes are lowered to it.
            None: what the price map says.
        dimensions: Width of an embedder's vectors; None: what is known of the model.
        timeout_s: Seconds one attempt may take.
        attempts: How often a call is tried before it counts as failed.
        longest_wait_s: A `Retry-After` beyond this fails the call at once.
        concurrency: Calls in flight at once; None for no bound.
        requests_per_minute: Rate limit; None for none.
        tokens_per_minute: Rate limit over estimated input tokens; None for none.
        aliases: Further names that clients may use for it.
        price: Dollars per token where the price map does not know the model.
        extra: Fields added to every chat request that does not have them (`chat_template_kwargs`).
        revision: Pinned weights or snapshot, stated in the manifest.
        context_length: Tokens that prompt and reply may have together; None: what is known of
            the model.
        servers: Processes that run a local language model; None: one per core, up to a few.
        slots: Requests that each of them works on at once; None for one.
        threads: Threads of each of them; None: the model's own default.
        cache_prompt: What of a prompt they reuse: whatever it has in common with the one before
            it (True), or a state computed once from its example turns (`EXAMPLES`), which gives
            the same replies in any order; None for nothing.
        chat_template: A Jinja chat template or a file with one, instead of the model's own.
    """

    model: str
    base_url: str | None = None
    api_key_env: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    output_limit: int | None = None
    dimensions: int | None = None
    timeout_s: float = 300.0
    attempts: int = 6
    longest_wait_s: float = 120.0
    concurrency: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    aliases: tuple[str, ...] = ALIASES
    price: Price | None = None
    extra: JsonView = field(default_factory=dict)
    revision: str | None = None
    context_length: int | None = None
    servers: int | None = None
    slots: int | None = None
    threads: int | None = None
    cache_prompt: PromptCache | None = None
    chat_template: str | None = None
    unsent: frozenset[str] = frozenset()

    @property
    def local(self) -> LocalModel | None:
        """The local model that the gateway serves itself; None if it is served elsewhere."""
        return None if self.base_url is not None else find_local(self.model)

    @property
    def is_local(self) -> bool:
        """Whether the gateway serves the model itself."""
        return self.local is not None

    @property
    def served_name(self) -> str:
        """The name that systems are told: without the provider's prefix."""
        if self.base_url:
            prefix, _, name = self.model.partition("/")
            return name if prefix in SERVERS and name else self.model
        local = self.local
        return self.model.split("/", 1)[-1] if local is None else local.public_name

    def answers_to(self, name: str) -> bool:
        """Whether a client that asks for `name` means this model."""
        return name in (self.model, self.served_name, *self.aliases)

    @property
    def key_variable(self) -> str | None:
        """The environment variable whose key the upstream is sent; None for no key."""
        if self.api_key_env is None and is_openai_url(self.base_url or OPENAI_URL):
            return OPENAI_KEY
        return self.api_key_env

    def api_key(self) -> str | None:
        """The upstream's key from the environment."""
        return os.environ.get(self.key_variable or "") or None


def is_openai_url(url: str) -> bool:
    """Whether a base URL is OpenAI's own address."""
    return (urlsplit(url).hostname or "").lower() == urlsplit(OPENAI_URL).hostname


def complete_url(url: str) -> str:
    """A base URL up to its version: `http://host:8000` and `http://host:8000/v1/` are the same.

    A URL that has a path keeps it, since providers put theirs below one (`/openai/v1`).
    """
    bare = url.rstrip("/").removesuffix("/chat/completions")
    return bare if urlsplit(bare).path else f"{bare}/v1"


def public_url(url: str) -> str:
    """A base URL without user, password and query, fit for a manifest."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return urlunsplit(
        (parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path, "", "")
    )


@dataclass(frozen=True)
class Budget:
    """What a run may spend on model calls; None for no bound.

    Attributes:
        usd: Dollars, judge included.
        tokens: Billed tokens, judge included.
        spent_usd: Dollars that earlier attempts of the run spent.
        spent_tokens: Tokens likewise.
    """

    usd: float | None = None
    tokens: int | None = None
    spent_usd: float = 0.0
    spent_tokens: int = 0


@dataclass(frozen=True)
class GatewayConfig:
    """What the gateway of a run is made of.

    Attributes:
        roles: The model of every role that the run uses.
        further_judges: Judges beside the one in `roles`, for agreement; seats 1, 2, ...
        base_url: Upstream of every role that names none and is not local; roles served elsewhere
            follow it as `role=URL`, separated by commas.
        cassette: File of recorded calls.
        cassette_mode: `record` answers from the cassette what it knows and records the rest,
            `replay` makes no call, `off` ignores it.
        budget: What the run may spend.
        ledger: File in which every call is entered; None keeps none.
        logs: Folder for what servers of local models say; None drops it.
        host: Address to listen on; loopback unless lanes run on other machines.
        drain_s: How long closing a phase waits for calls still in flight.
    """

    roles: Mapping[Role, ModelSpec] = field(default_factory=dict)
    base_url: str | None = None
    further_judges: tuple[ModelSpec, ...] = ()
    cassette: Path | None = None
    cassette_mode: CassetteMode = "off"
    budget: Budget = Budget()
    ledger: Path | None = None
    logs: Path | None = None
    host: str = "127.0.0.1"
    drain_s: float = 10.0

    def __post_init__(self) -> None:
        """Refuse a cassette mode without a cassette."""
        if self.cassette_mode != "off" and self.cassette is None:
            raise UsageError(
                f"--cassette-mode {self.cassette_mode} without a cassette", "Add --cassette FILE."
            )

    def seats(self) -> dict[Seat, ModelSpec]:
        """Every model by (role, seat), with the run's base URL filled in."""
        judges = enumerate(self.further_judges, 1)
        every = {(role, 0): spec for role, spec in self.roles.items()}
        every |= {(Role.JUDGE, number): spec for number, spec in judges}
        urls = base_urls(self.base_url or "")
        return {
            seat: _served(spec, urls.get(seat[0], urls.get(None))) for seat, spec in every.items()
        }


def _served(spec: ModelSpec, base_url: str | None) -> ModelSpec:
    """A spec with the run's base URL, unless it has its own or is local."""
    if base_url is None or spec.base_url is not None or spec.is_local:
        return spec
    return replace(spec, base_url=base_url)


def base_urls(text: str) -> dict[Role | None, str]:
    """Parse `--base-url`: one URL for all roles (None), and `role=URL` for some.

    Raises:
        UsageError: Not a URL, or one with credentials in it.
    """
    urls: dict[Role | None, str] = {}
    for part in (part.strip() for part in text.split(",")):
        name, sign, url = part.partition("=")
        if sign and name in set(Role):
            urls[Role(name)] = url
        elif part:
            urls[None] = url = part
        if part:
            _check_url(url)
    return {role: complete_url(url) for role, url in urls.items()}


def _check_url(url: str) -> None:
    """Refuse what is no URL, and keys in one: they would end up in files and messages."""
    if not url.startswith(("http://", "https://")):
        roles = ", ".join(Role)
        raise UsageError(f"--base-url {url}: not a URL", f"URL, or role=URL with one of {roles}.")
    if public_url(url) != url:
        raise UsageError(
            f"--base-url {public_url(url)}: given with credentials or a query",
            "Put the key into the environment (OPENAI_API_KEY).",
        )
