"""One JSON line each way: by orjson where the Python has it, else by the standard library.

Both ends read what either writes: what orjson refuses (halves of surrogate pairs, NaN, integers
above 64 bits) is left to the standard library.
"""

from __future__ import annotations

import json
from typing import Any

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment,unused-ignore]


def encoded(value: object) -> bytes:
    """A value as a line.

    Raises:
        TypeError: JSON has no such value.
    """
    if orjson is not None:
        plain = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
        try:
            return orjson.dumps(value, option=plain | orjson.OPT_APPEND_NEWLINE)
        except TypeError:
            pass
    return json.dumps(value).encode() + b"\n"


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
