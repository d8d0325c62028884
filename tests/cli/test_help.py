"""`--help` as a reader meets it: whole sentences, and no default that is not one."""

import re
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from membench.cli import app

ROOT = typer.main.get_command(app)


def commands(command: object, *path: str) -> Iterator[tuple[str, ...]]:
    """Every command and group by its words."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, *path, name)


COMMANDS = list(commands(ROOT))


def help_of(*words: str, width: int = 80) -> str:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": str(width)})
    assert shown.exit_code == 0
    return shown.stdout


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_sentence_is_cut(words):
    text = help_of(*words).replace("[ARGS]...", "").replace("}...", "").replace("SOURCES...", "")
    assert not re.search(r"(?<![A-Z])\.\.\.", text)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_number_that_means_nothing_is_no_default(words):
    text = help_of(*words)
    assert "[default: 0]" not in text.replace("Seed of everything random.  [default: 0]", "")
    assert "[default: 0.0]" not in text


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_everything_is_explained(words):
    command = ROOT
    for word in words:
        command = command.commands[word]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", ""), parameter.name
