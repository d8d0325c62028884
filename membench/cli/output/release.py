"""`membench systems check NAME`."""

from __future__ import annotations

from pathlib import Path

from membench.adapters.registry import get_card
from membench.cli.output.console import out, step
from membench.domain.temporary_folder import TemporaryFolder
from membench.experiments.profile import read, write
from membench.testing.release_check import ReleaseCheck, adopt, check_release, discard


def print_release(name: str, profiles: Path, *, update: bool) -> bool:
    """Check the newest release of a system, print what differs and take it over if asked.

    Returns:
        Whether nothing differs.
    """
    card = get_card(name)
    stored = profiles / f"{card.name}.json"
    known = read(stored) if stored.is_file() else None
    with TemporaryFolder("release") as folder:
        found = check_release(card, known, folder, step)
        for line in _lines(found, compared=known is not None):
            out().print(line, markup=False)
        if update and found.profile is not None:
            adopt(found, card)
            write(found.profile, profiles)
            out().print(f"taken over: {card.folder}", markup=False)
        elif not found.problem:
            discard(found, card)
    return found.same


def _lines(found: ReleaseCheck, *, compared: bool) -> list[str]:
    if found.problem:
        return [f"{found.system}: the newest release does not install: {found.problem}"]
    head = f"{found.system}: {found.old} -> {found.new}"
    if found.new == found.old:
        head = f"{found.system}: {found.old} is the newest release"
    kept = "conformance and profile as stored" if compared else "conformance as stored, no profile"
    lines = [head, *(found.differences or [kept])]
    if found.added:
        lines.append(
            f"not in the stored report, which is older: {', '.join(found.added)} "
            f"(membench conformance {found.system} --write)"
        )
    return lines
