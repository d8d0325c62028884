"""A spec made concrete: cards looked up, options checked, data found, before anything runs.

Everything a user can get wrong is refused here, with one message, before a run directory exists.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from membench.adapters import registry as systems
from membench.adapters.configured import configured_card
from membench.adapters.driven import driven_card
from membench.adapters.environment.keys import check_keys
from membench.adapters.hosted import NO_ENERGY
from membench.adapters.isolation import Isolation, choose_isolation, exposed
from membench.adapters.parameters import with_folders
from membench.domain.case import Ask, Case, Ingest, opaque_ids
from membench.domain.errors import UsageError
from membench.domain.labels import Role, Scalar
from membench.domain.score import Gold
from membench.energy.sources import Selection, choose
from membench.harness import divisions
from membench.harness.places import places_of, without_places
from membench.llm.upstreams.local.registry import local_models
from membench.readers.registry import OWN_READER, choose_reader, reads_nothing
from membench.records.question_set import QuestionSet
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks import registry as tasks
from membench.tasks.base import AnyTask
from membench.tasks.card import TaskCard
from membench.tasks.files.source import Source, file_sha256
from membench.tasks.find import Version, find_errata, find_source

KEPT_BYTES = 32 * 2**20
"""Data up to this size is parsed once per run; larger data is streamed by every stage."""


@dataclass(frozen=True)
class ResolvedRun:
    """A run that could start now.

    Attributes:
        spec: What was asked for, with the division's pins applied.
        options: How it will be executed.
        system: Card of the system.
        parameters: Its parameters, checked, defaults filled in.
        task: The task with its options.
        source: The data file.
        version: Which published version of the data it is.
        k: Memories per recall.
        selection: The energy sources that will be read, and why those.
        places: Folders of the system and the task where a path was given, not a name.
    """

    spec: RunSpec
    options: ExecOptions
    system: systems.SystemCard
    parameters: dict[str, Scalar]
    task: AnyTask
    source: Source
    version: Version
    k: int
    selection: Selection
    places: dict[str, str]

    @property
    def card(self) -> TaskCard:
        """Card of the task."""
        return self.task.card

    def cases(self) -> Iterator[tuple[Case, Gold]]:
        """Stream the cases of the run; call it again for another pass.

        A small file is parsed once and its cases are kept: every stage goes through them.

        Raises:
            UsageError: At the end: a case that was asked for did not come.
        """
        return iter(self._kept) if self._is_small else self._streamed()

    def _streamed(self) -> Iterator[tuple[Case, Gold]]:
        opaque = opaque_ids(self.card.name, self.spec.seed)
        unseen = set(self.spec.cases)
        for case, gold in self.spec.chosen(self.task.cases(self.source, opaque)):
            unseen.discard(gold.case_id)
            yield case, gold
        if unseen and self.spec.limit is None:
            raise UsageError(
                f"--cases {min(unseen)}: {self.source.path} holds no such case",
                "Name it as the benchmark does: the id of a question begins with that of its case.",
            )

    @cached_property
    def _is_small(self) -> bool:
        return self.task.content_bytes(self.source) <= KEPT_BYTES

    @cached_property
    def _kept(self) -> list[tuple[Case, Gold]]:
        return list(self._streamed())

    @cached_property
    def isolation(self) -> Isolation:
        """Where the system's code runs; its environment must be installed.

        Raises:
            UsageError: The environment is not installed.
        """
        chosen = choose_isolation(self.system, self.options.isolation)
        return exposed(self.system, chosen, self.source.path, self.options.out)

    @property
    def errata_sha256(self) -> str | None:
        """Hash of the list of errata that is scored beside the published gold."""
        return file_sha256(self.task.errata) if self.task.errata else None

    @property
    def models(self) -> dict[Role, str]:
        """Model name by role, for the roles of this run that need one."""
        spec = self.spec
        chosen = {
            Role.MEMORY: spec.memory_model,
            Role.EMBEDDER: spec.embedder,
            Role.RERANKER: spec.reranker,
            Role.READER: choose_reader(spec.reader).model or "none",
        }
        needed = {role: name for role, name in chosen.items() if name != "none"}
        for number, judge in enumerate(judges(spec)):
            if number == 0:
                needed[Role.JUDGE] = judge
        return needed


def judges(spec: RunSpec) -> list[str]:
    """Names of the judges; empty without any."""
    return [name.strip() for name in spec.judge.split(",") if name.strip() not in ("", "none")]


def votes_of(spec: RunSpec) -> int:
    """Votes of each judge per judgement."""
    return 1 if spec.judge_votes is None else spec.judge_votes


def prepare(spec: RunSpec, options: ExecOptions) -> ResolvedRun:
    """Check a spec against the systems, tasks and data there are.

    Raises:
        UserError: Whatever is wrong, with its remedy.
    """
    card = systems.get_card(spec.system)
    spec = divisions.pinned(with_own_reader(spec, card))
    task_type = tasks.get_task(spec.task)
    errata = find_errata(task_type, options.data) if spec.errata else None
    task = task_type(spec.task_set, spec.seed, errata)
    check(spec, options, card, task.card)
    parameters = with_folders(card, systems.checked_parameters(card, spec.set))
    systems.check_installed(card)
    check_keys(card)
    card = configured_card(driven_card(card, parameters), parameters)
    check_roles(spec, card)
    choose_isolation(card, options.isolation)
    source = find_source(task_type, spec.split, options.data)
    k = spec.k if spec.k is not None else task.card.default_k
    places = places_of(card, task_type)
    spec = replace(without_places(spec, places), split=source.split)
    version = task.identify(source)
    selection = sensors(card, options.energy)
    prepared = ResolvedRun(
        spec, options, card, parameters, task, source, version, k, selection, places
    )
    if options.engine == "ray":
        from membench.harness.lanes import ray

        ray.check(models=bool(prepared.models))
    return prepared


def sensors(system: systems.SystemCard, energy: str) -> Selection:
    """The energy sources of a run; none for a hosted system, whose joules nobody here can read.

    Raises:
        UserError: There is no such source, or it cannot be read here.
    """
    return Selection("none", (), (NO_ENERGY,)) if system.hosted else choose(energy)


def with_own_reader(spec: RunSpec, system: systems.SystemCard) -> RunSpec:
    """The spec, with the system as its reader where it does nothing but answer.

    Raises:
        UsageError: Another reader was asked for, which would be given nothing.
    """
    if system.protocol != "answer-only" or choose_reader(spec.reader).card.kind == "system":
        return spec
    if spec.reader != RunSpec.reader:
        raise UsageError(
            f"--reader {spec.reader}: '{system.name}' shows no memories that it could read",
            f"Leave --reader out: its own answers are scored (--reader {OWN_READER}).",
        )
    return replace(spec, reader=OWN_READER)


def check(spec: RunSpec, options: ExecOptions, system: systems.SystemCard, task: TaskCard) -> None:
    """Refuse combinations that cannot run.

    Raises:
        UsageError: Names the option, the reason and the remedy.
    """
    if spec.k is not None and task.fixed_k:
        raise UsageError(
            f"--k {spec.k}: the protocol of {task.name} fixes k", "Leave --k out for this task."
        )
    check_numbers(spec, options)
    if options.schedule == "waves" and not task.separable:
        raise UsageError(
            f"--schedule waves: the phases of {task.name} interleave and cannot be separated",
            "Use --schedule free; phase energy is then modelled and says so.",
        )
    if choose_reader(spec.reader).card.kind == "system" and "answer" not in system.capabilities:
        raise UsageError(
            f"--reader {spec.reader}: '{system.name}' does not answer by itself",
            "Choose another reader, such as extractive.",
        )
    check_reader(spec, task)
    check_unread(spec)
    check_judges(spec)


def check_numbers(spec: RunSpec, options: ExecOptions) -> None:
    """Refuse numbers that mean nothing: less than one of what is counted, a budget below zero.

    Raises:
        UsageError: Names the option and its least value.
    """
    counts = {
        "k": spec.k,
        "limit": spec.limit,
        "token_budget": spec.token_budget,
        "judge_votes": spec.judge_votes,
        "concurrency": options.concurrency,
        "read_concurrency": options.read_concurrency,
        "wave_cases": options.wave_cases,
    }
    budgets = {"budget_usd": options.budget_usd, "budget_tokens": options.budget_tokens}
    for least, values in ((1, counts), (0, budgets)):
        for name, value in values.items():
            if value is not None and not least <= value < math.inf:
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(f"{flag} {value:g}: must be a number from {least} up")


def check_reader(spec: RunSpec, task: TaskCard) -> None:
    """Refuse a reader of few words for a task that wants whole replies."""
    chosen = choose_reader(spec.reader)
    if chosen.card.few_words and task.whole_replies:
        raise UsageError(
            f"--reader {spec.reader}: reader '{chosen.card.name}' answers in a few words, "
            f"{task.name} wants whole replies",
            f"Ask with the task's own prompt: --reader llm:{chosen.model}.",
        )


def check_unread(spec: RunSpec) -> None:
    """Refuse a judge of a run without answers."""
    if reads_nothing(spec.reader) and judges(spec):
        raise UsageError(
            f"--reader {spec.reader} with --judge {spec.judge}: there are no answers to judge",
            "Choose a reader; `membench read RUN --reader READER` answers what a run recalled.",
        )


def check_judges(spec: RunSpec) -> None:
    """Refuse a judge that is named twice: it would agree with itself."""
    named = judges(spec)
    if len(set(named)) < len(named):
        raise UsageError(f"--judge {spec.judge}: a judge is named twice", "Name each of them once.")


def check_roles(spec: RunSpec, system: systems.SystemCard) -> None:
    """Refuse a system that needs models the run does not name: all of them in one message.

    Raises:
        UsageError: Names the flag of each, and what could be given.
    """
    lacking = [role for role in system.roles if getattr(spec, divisions.FIELDS[role]) == "none"]
    if not lacking:
        return
    what, each = ("a model", "role") if len(lacking) == 1 else ("models", "roles")
    quoted = " and ".join(f"'{role}'" for role in lacking)
    raise UsageError(
        f"system '{system.name}' needs {what} for the {each} {quoted}",
        " ".join([*(model_wanted(spec, role) for role in lacking), *stand_ins(spec, lacking)]),
    )


def model_wanted(spec: RunSpec, role: Role) -> str:
    """How to name a role's model: the division's, else one that runs here, or a provider's."""
    flag = _flag(role)
    if pinned_one := divisions.pinned_model(spec, role):
        return f"Division '{spec.division}' allows one: {flag} {pinned_one.model}."
    provider = f"{flag} PROVIDER/NAME"
    local = " or ".join(f"{flag} {name}" for name in local_names(role))
    return f"Name {local}, which runs here, or {provider}." if local else f"Name {provider}."


def stand_ins(spec: RunSpec, roles: Iterable[Role]) -> Iterator[str]:
    """What rehearses without a model, where the division leaves a choice."""
    names = local_names(Role.MEMORY, scripted=True)
    free = [role for role in roles if divisions.pinned_model(spec, role) is None]
    if names and free:
        flags = " ".join(f"{_flag(role)} {names[0]}" for role in free)
        yield f"`{flags}` rehearses without one: a stand-in that measures nothing."


def local_names(role: Role, *, scripted: bool = False) -> list[str]:
    """Local models that can fill a role."""
    known = local_models().models.values()
    return [model.name for model in known if role in model.roles and model.scripted is scripted]


def _flag(role: Role) -> str:
    return f"--{divisions.FIELDS[role].replace('_', '-')}"


@dataclass(frozen=True)
class DatasetStats:
    """One pass over the data before anything is played: sizes, and that all of it can be read.

    Attributes:
        cases: Number of cases.
        questions: Number of asks.
        events: Number of events.
        turns: Number of turns.
        question_set_sha256: Hash of the sorted question ids.
        generations: The numbers of generations asked for, ascending.
    """

    cases: int
    questions: int
    events: int
    turns: int
    question_set_sha256: str
    generations: tuple[int, ...]


def survey(prepared: ResolvedRun) -> DatasetStats:
    """Read every case once.

    Raises:
        DataError: Something in the file is malformed.
        UsageError: There is no case at all.
    """
    cases = questions = events = turns = 0
    asked = QuestionSet()
    generations: set[int] = set()
    for case, gold in prepared.cases():
        cases += 1
        events += len(case.timeline)
        asks = [event for event in case.timeline if isinstance(event, Ask)]
        questions += len(asks)
        generations.update(ask.generations for ask in asks)
        turns += sum(len(e.session.turns) for e in case.timeline if isinstance(e, Ingest))
        asked.add(question.question_id for question in gold.questions.values())
    if not cases:
        raise UsageError(f"{prepared.source.path} holds no case")
    return DatasetStats(cases, questions, events, turns, asked.sha256(), tuple(sorted(generations)))
