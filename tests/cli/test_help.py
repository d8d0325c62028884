"""`--help` as a reader meets it: whole sentences, and no default that is not one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import membench
from membench.cli import PANELS as COMMAND_PANELS
from membench.cli import app
from membench.cli.options import PANELS
from membench.domain.errors import UsageError
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


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (("leaderboard", "--results", ".", "--port", "-1"), "--port"),
        (("energy", "serve", "--port", "65536"), "--port"),
        (("energy", "show", "runs/one", "--pue", "0.5"), "--pue"),
    ],
)
def test_a_number_out_of_range_is_refused(words, flag):
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert flag in done.output


# --- flags in messages ---------------------------------------------------------------------------

ELSEWHERE = {"--help", "--stdio", "--hash", "--fault", "--generate-hashes", "--no-header"}
"""Flags of other programs, and of scripts of ours, that texts of the package name."""

FLAG = re.compile(r"(?<![\w(-])(?P<flag>--[a-z][a-z-]*)(?![:\w])(?P<value> [A-Z]{2,})?")


def flags(command: object) -> Iterator[tuple[str, bool]]:
    """Every flag of a command and of those below it, and whether it takes a value."""
    for item in getattr(command, "params", ()):
        yield from ((name, not getattr(item, "is_flag", False)) for name in item.opts)
        yield from ((name, False) for name in item.secondary_opts)
    for child in getattr(command, "commands", {}).values():
        yield from flags(child)


def texts(path: Path) -> Iterator[str]:
    """The texts of a module with more than one word, parts of f-strings among them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.value


def test_texts_name_flags_that_exist_and_a_value_only_where_one_is_taken():
    known = list(flags(ROOT))
    names, taking = {name for name, _ in known}, {name for name, takes in known if takes}
    package = Path(membench.__file__).parent
    for path in package.rglob("*.py"):
        for text in texts(path):
            for found in FLAG.finditer(text):
                flag = found["flag"]
                assert flag in names | ELSEWHERE, f"{path}: {flag} in {text!r}"
                assert not found["value"] or flag in taking | ELSEWHERE, f"{path}: {text!r}"


def test_every_argument_has_a_name_on_the_page_of_commands():
    headings = [line for line in Path("docs/cli.md").read_text().splitlines() if line[:3] == "## "]
    assert "## `membench show RUN [QUESTION]`" in headings
    assert not [line for line in headings if "None" in line]


@pytest.mark.parametrize("kind", ["system", "task"])
def test_what_is_made_comes_with_a_next_step_that_works(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(app, ["new", kind, "mine_too"])
    next_step = made.stdout.split("next: membench ")[1].split()
    assert CliRunner().invoke(app, next_step).exit_code == 0


@pytest.mark.parametrize("kind", ["system", "task"])
def test_a_parent_that_is_not_there_is_not_made(kind, tmp_path):
    parent = tmp_path / "nosuch"
    done = CliRunner().invoke(app, ["new", kind, "mine_too", "--parent", str(parent)])
    assert isinstance(done.exception, UsageError) and str(parent) in done.exception.problem
    assert not parent.exists()
