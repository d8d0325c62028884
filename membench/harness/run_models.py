"""The models of a run: its gateway, from the names in the spec and the options of the execution."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING

from membench.domain.answer import AnswerInput, Message
from membench.domain.clock import Clock
from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import JsonObject, Role, Scalar
from membench.harness.divisions import model_spec
from membench.harness.prepare import ResolvedRun, judges
from membench.llm import prices
from membench.llm.cassette.cassette import Cassette
from membench.llm.config import SERVERS, Budget, GatewayConfig, ModelSpec, Price
from membench.llm.phase_meter import GatewayAccess
from membench.llm.spending import spent
from membench.llm.upstreams.local.entry import EXAMPLES, GATEWAY_EXTRA, KEEPS_STATES
from membench.llm.windows import window_of
from membench.readers.registry import choose_reader
from membench.records.journal import Appender
from membench.records.run_directory import RunDir
from membench.records.spec import settings_for

if TYPE_CHECKING:
    from membench.llm.gateway import Gateway
    from membench.readers.llm.reader import ModelReader


SHORTEST_REPLY = 256
"""Tokens that what a system asks its model for needs, roughly."""


@dataclass(frozen=True)
class Models:
    """What the stages of a run call models through.

    Attributes:
        gateway: The run's gateway, None for a run without models.
        lanes: Access of each lane of the play stage; empty without models.
    """

    gateway: Gateway | None = None
    lanes: Sequence[GatewayAccess] = field(default_factory=tuple)

    @property
    def halted(self) -> bool:
        """Whether no call is made any more."""
        return self.gateway is not None and self.gateway.stopped is not None


@contextmanager
def models_of(prepared: ResolvedRun, run: RunDir) -> Iterator[Models]:
    """Open the run's gateway for the time of its stages; nothing is opened without models."""
    if not prepared.models:
        yield Models()
        return
    from membench.llm.gateway import Gateway

    with Gateway(gateway_config(prepared, run)) as gateway:
        lanes = [gateway.lane(lane_name(n)) for n in range(prepared.options.concurrency)]
        yield Models(gateway, lanes)


def lane_name(number: int) -> str:
    """What the gateway calls a lane."""
    return f"lane-{number}"


def check_models(prepared: ResolvedRun, run: RunDir, called: Collection[Role] = ()) -> None:
    """Refuse what cannot work before there is a run directory.

    Args:
        prepared: The run to be.
        run: Where it will be.
        called: Roles that will surely be called, unless a cassette holds all they are asked.

    Raises:
        UsageError: The extra is not installed, a model cannot fill its role, or a dollar budget
            cannot be kept.
        DataError: There is no cassette to replay.
    """
    if not prepared.models:
        return
    try:
        from membench.llm.gateway import Gateway
    except ModuleNotFoundError as error:
        raise UsageError(
            f"this run calls models, and {error.name} is not installed",
            f"Install the extra: pip install 'membench[{','.join(extras_of(prepared))}]'",
        ) from None
    options = prepared.options
    gateway = Gateway(gateway_config(prepared, run))
    held = options.cassette is not None and options.cassette.exists()
    if options.cassette_mode == "off" or (options.cassette_mode == "record" and not held):
        for (role, _), spec in gateway.config.seats().items():
            if role in called:
                check_reachable(spec)
    if options.cassette_mode == "replay" and options.cassette is not None:
        Cassette(options.cassette, readonly=True).close()


def extras_of(prepared: ResolvedRun) -> list[str]:
    """The extras that bring what a run's models need; each brings the gateway too."""
    models = [spec.local for spec in models_config(prepared).seats().values()]
    own = {local.extra for local in models if local is not None} - {GATEWAY_EXTRA}
    return sorted(own) or [GATEWAY_EXTRA]


def install_models(prepared: ResolvedRun, report: Callable[[str], None]) -> None:
    """Have local models on this machine and see that prompts fit; a replay needs neither.

    Args:
        prepared: The run to be.
        report: Told what is fetched, from which package and under which licence.

    Raises:
        UserError: A model cannot be had, or its file or settings cannot work.
    """
    if not prepared.models or prepared.options.cassette_mode == "replay":
        return
    for (role, _), spec in models_config(prepared).seats().items():
        local = spec.local
        if local is not None:
            local.install(report)
            local.check(spec)
        check_window(prepared, role, spec)


def check_reachable(spec: ModelSpec) -> None:
    """Refuse a model that nobody could be asked for: better now than in every question.

    Raises:
        UsageError: A provider's model without its key, or a name that belongs to no provider.
    """
    from membench.llm.upstreams.choose import is_openai
    from membench.llm.upstreams.credentials import missing_variable

    if spec.base_url is not None or spec.is_local:
        return
    prefix, slash, _ = spec.model.partition("/")
    if slash and prefix in SERVERS:
        raise UsageError(
            f"model '{spec.model}' is on a server of your own, and no address is given",
            "Name it with --base-url, such as --base-url http://localhost:8000/v1.",
        )
    if is_openai(spec) and spec.api_key() is None:
        raise UsageError(
            f"model '{spec.model}' is OpenAI's, and ${spec.key_variable} is not set",
            "Set it, or name a server with --base-url. `scripted` rehearses without any.",
        )
    missing = missing_variable(spec.model)
    if missing is not None:
        raise UsageError(
            f"model '{spec.model}' is called through its provider, and ${missing} is not set",
            "Set it, or name a server with --base-url. `scripted` rehearses without any.",
        )
    if "/" not in spec.model and prices.provider_of(spec.model) is None:
        raise UsageError(
            f"model '{spec.model}' belongs to no provider that is known",
            "Write PROVIDER/NAME as litellm does, or name a server with --base-url.",
        )


@contextmanager
def parameter_changes_noted(models: Models, run: RunDir) -> Iterator[None]:
    """Note in the manifest what was changed in requests that models refused as they were."""
    try:
        yield
    finally:
        changes = models.gateway.parameter_changes if models.gateway is not None else {}
        if changes:
            manifest = run.manifest()
            noted = dict(manifest.parameter_changes)
            for role, by_name in changes.items():
                entries = {name: asdict(change) for name, change in by_name.items()}
                noted[role] = {**noted.get(role, {}), **entries}
            run.write_manifest(replace(manifest, parameter_changes=noted))


def collect_late_usage(models: Models, run: RunDir) -> None:
    """Note what lanes still called after their last phase was closed; the lanes are gone.

    Raises:
        Stopped: A call of a system was one too many for the budget, or for a model.
    """
    if models.gateway is None:
        return
    names = [lane_name(number) for number in range(len(models.lanes))]
    late = [usage for name in names for usage in models.gateway.release(name)]
    if late:
        notes = Appender(run.play)
        notes.append({"note": "late", "late": [usage.to_json() for usage in late]})
        notes.close()
    if models.gateway.stopped is not None:
        raise models.gateway.stopped


def gateway_config(prepared: ResolvedRun, run: RunDir) -> GatewayConfig:
    """The gateway's configuration."""
    options = prepared.options
    cassette = options.cassette
    if cassette is None and options.cassette_mode == "record":
        cassette = run.cassette
    before = spent(run.spent)
    return replace(
        models_config(prepared),
        cassette=cassette,
        cassette_mode=options.cassette_mode,
        budget=Budget(options.budget_usd, options.budget_tokens, before.usd or 0.0, before.tokens),
        ledger=run.spent,
        logs=run.logs,
    )


def models_config(prepared: ResolvedRun) -> GatewayConfig:
    """The models of a run alone, without its files and budgets."""
    return GatewayConfig(
        roles={
            role: configured(prepared, role, model_spec(prepared.spec, role, name))
            for role, name in prepared.models.items()
        },
        further_judges=tuple(
            configured(prepared, Role.JUDGE, ModelSpec(name)) for name in judges(prepared.spec)[1:]
        ),
        base_url=prepared.options.base_url,
    )


def served_roles(prepared: ResolvedRun) -> list[Role]:
    """The roles whose model is called at an address that was given with the run."""
    if not prepared.models:
        return []
    seats = models_config(prepared).seats().items()
    return sorted({role for (role, _), spec in seats if spec.base_url is not None})


def local_identities(prepared: ResolvedRun) -> dict[str, dict[str, Scalar | None]]:
    """What decides what each local model says, by role; further judges have a number."""
    found = {}
    for (role, number), spec in models_config(prepared).seats().items():
        identity = spec.local.identity(spec) if spec.local is not None else None
        if identity:
            found[f"{role}-{number}" if number else str(role)] = dict(identity)
    return found


SENT = ("temperature", "max_tokens")
"""Settings that are parameters of requests; null leaves them out."""


def configured(prepared: ResolvedRun, role: Role, spec: ModelSpec) -> ModelSpec:
    """A model with the settings of the run: those of its role over those of every role.

    Where nothing is set, a local server computes the examples of a reader's prompts once.

    Raises:
        UnknownName: There is no such setting.
    """
    settings = settings_of(prepared, role)
    known = [field.name for field in fields(ModelSpec) if field.name != "unsent"]
    for name in settings:
        if name not in known:
            raise UnknownName("model setting", name, known)
    if settings.get("cache_prompt") is None and has_examples(prepared, role, spec):
        kept = KEEPS_STATES and settings.get("slots") in (None, 1)
        settings["cache_prompt"] = EXAMPLES if kept else False
    settings |= {"price": stated_price(prepared, role, spec)} if "price" in settings else {}
    nulls = frozenset(n for n in SENT if n in settings and settings[n] is None)
    return replace(spec, **settings, unsent=spec.unsent | nulls)


def stated_price(prepared: ResolvedRun, role: Role, spec: ModelSpec) -> Price | None:
    """The price that was set for a role's model: its own, or one without a role that it fits."""
    stated = settings_of(prepared, role).get("price")
    price = None if stated is None else Price(**stated)
    own = f"{role}.price" in _model_set(prepared)
    return price if own or prices.is_meant(price, role, spec) else spec.price


def has_examples(prepared: ResolvedRun, role: Role, spec: ModelSpec) -> bool:
    """Whether a local model is asked with prompts that begin with the same examples."""
    read = role == Role.READER and spec.is_local
    return read and choose_reader(prepared.spec.reader).card.examples


def settings_of(prepared: ResolvedRun, role: Role) -> JsonObject:
    """What was set for a role's model: settings of the role over those of every role."""
    return settings_for(_model_set(prepared), role)


def _model_set(prepared: ResolvedRun) -> JsonObject:
    return {**prepared.spec.model_set, **prepared.options.model_set}


def answer_limit(prepared: ResolvedRun, spec: ModelSpec) -> int:
    """Tokens an answer may have.

    What the user set, else what the protocol says, what the reader or the division does, and at
    last the task's own limit.
    """
    card = choose_reader(prepared.spec.reader).card
    wishes = (
        settings_of(prepared, Role.READER).get("max_tokens"),
        prepared.card.answer_max_tokens,
        card.answer_limit,
        spec.max_tokens,
    )
    return next((wish for wish in wishes if wish is not None), prepared.card.answer_limit)


def check_window(prepared: ResolvedRun, role: Role, spec: ModelSpec, *, ask: bool = True) -> None:
    """Refuse a model whose context is too short for its role, before anything is paid.

    A reader needs room for a question beside the answer's limit, a system's own model room for the
    longest prompt that the system was seen to send.

    Args:
        prepared: The run to be.
        role: What the model does in it.
        spec: The model.
        ask: Whether its server may be asked for its window.

    Raises:
        UsageError: Names both figures.
    """
    if role not in (Role.READER, Role.MEMORY):
        return
    window = window_of(spec, ask=ask)
    if window is None:
        return
    needed = prepared.system.min_context
    if role == Role.MEMORY and needed is not None and window < needed + SHORTEST_REPLY:
        raise UsageError(
            f"'{prepared.system.name}' sends its model prompts of {needed:,} tokens and more, and "
            f"'{spec.served_name}' has a context of {window:,} for prompt and reply",
            "Name a model with a longer context by --memory-model; where this one's is longer, say "
            "so with --model-set memory.context_length=N.",
        )
    limit = answer_limit(prepared, spec)
    if role == Role.READER and window <= limit + (shortest := shortest_prompt(prepared)):
        raise UsageError(
            f"the reader '{spec.served_name}' has a context of {window:,} tokens; a question "
            f"without any memory takes {shortest:,} of them, and an answer may have {limit:,}",
            "Lower --model-set reader.max_tokens, or raise reader.context_length.",
        )


def shortest_prompt(prepared: ResolvedRun) -> int:
    """Tokens of the prompt for a question of one word without memories, counted as contexts are."""
    from membench.readers.llm.reader import MARGIN, PER_MESSAGE
    from membench.tokens import count_tokens

    messages = prompt_of(prepared)(AnswerInput("Who?", ()))
    return round(sum(count_tokens(m.content) + PER_MESSAGE for m in messages) * MARGIN)


def prompt_of(prepared: ResolvedRun) -> Callable[[AnswerInput], Sequence[Message]]:
    """What asks a question in a run: the task, or a reader with a prompt of its own."""
    card = choose_reader(prepared.spec.reader).card
    if not card.prompt or card.make is None:
        return prepared.task.answer_messages
    own: Callable[[AnswerInput], Sequence[Message]] = card.make(None, prepared.task).messages
    return own


def in_flight(prepared: ResolvedRun, gateway: Gateway, role: Role) -> int:
    """Calls in flight: no more than are worked on at once, so that none is timed waiting."""
    slots = gateway.slots(role)
    asked = prepared.options.read_concurrency
    return asked if slots is None else min(asked, slots)


def reader_of(prepared: ResolvedRun, clock: Clock, gateway: Gateway) -> tuple[ModelReader, int]:
    """The run's reader with a model, and how many answers it may have in flight."""
    spec = gateway.roles[Role.READER]
    make = choose_reader(prepared.spec.reader).card.make
    assert make is not None
    window = window_of(spec, ask=prepared.options.cassette_mode != "replay")
    limit = answer_limit(prepared, spec)
    budget = prepared.spec.token_budget
    reader: ModelReader = make(
        gateway.client(), prepared.task, clock.now, spec.temperature, limit, window, budget
    )
    return reader, in_flight(prepared, gateway, Role.READER)
