"""One JSON line each way: by orjson where the Python has it, else by the standard library.

Both ends read what either writes: what orjson refuses (halves of surrogate pairs, NaN, integers
above 64 bits) is left to the standard library.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment,unused-ignore]


def encoded(value: object) -> bytes:
    """A value as a line; a time becomes its ISO string.

    Raises:
        TypeError: JSON has no such value.
    """
    if orjson is not None:
        option = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_APPEND_NEWLINE
        try:
            return orjson.dumps(value, option=option)
        except TypeError:
            pass
    return json.dumps(value, default=_time_text).encode() + b"\n"


def _time_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"JSON has no {type(value).__name__}")


def decoded(line: bytes) -> Any:
    """The inverse of `encoded`.

    Raises:
        ValueError: It is no JSON.
    """
    if orjson is not None:
        try:
            return orjson.loads(line)
        except ValueError:
            pass
    return json.loads(line)
