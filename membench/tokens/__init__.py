"""Counting tokens with a real tokenizer, offline.

`cache/` holds tiktoken's `o200k_base` ranks under the name tiktoken looks for, so that
`TIKTOKEN_CACHE_DIR` can point there, here and in the environments of third-party packages.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tiktoken

CACHE_DIR = Path(__file__).parent / "cache"
ENCODING = "o200k_base"

REMEMBERED = 500_000
"""Texts whose count is remembered, 130 bytes each; those that come later are counted every time."""


@cache
def encoding() -> tiktoken.Encoding:
    """The `o200k_base` encoding, loaded on first use from our package data."""
    import tiktoken

    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(CACHE_DIR)
    try:
        return tiktoken.get_encoding(ENCODING)
    finally:
        if before is None:
            del os.environ["TIKTOKEN_CACHE_DIR"]
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = before


def count_tokens(text: str) -> int:
    """Number of `o200k_base` tokens; special-token spellings count as ordinary text."""
    return len(encoding().encode_ordinary(text))


def count_tokens_once(text: str) -> int:
    """Like `count_tokens`, but a text that this process has counted before is not counted again.

    For the harness alone: histories of LongMemEval share their sessions, and a recalled memory is
    often a turn. What a system counts stays its own work.
    """
    key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    known = _counts.get(key)
    if known is None:
        known = count_tokens(text)
        if len(_counts) < REMEMBERED:
            _counts[key] = known
    return known


_counts: dict[bytes, int] = {}
