"""Canonical JSON and its hash."""

from __future__ import annotations

import hashlib

import orjson


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces: equal values give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def canonical_sha256(value: object) -> str:
    """Hash of the canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
