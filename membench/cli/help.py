"""`--help` in groups: flags and commands under the headings of their panels, as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

REST = "Options"


class PanelCommand(TyperCommand):
    """A command whose flags are listed by panel."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write one section per panel, in the order in which panels come first."""
        write_panels(ctx, formatter, self.get_params(ctx))


class PanelGroup(TyperGroup):
    """A group whose commands are listed by panel."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one section per panel, in the order in which commands were added."""
        commands = [self.commands[name] for name in self.list_commands(ctx)]
        width = max(len(str(command.name)) for command in commands)
        panels: dict[str, list[tuple[str, str]]] = {}
        for command in commands:
            text = command.get_short_help_str(formatter.width - 6 - width)
            panel = getattr(command, "rich_help_panel", None) or "Commands"
            panels.setdefault(panel, []).append((str(command.name).ljust(width), text))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


def write_panels(ctx: Any, formatter: Any, parameters: Iterable[Any]) -> None:
    """Write arguments and flags, one section per panel."""
    from membench.cli.options import PANELS

    panels: dict[str, list[tuple[str, str]]] = {name: [] for name in ("Arguments", *PANELS, REST)}
    for item in parameters:
        record = item.get_help_record(ctx)
        if record is not None:
            panel = "Arguments" if item.param_type_name == "argument" else item_panel(item)
            panels[panel].append(record)
    for panel, rows in panels.items():
        if rows:
            with formatter.section(panel):
                formatter.write_dl(rows)


def item_panel(item: object) -> str:
    """The panel of a flag."""
    return str(getattr(item, "rich_help_panel", None) or REST)
