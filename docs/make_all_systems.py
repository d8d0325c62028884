"""Write docs/all-systems.md: every system in one table, from the cards and the stored results.

Usage: python docs/make_all_systems.py
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from membench.adapters.card import SystemCard
from membench.adapters.not_released import list_not_released
from membench.adapters.registry import SYSTEMS, list_systems
from membench.domain.labels import Phase, Role
from membench.experiments.profile import Profile, read
from membench.experiments.profile_costs import STORING, asked
from membench.testing.stored import read_stored

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("all-systems.md")
RESULTS = ROOT / "results"
KINDS = {
    "native": "Systems of the literature, written here",
    "controllers": "Controllers, which wrap another system",
    "packages": "Third-party packages, the real ones",
    "weights": "Released weights that run inside a process",
    "baselines": "Plain systems",
    "controls": "Controls",
    "remote": "Adapters to what runs elsewhere",
}
"""Folder of a kind -> what it is called, in the order of the page."""

HEAD = """\
# Every system

Made by `python docs/make_all_systems.py` from each `system.toml` and what is stored: conformance
(`membench conformance NAME --write`), profiles (`membench profile NAME --out results/profiles`)
and the bundles under `results/`. A dash: nothing of the kind is stored.

- *LLM calls* are measured against scripted replies ([profiles](profiles.md)), at the defaults: per
  turn stored, sleep-time work included, and per question recalled, at the longest history
  profiled. Without a profile, the models that the system calls are named.
- *Deviations* lead to the list of differences from the paper or release, below.
- *Conformance* counts passed checks; what was skipped is not promised.
- *Rows* are bundles by task, often with parameters set: [results](../results/README.md).
"""

COLUMNS = (
    *("system", "what it stores and does", "a memory is", "LLM calls", "fidelity"),
    *("deviations", "conformance", "rows"),
)


def page() -> str:
    """The page as the sources are now."""
    return "\n".join(lines()) + "\n"


def lines() -> Iterator[str]:
    """The page, line by line."""
    yield HEAD
    cards = [card for card in list_systems().values() if SYSTEMS in card.folder.parents]
    rows = rows_by_system()
    for kind, title in KINDS.items():
        yield f"## {title}\n"
        yield f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"
        for card in cards:
            if card.folder.parent.name == kind:
                yield f"| {' | '.join(cells(card, rows))} |"
        yield ""
    yield from absent()
    yield "## Deviations\n"
    for card in cards:
        if card.deviations:
            yield f"### {card.name}\n"
            yield from (f"- {deviation}" for deviation in card.deviations)
            yield ""


def cells(card: SystemCard, rows: dict[str, Counter[str]]) -> Iterator[str]:
    """One system."""
    yield f"`{card.name}`"
    paper = f" ({card.paper})" if card.paper else ""
    yield f"{card.summary}{paper}".replace("|", "/")
    yield card.granularity
    yield calls(card)
    yield card.fidelity
    yield f"[{len(card.deviations)}](#{card.name})" if card.deviations else "0"
    stored = read_stored(card)
    yield "–" if stored is None else stored.summary
    yield ", ".join(f"{task} {n}" for task, n in sorted(rows.get(card.name, {}).items())) or "–"


def calls(card: SystemCard) -> str:
    """Calls of the language model as profiled, else the models it calls."""
    path = RESULTS / "profiles" / f"{card.name}.json"
    if path.is_file():
        return profiled(read(path))
    named = [str(role) for role in card.default_roles]
    return f"calls: {', '.join(named)}" if named else "none"


def profiled(made: Profile) -> str:
    """Calls of the language model per turn stored and per question."""
    longest = made.lengths[-1]
    storing = asked(longest, Role.MEMORY, *STORING).calls / longest.turns
    asking = asked(longest, Role.MEMORY, Phase.RECALL).calls / longest.questions
    parts = [f"{storing:.2g} per turn"] if storing else []
    parts += [f"{asking:.2g} per question"] if asking else []
    return ", ".join(parts) or "none"


def rows_by_system() -> dict[str, Counter[str]]:
    """How many bundles each system has, by task."""
    found: dict[str, Counter[str]] = {}
    for path in sorted(RESULTS.glob("*/*/manifest.json")):
        name = json.loads(path.read_bytes())["system"]["name"]
        found.setdefault(name, Counter())[path.parents[1].name] += 1
    return found


def absent() -> Iterator[str]:
    """Systems that cannot be run here."""
    yield "## Not released\n"
    yield "These cannot be run here; `membench systems --all` lists them too.\n"
    yield "| system | paper | checked | why |\n|---|---|---|---|"
    for entry in list_not_released().values():
        title = f"[{entry.title}]({entry.repo})" if entry.repo else entry.title
        yield f"| {title} | {entry.paper} | {entry.checked} | {entry.reason} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page())
