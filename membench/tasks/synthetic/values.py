"""Values: what facts are about, each used once per case.

A value is told apart from every other by its `core`, the words that an answer has to hold:
"Veltara" of "Veltara Logistics". Because no core occurs twice in a case, whoever holds it holds
that fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

from membench.tasks.generation.draws import Draws
from membench.tasks.synthetic.texts import read_texts


@dataclass(frozen=True)
class Value:
    """One value.

    Attributes:
        text: As it is said.
        core: The words by which it is recognised.
    """

    text: str
    core: str


@cache
def cores(pool: str) -> tuple[str, ...]:
    """Every core of a pool."""
    words = read_texts("words")
    if pool in words["listed"]:
        return tuple(words["listed"][pool])
    if pool in words["numbers"]:
        low, high = words["numbers"][pool]
        return tuple(str(number) for number in range(low, high + 1))
    parts = words["joined"][pool]
    between = parts.get("between", "")
    return tuple(between.join(pair) for pair in product(parts["first"], parts["second"]))


@cache
def pools() -> tuple[str, ...]:
    """Names of all pools that values are taken from."""
    words = read_texts("words")
    return (*words["listed"], *words["numbers"], *words["joined"])


@cache
def coined() -> frozenset[str]:
    """Names that only this generator uses, in lower case: a memory with one got it from here."""
    joined = read_texts("words")["joined"]
    single = [pool for pool, parts in joined.items() if "between" not in parts]
    return frozenset(core.lower() for pool in (*single, "person") for core in cores(pool))


class ValueSupply:
    """Takes values from pools, none twice."""

    def __init__(self, draws: Draws) -> None:
        """Nothing is taken yet."""
        self.draws = draws
        self.taken: dict[str, set[str]] = {}

    def take(self, pool: str) -> Value | None:
        """A value that was not taken before, or None if all were."""
        known, taken = cores(pool), self.taken.setdefault(pool, set())
        if len(taken) == len(known):
            return None
        if len(taken) * 2 < len(known):
            core = self.draws.pick(known)
            while core in taken:
                core = self.draws.pick(known)
        else:
            core = self.draws.pick([core for core in known if core not in taken])
        taken.add(core)
        return Value(self.framed(pool, core), core)

    def framed(self, pool: str, core: str) -> str:
        """A core as it is said."""
        words = read_texts("words")
        frame: str = words["frames"].get(pool, "{x}")
        kinds = words["kinds"].get(pool)
        return frame.format(x=core, kind=self.draws.pick(kinds) if kinds else "")
