"""`--help` as a reader meets it: whole sentences, and no default that is not one."""

import re
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from membench.cli import PANELS as COMMAND_PANELS
from membench.cli import app
from membench.cli.options import PANELS
from membench.harness.spec import SETTINGS

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


def test_run_has_a_flag_of_the_same_name_for_every_setting_of_a_spec_file():
    flags = {item.name for item in ROOT.commands["run"].params}
    assert flags - {"resume", "spec", "json", "verbose", "quiet"} == SETTINGS


def test_flags_come_in_panels_and_what_is_required_says_so():
    text = help_of("run")
    headings = [line[:-1] for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == [*PANELS, "Options"]
    assert text.count("required") == 2
    assert "membench run --system bm25 --task locomo" in text


def test_commands_come_in_panels():
    text = help_of()
    places = [text.index(f"\n{panel}:\n") for panel in COMMAND_PANELS]
    assert places == sorted(places)


def test_completion_can_be_installed():
    assert "--install-completion" in help_of()
