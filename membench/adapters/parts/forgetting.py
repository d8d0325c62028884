"""Forgetting: a retention curve, and draws that belong to the item and not to the moment."""

from __future__ import annotations

import hashlib
import math
from datetime import datetime

from membench.adapters.parts.items import StoredItem

SECONDS_A_DAY = 86_400.0


def days_between(earlier: datetime | None, later: datetime | None) -> float:
    """Days from one time to another, at least 0; 0 where one is not known."""
    if earlier is None or later is None:
        return 0.0
    return max((later - earlier).total_seconds(), 0.0) / SECONDS_A_DAY


def retention(item: StoredItem, now: datetime, unit_days: float) -> float:
    """exp(-t / S): t since the item was last of use, S its strength (Ebbinghaus' curve)."""
    return math.exp(-days_between(item.used, now) / unit_days / item.strength)


def draw(*names: object) -> float:
    """A uniform number in [0, 1) that belongs to these names.

    An item that is dropped when its retention falls below its own number survives with just that
    probability, however often it is looked at.
    """
    name = "/".join(map(str, names)).encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=6).digest(), "big") / 2**48
