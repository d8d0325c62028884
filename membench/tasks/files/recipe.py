"""The file of a generated split: which generator makes it, and how large.

It stands in for data everywhere: it is found like a data file, its hash is the hash of the
dataset, and anyone who has membench has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from membench.domain.errors import DataError
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source, reading

LARGEST = 1 << 16
"""Bytes a recipe may have; a larger file is something else."""


def read_recipe_file(
    source: Source, generator: int, limits: Mapping[str, tuple[int, int]], page: str
) -> tuple[Node, dict[str, int]]:
    """Read a recipe.

    Args:
        source: The file.
        generator: Version of the generator that there is.
        limits: Smallest and largest value of each number that the recipe holds.
        page: Where the form of the file is described.

    Returns:
        The file, for complaints about its numbers together, and the numbers by name.

    Raises:
        DataError: It is no recipe, one of another generator, or beyond the limits.
    """
    with reading(source.path), source.open() as file:
        raw = file.read(LARGEST)
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        problem = f"not valid JSON ({type(error).__name__})"
        raise DataError(source.path, "", problem, f"See {page}.") from error
    node = Node(value, source.path, "")
    made_for = node["generator"]
    if made_for.integer() != generator:
        raise made_for.error(f"made for generator {made_for.integer()}, this is {generator}")
    return node, {name: limited(node[name], *bounds) for name, bounds in limits.items()}


def limited(node: Node, low: int, high: int) -> int:
    """A number within its limits."""
    number = node.integer()
    if not low <= number <= high:
        raise node.error(f"expected a number from {low} to {high}, found {number}")
    return number
