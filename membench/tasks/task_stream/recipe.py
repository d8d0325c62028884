"""The recipe of a split: how much of what is generated (`membench.tasks.files.recipe`)."""

from __future__ import annotations

from dataclasses import dataclass

from membench.tasks.files.recipe import read_recipe_file
from membench.tasks.files.source import Source

GENERATOR = 1
"""Version of the generator: any change of its output is a new one."""

LIMITS = {"cases": (1, 10_000), "tasks": (4, 5_000), "rules": (4, 24)}


@dataclass(frozen=True)
class Recipe:
    """What a split is made of.

    Attributes:
        cases: Number of streams.
        tasks: Tasks of a stream.
        rules: Rules of a stream; even, two for each device.
    """

    cases: int
    tasks: int
    rules: int


def read_recipe(source: Source) -> Recipe:
    """Read a recipe.

    Raises:
        DataError: It is no recipe, one of another generator, or beyond the limits.
    """
    node, numbers = read_recipe_file(source, GENERATOR, LIMITS, "docs/tasks/task_stream.md")
    if numbers["rules"] % 2:
        raise node["rules"].error(f"expected an even number, found {numbers['rules']}")
    return Recipe(**numbers)
