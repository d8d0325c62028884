"""Embeddings from hashes: unit vectors of any width, alike where texts share words.

Every word adds +1 or -1 at one place that its hash decides (feature hashing). So the same text has
the same vector on every machine, and recall by such vectors behaves like a crude lexical search.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

WIDTH = 256
_WORD = re.compile(r"\w+")


def embed(texts: Sequence[str], width: int = WIDTH) -> npt.NDArray[np.float32]:
    """Unit vectors of texts.

    Args:
        texts: Any strings; one without words gets the first unit vector.
        width: Number of dimensions, at least 1.

    Returns:
        Shape (len(texts), width), float32, every row of Euclidean norm 1.
    """
    import numpy as np

    rows = np.zeros((len(texts), width), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in _WORD.findall(text.lower()):
            dimension, sign = _feature(word, width)
            row[dimension] += sign
        if not row.any():
            row[0] = 1.0
        row /= np.linalg.norm(row)
    return rows


@lru_cache(maxsize=1 << 16)
def _feature(word: str, width: int) -> tuple[int, float]:
    """Place and sign of a word."""
    digest = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
    return (digest >> 1) % width, 1.0 if digest & 1 else -1.0
