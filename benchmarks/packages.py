"""The tables of docs/packages.md: conformance, and what one LoCoMo conversation costs.

    python benchmarks/packages.py conformance       # from the stored results
    python benchmarks/packages.py check NAME...     # check again and store
    python benchmarks/packages.py metered NAME...   # play a conversation ($MEMBENCH_DATA)
    python benchmarks/packages.py longer NAME...    # play histories of LongMemEval and HaluMem
    python benchmarks/packages.py together NAME...  # runs at once, two lanes each

Models are scripted: calls, tokens, CPU seconds and sizes are the package's, answers mean nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from membench.adapters.environment import environments
from membench.adapters.environment.worker.processes import descendants
from membench.adapters.registry import SystemCard, get_card, list_systems
from membench.domain.case import Case, Ingest, opaque_ids
from membench.tasks.find import find_source
from membench.tasks.registry import get_task
from membench.testing.conformance import render
from membench.testing.package_rules import RULES
from membench.testing.packages import check_package
from membench.testing.profile import prompt_tokens
from membench.testing.scripted import ScriptedServer
from membench.testing.stored import StoredReport, read_stored
from membench.testing.trial import PhaseCost, Trial, play

LANES = 2
SESSIONS = 10
"""Of the HaluMem user."""


def main(arguments: Sequence[str]) -> None:
    """Print one of the tables."""
    command, names = arguments[0], arguments[1:]
    cards = [get_card(name) for name in names] or packages()
    match command:
        case "conformance":
            print("\n".join(conformance_table(cards)))
        case "check":
            for card in cards:
                environments.ensure(card, say)
                print(render(check_package(card, write=True)[0]), flush=True)
        case "metered":
            for line in metered_table(cards, {"": first_case("locomo")}):
                print(line, flush=True)
        case "longer":
            for line in metered_table(cards, longer_histories()):
                print(line, flush=True)
        case "together":
            together([card.name for card in cards])


def packages() -> list[SystemCard]:
    """Every system with an environment of its own that runs on this machine."""
    cards = list_systems().values()
    return [card for card in cards if card.environment is not None and not card.hosted]


def say(message: str) -> None:
    """Progress, away from the tables."""
    print(message, file=sys.stderr, flush=True)


def conformance_table(cards: Sequence[SystemCard]) -> Iterator[str]:
    """One row per check, one column per package."""
    stored = {card.name: read_stored(card) for card in cards}
    known = {name: result for name, result in stored.items() if result is not None}
    checks = list(
        dict.fromkeys(result.name for report in known.values() for result in report.results)
    )
    yield f"| check | {' | '.join(known)} |"
    yield "|---|" + "---|" * len(known)
    for check in checks:
        cells = [status_of(check, report) for report in known.values()]
        yield f"| {check} | {' | '.join(cells)} |"
    yield f"| replay, measured | {' | '.join(report.replay for report in known.values())} |"


def status_of(check: str, report: StoredReport) -> str:
    """The outcome of one check, a dash where the report is older than the check."""
    found = (result.status for result in report.results if result.name == check)
    return next(found, "–")


def metered_table(cards: Sequence[SystemCard], cases: Mapping[str, Case]) -> Iterator[str]:
    """One row per package, history and phase; a history is named where there are several."""
    yield (
        "| system | phase | events | calls | prompt tokens | completion tokens | "
        "embedding tokens | wall s | CPU s | start s | peak RSS MB | store MB |"
    )
    yield "|---|---|" + "--:|" * 10
    for card in cards:
        environments.ensure(card, say)
        for history, case in cases.items():
            trial = play(card, case)
            check(trial)
            say(f"{card.name}: longest prompt {longest_prompt(trial)} tokens")
            title = f"{card.name}{history}"
            for number, (phase, cost) in enumerate(trial.phases.items()):
                first = number == 0
                yield row(title if first else "", phase, cost, trial if first else None)


def longest_prompt(trial: Trial) -> int:
    """Tokens of the messages of the longest chat request: a system's `min_context`."""
    return max((prompt_tokens(asked) for asked in trial.requests), default=0)


def check(trial: Trial) -> None:
    """Stop if a call was not metered."""
    if trial.metered != trial.served or trial.faults:
        raise SystemExit(f"{trial.system}: {trial.metered} metered, {trial.served} served")


def row(name: str, phase: str, cost: PhaseCost, trial: Trial | None) -> str:
    """One row; what belongs to the whole trial stands in the first."""
    numbers = (
        cost.events,
        cost.usage.calls,
        cost.usage.prompt_tokens,
        cost.usage.completion_tokens,
        cost.usage.embedding_tokens,
    )
    cells = [name, phase, *(f"{number:,}" for number in numbers)]
    cells += [f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}"]
    if trial is not None:
        store = "-" if trial.store_bytes is None else f"{trial.store_bytes / 1e6:.1f}"
        cells += [f"{trial.start_s:.1f}", f"{trial.rss_bytes / 1e6:.0f}", store]
    else:
        cells += ["", "", ""]
    return f"| {' | '.join(cells)} |"


def first_case(name: str) -> Case:
    """The first case of a task."""
    task_type = get_task(name)
    source = find_source(task_type, None, None)
    return next(iter(task_type({}, 0).cases(source, opaque_ids(name, 0))))[0]


def longer_histories() -> dict[str, Case]:
    """LongMemEval's first instance, and the first ten sessions of HaluMem's first user."""
    user = first_case("halumem")
    starts = [n for n, event in enumerate(user.timeline) if isinstance(event, Ingest)]
    cut = replace(user, timeline=user.timeline[: starts[SESSIONS]])
    return {", LongMemEval": first_case("longmemeval"), ", HaluMem": cut}


def together(names: Sequence[str]) -> None:
    """Runs of several packages at once, and what is left running afterwards."""
    rules = [rule for name in names for rule in RULES.get(name, ())]
    with tempfile.TemporaryDirectory() as out, ScriptedServer(rules, width=1536) as server:
        before = workers()
        started = time.perf_counter()
        runs = {name: start_run(name, server.base_url, Path(out)) for name in names}
        codes = {name: run.wait() for name, run in runs.items()}
        wall_s = time.perf_counter() - started
        left = [process.pid for process in descendants(os.getpid())]
        new = workers() - before
    print(f"{len(names)} runs at once, {LANES} lanes each: {wall_s:.0f} s, exit codes {codes}")
    print(f"left running: {len(left)} of our processes, {len(new)} of their workers")


def start_run(name: str, base_url: str, out: Path) -> subprocess.Popen[bytes]:
    """`membench run` on the sample."""
    command = [sys.executable, "-m", "membench", "run", "--system", name, "--task", "locomo"]
    command += ["--split", "sample", "--memory-model", "openai/scripted-upstream"]
    command += ["--embedder", "openai/text-embedding-3-small", "--base-url", base_url]
    command += ["--concurrency", str(LANES), "--out", str(out / name)]
    environment = {**os.environ, "OPENAI_API_KEY": "scripted"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def workers() -> set[str]:
    """Process ids of all workers and of every Postgres on this machine."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"worker/bootstrap.py" in words or b"postgres" in words:
                found.add(entry.name)
    return found


if __name__ == "__main__":
    main(sys.argv[1:] or ["conformance"])
