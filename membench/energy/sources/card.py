"""The card of an energy source: what can be known about it before it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from membench.domain.errors import UsageError
from membench.domain.labels import Provenance
from membench.energy.sources.base import EnergySource

Parse = Callable[[str], EnergySource]


@dataclass(frozen=True)
class SourceCard:
    """An energy source as the registry knows it.

    Attributes:
        name: What `--energy` calls it.
        parse: Makes one from what follows the name and a colon in `--energy`, which may be empty.
        automatic: Whether `auto` tries it: sensors of this machine only. Models and estimates are
            never taken unasked.
        needs: Which argument it cannot do without, with an example; empty where it can.
        label: Label of its figures, for a source that is not opened to find out (`needs`).
        tried_with: Argument that `membench doctor` tries it with.
    """

    name: str
    parse: Parse
    automatic: bool = False
    needs: str = ""
    label: Provenance = Provenance.UNAVAILABLE
    tried_with: str = ""


def spelled(name: str, argument: str) -> str:
    """A source as it was asked for."""
    return f"--energy {name}:{argument}" if argument else f"--energy {name}"


def without_argument(name: str, make: Callable[[], EnergySource]) -> Parse:
    """How to parse the spec of a source that takes no argument."""

    def parse(argument: str) -> EnergySource:
        if argument:
            raise UsageError(f"--energy {name}:{argument}: {name} takes no argument")
        return make()

    return parse
