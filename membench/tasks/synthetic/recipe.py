"""The recipe of a split: how much of what is generated (`membench.tasks.files.recipe`)."""

from __future__ import annotations

from dataclasses import dataclass

from membench.tasks.files.recipe import read_recipe_file
from membench.tasks.files.source import Source

GENERATOR = 1
"""Version of the generator: any change of its output is a new one."""

LIMITS = {"cases": (1, 100_000), "tokens": (1000, 10_000_000), "questions": (1, 200)}


@dataclass(frozen=True)
class Recipe:
    """What a split is made of.

    Attributes:
        cases: Number of cases.
        tokens: Tokens of a case's history (o200k_base), about.
        questions: Questions per case.
    """

    cases: int
    tokens: int
    questions: int


def read_recipe(source: Source) -> Recipe:
    """Read a recipe.

    Raises:
        DataError: It is no recipe, one of another generator, or beyond the limits.
    """
    _, numbers = read_recipe_file(source, GENERATOR, LIMITS, "docs/tasks/synthetic.md")
    return Recipe(**numbers)
