"""Random memory: k turns drawn without looking at the question's meaning."""

from __future__ import annotations

import hashlib
import random

from membench.adapters.parts.budget import cut
from membench.adapters.parts.log import TurnLog
from membench.domain.system import Memory, Query, SystemContext


class Random(TurnLog):
    """Keeps every turn and recalls k of them at random.

    The draw depends on the run's seed, the case and the question's words, never on what was
    asked before.
    """

    def __init__(self, context: SystemContext) -> None:
        """Take the seed."""
        super().__init__()
        self.seed = context.seed
        self.count_tokens = context.count_tokens

    def recall(self, query: Query) -> list[Memory]:
        """Turns in random order."""
        key = "\x00".join((str(self.seed), self.case, query.text))
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        drawn = random.Random(int.from_bytes(digest)).sample(self.log, len(self.log))
        return cut(drawn, query, self.count_tokens)
