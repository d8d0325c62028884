"""Text that `membench new` wrote for its reader, and that nobody put in words of their own.

scaffold_text(Path("my_system/system.toml"))  ->  (7, 'summary = "... Replace this sentence."')
"""

from __future__ import annotations

from pathlib import Path

from membench.adapters.card_file import FILE
from membench.adapters.registry import list_systems
from membench.domain.errors import DataError
from membench.records.run_directory import RunDir

PLACEHOLDERS = ("replace this sentence", "arxiv:0000.00000")
"""What the templates of systems and tasks ask to be replaced, in lower case."""

TASK_FILE = "task.py"


def check_cards(run: RunDir) -> None:
    """Refuse to publish a run of a system or task whose card still holds text of the scaffold.

    Raises:
        DataError: Names the file, the line and what it says.
    """
    for file in card_files(run):
        found = scaffold_text(file)
        if found is not None:
            number, line = found
            raise DataError(
                file,
                f"line {number}",
                f"still has the text of the scaffold: {line}",
                "Say there what it is, and submit again.",
            )


def card_files(run: RunDir) -> list[Path]:
    """The files on this machine that say what was run, as far as they are there."""
    places = run.places()
    card = list_systems().get(run.manifest().system.name)
    system = places.get("system") or (card.folder if card else None)
    wanted = ((system, FILE), (places.get("task"), TASK_FILE))
    files = [Path(folder) / name for folder, name in wanted if folder is not None]
    return [file for file in files if file.is_file()]


def scaffold_text(file: Path) -> tuple[int, str] | None:
    """The first line that a template asks to be replaced, with its number from 1."""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if any(placeholder in line.lower() for placeholder in PLACEHOLDERS):
            return number, line.strip()
    return None
