"""Write a page per package into docs/systems/, from its card, conformance and stored profile.

Usage: python docs/make_systems.py
"""

import re
from collections.abc import Iterator
from pathlib import Path

from membench.adapters.registry import SystemCard, list_systems
from membench.domain.labels import Phase, Role
from membench.experiments.profile import Profile, read
from membench.experiments.profile_costs import STORING, asked, tables_growth
from membench.testing.stored import LOOPBACK, StoredReport, read_stored

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).with_name("systems")
INDEX = Path(__file__).with_name("README.md")
PROFILES = ROOT / "results" / "profiles"
LINE = re.compile(r"^- Each package on a page:.*?(?=^- |^$)", re.DOTALL | re.MULTILINE)


def pages() -> dict[Path, str]:
    """Every page by its path, and the index with its line of links."""
    cards = [card for card in list_systems().values() if card.environment is not None]
    made = {FOLDER / f"{card.name}.md": "\n".join(page(card)) + "\n" for card in cards}
    links = ",\n  ".join(f"[{card.name}](systems/{card.name}.md)" for card in cards)
    line = f"- Each package on a page:\n  {links}\n"
    return made | {INDEX: LINE.sub(lambda _: line, INDEX.read_text())}


def page(card: SystemCard) -> Iterator[str]:
    """One package."""
    yield f"# {card.title}\n"
    yield f"Made by `python docs/make_systems.py`. {card.summary}\n"
    yield "| | |\n|---|---|"
    yield f"| name | `{card.name}` |"
    yield f"| version | {card.version} |"
    yield f"| licence | {card.licence} |"
    yield f"| one memory is | a {card.granularity} |"
    yield f"| dates | {card.time} |"
    yield f"| models it calls | {', '.join(card.roles) or 'none'} |"
    yield f"| optional methods | {', '.join(sorted(card.capabilities)) or 'none'} |"
    links = [f"[repository]({card.repo})"] if card.repo else []
    notes = (card.folder / "README.md").relative_to(ROOT)
    links.append(f"[how it is run](../../{notes})")
    yield f"| more | {', '.join([*links, card.paper] if card.paper else links)} |\n"
    yield "## Differences from the release or paper\n"
    yield from (f"- {deviation}" for deviation in card.deviations)
    stored = read_stored(card)
    if stored is not None:
        yield from conformance(stored)
    path = PROFILES / f"{card.name}.json"
    yield from profile(read(path)) if path.is_file() else unprofiled(card)


def conformance(report: StoredReport) -> Iterator[str]:
    """Every check that was not simply passed, and the measured class of replay."""
    yield f"\n## Conformance\n\n{report.summary}. {beside(report)}\n"
    yield "| check | outcome | remark |\n|---|---|---|"
    for result in report.results:
        remark = result.detail.replace("|", "/")
        yield f"| {result.name} | {result.status} | {remark} |"


def beside(report: StoredReport) -> str:
    """What else a report says: its class of replay, or what of a service was not checked."""
    if report.service == LOOPBACK:
        return (
            "The server speaks the service's protocol: adapter and client were checked, and not "
            "what the service does."
        )
    return f"Replay, {'declared' if report.service else 'measured'}: {report.replay}."


def profile(made: Profile) -> Iterator[str]:
    """What it asks of its models, by the length of the history."""
    yield f"\n## Profile\n\nReplies are {made.replies}. [How to read it](../profiles.md).\n"
    yield (
        "| turns | role | calls | prompt tokens | completion tokens | embedded tokens | "
        "calls per question | CPU s | store kB |"
    )
    yield "|--:|---|" + "--:|" * 7
    for length in made.lengths:
        seconds = sum(phase.cpu_s for phase in length.phases.values())
        size = "–" if length.store_bytes is None else f"{length.store_bytes / 1000:,.1f}"
        called = [role for role in Role if asked(length, role, *Phase).calls]
        for role in called or [None]:
            use = asked(length, role, *STORING)
            per_question = asked(length, role, Phase.RECALL).calls / length.questions
            counts = (use.calls, use.prompt_tokens, use.completion_tokens, use.embedding_tokens)
            cells = [f"{length.turns}", role or "none", *(f"{count:,}" for count in counts)]
            cells += [f"{per_question:.1f}", f"{seconds:.2f}", size]
            yield f"| {' | '.join(cells)} |"
    yield ""
    for title, growth in tables_growth(made):
        if growth.kind != "none":
            error = f"error {100 * growth.error:.1f} %"
            yield f"- {title}: {growth.kind}, {growth.marginal:,.2f} ({error})"


def unprofiled(card: SystemCard) -> Iterator[str]:
    """A package whose profile is not yet measured; a service whose calls nobody here sees."""
    if card.hosted:
        yield "\n## Profile\n\nNone: what the service asks of its models is not seen from here."
        return
    command = f"membench profile {card.name} --out results/profiles"
    yield f"\n## Profile\n\nNot yet measured: `{command}`."


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text)
