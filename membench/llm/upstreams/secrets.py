"""Keys never leave the environment: what upstreams echo is cleaned before anyone sees it."""

from __future__ import annotations

import os
import re

_NAME = re.compile(r"(?:KEY|KEYS|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS)(?:_?\d+)?$")
_LOOKS_LIKE_ONE = re.compile(
    r"\b(?:sk|pk|rk|hf|gsk|xai|AIza)[-_][A-Za-z0-9_\-*]{8,}|Bearer\s+[^\s\"']+"
)
SHORTEST = 8
"""Characters; shorter values are words like `EMPTY`, which local servers are given."""
MASK = "[secret]"


def redacted(text: str) -> str:
    """A text without any key of the environment and without what looks like one."""
    for secret in _secrets():
        text = text.replace(secret, MASK)
    return _LOOKS_LIKE_ONE.sub(MASK, text)


def _secrets() -> list[str]:
    """Values of environment variables that hold credentials, longest first."""
    values = {
        value
        for name, value in os.environ.items()
        if _NAME.search(name.upper()) and len(value) >= SHORTEST
    }
    return sorted(values, key=len, reverse=True)
