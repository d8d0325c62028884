"""The file of a generated split: which generator makes it, and how large.

It stands in for data everywhere: it is found like a data file, and its hash is the data set's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from membench.domain.errors import DataError
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source, reading

GENERATOR = 1
"""Version of the generator: any change of its output is a new one."""

LIMITS = {"cases": (1, 10_000), "tasks": (4, 5_000), "rules": (4, 24)}
LARGEST = 1 << 16
"""Bytes a recipe may have; a larger file is something else."""


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
    with reading(source.path), source.open() as file:
        raw = file.read(LARGEST)
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        problem = f"not valid JSON ({type(error).__name__})"
        raise DataError(source.path, "", problem, "See docs/tasks/task_stream.md.") from error
    node = Node(value, source.path, "")
    if node["generator"].integer() != GENERATOR:
        raise node["generator"].error(
            f"made for generator {node['generator'].integer()}, this is {GENERATOR}"
        )
    recipe = Recipe(*(limited(node, name) for name in LIMITS))
    if recipe.rules % 2:
        raise node["rules"].error(f"expected an even number, found {recipe.rules}")
    return recipe


def limited(node: Node, name: str) -> int:
    """A number within its limits."""
    (low, high), number = LIMITS[name], node[name].integer()
    if not low <= number <= high:
        raise node[name].error(f"expected a number from {low} to {high}, found {number}")
    return number
