"""Write docs/cli.md: every command and flag, as the program declares them.

Usage: python docs/make_cli.py
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

from membench.cli import app

WORDS = {str: "TEXT", Path: "PATH", int: "INT", float: "NUMBER"}
PAGE = Path(__file__).with_name("cli.md")

HEAD = """\
# The command line

Made by `python docs/make_cli.py` from the program itself; `membench COMMAND --help` says the same.

Results go to stdout, progress and notes to stderr. `--json` prints JSON alone on stdout. In a pipe
a table has one line per row. Exit codes: 0 done and complete, 1 done with failures, 2 bad usage or
input (one message, no traceback), 3 interrupted and resumable.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(sections(typer.main.get_command(app), "membench"))


def sections(command: Any, name: str) -> Iterator[str]:
    """One section per command; groups come as their commands."""
    children = getattr(command, "commands", {})
    if not children or command.invoke_without_command:
        yield section(command, name)
    for word, child in children.items():
        yield from sections(child, f"{name} {word}")


def section(command: Any, name: str) -> str:
    """What a command does, and a table of what it takes."""
    taken = [item for item in command.params if item.name != "help"]
    arguments = " ".join(usage(item) for item in taken if is_argument(item))
    text = "\n\n".join(" ".join(part.split()) for part in command.help.split("\n\n"))
    types = get_type_hints(command.callback)
    rows = "".join(f"| {spelling(item, types)} | {meaning(item)} |\n" for item in taken)
    title = f"{name} {arguments}".strip()
    return f"\n## `{title}`\n\n{text}\n\n| | |\n|---|---|\n{rows}"


def is_argument(item: Any) -> bool:
    """Whether it is given by place and not by flag."""
    return bool(item.param_type_name == "argument")


def usage(item: Any) -> str:
    """An argument in the usage line."""
    several = "..." if item.nargs == -1 else ""
    name = word(item)
    return f"{name}{several}" if item.required else f"[{name}]{several}"


def word(item: Any) -> str:
    """An argument's name as it is shown."""
    return str(item.metavar or item.name.upper())


def spelling(item: Any, types: dict[str, Any]) -> str:
    """How it is written: `--k INT`."""
    if is_argument(item):
        return f"`{word(item)}`"
    flags = "`, `".join(sorted((*item.opts, *item.secondary_opts), key=len, reverse=True))
    return f"`{flags}`" if item.is_flag else f"`{flags}` {value(item, types)}"


def value(item: Any, types: dict[str, Any]) -> str:
    """What a flag takes: its own word, or that of its type."""
    declared = types[item.name]
    first = (get_args(declared) or (declared,))[0]
    return str(item.metavar or WORDS.get(first) or "\\|".join(get_args(declared)))


def meaning(item: Any) -> str:
    """The help, and the default where there is one."""
    if is_argument(item):
        return str(item.help)
    if item.required:
        return f"{item.help} Required."
    if isinstance(item.show_default, str):
        return f"{item.help} Default: {item.show_default}."
    stated = item.default not in (None, "") and not item.is_flag
    return f"{item.help} Default: `{item.default}`." if stated else str(item.help)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
