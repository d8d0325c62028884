"""How far judges agree beyond chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence


def cohen_kappa(one: Sequence[Hashable], other: Sequence[Hashable]) -> float | None:
    """Cohen's kappa of two judges over the same items (Cohen 1960).

    Args:
        one: Labels of the first judge.
        other: Labels of the second, in the same order.

    Returns:
        1 for perfect agreement, 0 for what chance gives; None without items, or where both
        always give one and the same label, so that chance explains everything.
    """
    size = len(one)
    if size != len(other):
        raise ValueError(f"{size} labels against {len(other)}")
    if not size:
        return None
    agreed = sum(a == b for a, b in zip(one, other, strict=True)) / size
    first, second = Counter(one), Counter(other)
    by_chance = sum(first[label] * second[label] for label in first) / size**2
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)
