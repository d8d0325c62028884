"""Lines of the bundles in a store, read as a stream and, where nobody verified them, strictly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from membench.domain.labels import JsonObject
from membench.domain.score import Score
from membench.leaderboard.bundles import layout
from membench.leaderboard.bundles.score_table import unpacked_rows
from membench.leaderboard.validation.strict import parse_lines
from membench.leaderboard.validation.unpacking import UnpackedBundle


def read_lines(opened: UnpackedBundle, name: str, *, trusted: bool) -> Iterator[JsonObject]:
    """The lines of a file of a bundle; none if it is not there.

    Args:
        opened: The bundle.
        name: The file.
        trusted: Whether the validator has read it before.

    Raises:
        RuleViolation: A `json.` rule, in a bundle that is not trusted.
    """
    with opened.open(name) as file:
        yield from map(orjson.loads, file) if trusted else parse_lines(file, name)


@dataclass(frozen=True)
class BundleRows:
    """The score rows of a bundle, which can be read any number of times.

    Attributes:
        opened: The bundle.
        trusted: Whether the validator has read it before.
    """

    opened: UnpackedBundle
    trusted: bool

    def __iter__(self) -> Iterator[Score]:
        """Read them."""
        return unpacked_rows(read_lines(self.opened, layout.SCORES, trusted=self.trusted))
