"""The hash of a question set: that of its ids, sorted, a line each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from membench.domain.packed import SortedStrings


class QuestionSet:
    """Takes in the ids of a question set, in any order, and names it."""

    def __init__(self) -> None:
        """Start without a question."""
        self._ids = SortedStrings()

    def add(self, ids: Iterable[str]) -> None:
        """Take in the ids of some questions."""
        for question_id in ids:
            self._ids.append(question_id)

    def sha256(self) -> str:
        """What names the set."""
        digest = hashlib.sha256()
        for number, encoded in enumerate(self._ids.encoded()):
            digest.update(b"\n" + encoded if number else encoded)
        return digest.hexdigest()
