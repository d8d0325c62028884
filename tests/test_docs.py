"""The documentation: its code runs, its links lead somewhere, its flags and commands exist.

Per page, the `python` blocks run in order in one fresh interpreter, and the `sh` and `bash` blocks
in order in one empty folder, with this checkout's `membench` on the path. A block that cannot run
here says why in an HTML comment right before it: `<!-- not run: reason -->`.
"""

import importlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from membench.cli import app
from membench.experiments.task_size import size_of
from membench.harness.prepare import prepare
from membench.llm.upstreams.local.llama.program import free_port
from membench.records.spec import ExecOptions, RunSpec

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "benchmarks").glob("*.md"),
        *(ROOT / "results").glob("*.md"),
        *(ROOT / "membench" / "adapters" / "systems").glob("*/*/README.md"),
    ]
)
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
INSTALLING = re.compile(r"^pip install [^&\n]*&& ", re.MULTILINE)
TIDY = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"
MOST_NOT_RUN = 16
"""Blocks that are only read. A new one needs a reason that is better than this number."""


def blocks(page: Path, *languages: str) -> list[str]:
    """The blocks of a page that run here."""
    return [
        match["text"]
        for match in BLOCK.finditer(page.read_text())
        if match["language"] in languages and not match["reason"]
    ]


def pages_with(*languages: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, *languages)]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's, and this checkout as `membench` and `python`."""
    programs = folder.parent / "bin"
    programs.mkdir()
    for program, words in (("membench", "-m membench"), ("python", "")):
        shim = programs / program
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        shim.chmod(0o755)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MEMBENCH", "OPENAI"))}
    return clean | {
        "PATH": f"{programs}{os.pathsep}{clean['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder.parent / "cache"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("python"), ids=name)
def test_the_python_of_a_page_runs(page, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-"],
        input="\n".join(blocks(page, "python")),
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("sh", "bash"), ids=name)
def test_the_commands_of_a_page_run(page, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "docs").symlink_to(ROOT / "docs")
    commands = INSTALLING.sub("", "\n".join(blocks(page, "sh", "bash")))
    commands = commands.replace("8000", str(free_port()))
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=environment(folder),
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(f"{TIDY}\n{commands}")
    finally:
        end(process.pid)
    assert process.returncode == 0, output


def end(group: int) -> None:
    """End what a page left running."""
    try:
        os.killpg(group, signal.SIGTERM)
    except ProcessLookupError:
        return


def test_every_language_is_known():
    """A misspelt language would silently not run."""
    known = {"", "python", "sh", "bash", "json", "toml", "yaml", "text"}
    found = {match["language"] for page in PAGES for match in BLOCK.finditer(page.read_text())}
    assert found <= known


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_nothing_is_left_to_be_filled_in(page):
    assert not re.search(r"^[A-Z_]{4,}$|TODO|FIXME|TBD", prose(page), re.MULTILINE)


def test_few_blocks_are_only_read_and_each_says_why():
    reasons = [
        match["reason"]
        for page in PAGES
        for match in BLOCK.finditer(page.read_text())
        if match["reason"]
    ]
    assert all(len(reason.split()) > 1 for reason in reasons)
    assert len(reasons) <= MOST_NOT_RUN, reasons


def anchors(page: Path) -> set[str]:
    """The names that headings get on a forge."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", prose(page)):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    linked = set(re.findall(r"\]\(([^)#]+)\)", index))
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert pages - {"README.md"} <= linked


def prose(page: Path) -> str:
    """A page without its blocks."""
    return BLOCK.sub("", page.read_text())


FLAGS_OF_UV = {"--universal", "--no-emit-package"}
FLAGS_OF_SERVERS = {
    "--served-model-name",
    "--max-model-len",
    "--api-key",
    "--alias",
    "--embedding",
    "--reranking",
}
COMMANDS = typer.main.get_command(app)


def flags_of(command: object) -> set[str]:
    """The flags of a command and of all below it."""
    own = {flag for item in command.params for flag in (*item.opts, *item.secondary_opts)}
    below = getattr(command, "commands", {}).values()
    return own.union(*(flags_of(child) for child in below)) | {"--help"}


def other_flags() -> set[str]:
    """What our scripts take."""
    scripts = [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "membench").rglob("*.py")]
    texts = (script.read_text() for script in scripts)
    return {flag for text in texts for flag in re.findall(r'add_argument\(\s*"(--[\w-]+)"', text)}


def command_lines(page: Path) -> Iterator[str]:
    """Everything on a page that calls membench, one line each."""
    text = page.read_text()
    shell = [m["text"] for m in BLOCK.finditer(text) if m["language"] in ("sh", "bash", "")]
    for piece in (*"\n".join(shell).replace("\\\n", " ").splitlines(), *quoted(page)):
        yield from re.findall(r"(?:^|&& |\w=\S+ )membench ([a-z][^|&#]*)", piece.strip())


def quoted(page: Path) -> list[str]:
    """The words between backticks."""
    return re.findall(r"`([^`]+)`", prose(page))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_their_flags_exist(page):
    for line in command_lines(page):
        command, words = COMMANDS, line.split()
        while words and hasattr(command, "commands") and not words[0].startswith("-"):
            names = words.pop(0).split("|")
            assert set(names) <= set(command.commands), line
            command = command.commands[names[0]]
        for flag in re.findall(r"(?<!\S)--[a-z][\w-]*", " ".join(words)):
            assert flag in flags_of(command), f"{flag} in: membench {line}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_flags_that_are_mentioned_exist(page):
    known = flags_of(COMMANDS) | other_flags() | FLAGS_OF_UV | FLAGS_OF_SERVERS
    for words in quoted(page):
        if words.startswith("--"):
            for flag in re.findall(r"(?<!\S)--[a-z][\w-]*", words):
                assert flag in known, words


GENERATED = {
    "make_all_systems.page()": "docs/all-systems.md",
    "make_cli.page()": "docs/cli.md",
    "make_fields.page()": "docs/new-system.md",
    "make_native.page()": "docs/native-systems.md",
    "make_profiles.page()": "docs/profiles.md",
    "make_results.all_results()": "docs/results.md",
    "make_results.page()": "README.md",
    "make_results.page(make_results.LOCAL_MODELS)": "docs/local-models.md",
    "make_published.page()": "docs/published-answers.md",
}
"""What scripts of `docs/` make, and the page that each writes, or keeps tables in."""


@pytest.mark.slow
@pytest.mark.parametrize("made", GENERATED)
def test_a_generated_page_is_what_its_sources_say(made):
    """The command line, the cards, stored conformance and profiles, the bundles."""
    script = made.partition(".")[0]
    done = subprocess.run(
        [sys.executable, "-c", f"import {script}; print({made}, end='')"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'docs'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    page = (ROOT / GENERATED[made]).read_text()
    assert done.stdout == page, f"write it anew: python docs/{script}.py"


@pytest.mark.slow
@pytest.mark.data
def test_what_locomo_would_cost_is_computed_from_the_size_that_it_has(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    stated = importlib.import_module("make_profiles").LOCOMO
    prepared = prepare(RunSpec("bm25", "locomo"), ExecOptions())
    size = size_of(prepared.task, prepared.cases())
    for figure in ("cases", "sessions", "turns", "history_tokens", "recalls"):
        assert getattr(stated, figure) == getattr(size, figure), figure
