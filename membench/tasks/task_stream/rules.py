"""The rules of a stream: a device with a fault needs a procedure, which feedback tells."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from membench.tasks.generation.draws import Draws

Texts = Mapping[str, Sequence[str]]


@cache
def read_texts() -> Texts:
    """The texts, but for the faults."""
    with Path(__file__).with_name("texts.toml").open("rb") as file:
        found: Texts = tomllib.load(file)
    return found


@cache
def faults() -> tuple[tuple[str, ...], ...]:
    """Phrasings of each fault, the usual one first."""
    return tuple(tuple(phrasings) for phrasings in read_texts()["faults"])


@dataclass
class RepairRule:
    """What one fault of one device needs, and what feedback has told of it so far.

    Attributes:
        device: The device.
        phrasings: Of the fault, the usual one first.
        procedure: What it needs now.
        lesson: Number of the last task that tells what is known now; None before the first.
        known: Whether the procedure has been named.
        changed: Whether it was another one once.
        refuted: Procedures that feedback called wrong for it.
        unused: Phrasings besides the usual one that were not used yet.
    """

    device: str
    phrasings: tuple[str, ...]
    procedure: str
    lesson: int | None = None
    known: bool = False
    changed: bool = False
    refuted: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """All but the usual phrasing are unused."""
        self.unused = list(self.phrasings[1:])


class ProcedureNames:
    """Names of procedures, none twice; they share no word until all words are used up."""

    def __init__(self, draws: Draws) -> None:
        """Nothing is named yet."""
        texts = read_texts()
        self.first, self.second = draws.shuffled(texts["first"]), draws.shuffled(texts["second"])
        self.taken: list[str] = []

    def take(self) -> str:
        """A new name."""
        number, size = len(self.taken), len(self.first)
        second = self.second[(number + number // size) % size]
        self.taken.append(f"{self.first[number % size]} {second}")
        return self.taken[-1]

    def other_than(self, names: Sequence[str], draws: Draws) -> str:
        """A name that was taken before and is none of these, or a new one."""
        others = [name for name in self.taken if name not in names]
        return draws.pick(others) if others else self.take()


def draw_rules(draws: Draws, names: ProcedureNames, number: int) -> list[RepairRule]:
    """Rules in the order they first occur: every device has two faults, every fault two devices."""
    half = number // 2
    devices = draws.shuffled(read_texts()["devices"])[:half]
    chosen = draws.shuffled(faults())[:half]
    pairs = [(n, (n + step) % half) for n in range(half) for step in (0, 1)]
    return [RepairRule(devices[d], chosen[f], names.take()) for d, f in draws.shuffled(pairs)]
