"""Properties of a metric that follow from its name."""

from __future__ import annotations

import re

COUNTING = re.compile(r"(^|[._])(count|tokens|turns|seconds|bytes|score|per_\w+)(\.scored)?$")


def is_fraction(metric: str) -> bool:
    """Whether a metric lies in 0..1: all do whose names do not say otherwise."""
    return COUNTING.search(metric) is None
