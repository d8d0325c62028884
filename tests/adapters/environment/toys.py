"""Sources of toy adapters: one that behaves, and parts of ones that do not."""

GOOD = """
import os, random, socket, sys, uuid
from pathlib import Path
from membench.domain.system import Memory, MemoryChange

class System:
    def __init__(self, context):
        self.context = context
        print("libraries print")

    def reset(self, case):
        self.case, self.stored = case, []

    def ingest(self, session):
        (self.context.workdir / session.id.replace("/", "-")).write_bytes(b"x" * 100)
        new = [Memory(t.text, (t.id,), session.time, id=str(uuid.uuid4())) for t in session.turns]
        self.stored += new
        return [MemoryChange("add", memory) for memory in new]

    def remember(self, item):
        self.stored.append(Memory(item.text, (item.id,), item.time))

    def recall(self, query):
        return self.stored[: query.k]

    def memories(self):
        return self.stored

    def finalize(self):
        return []

    def store_bytes(self):
        return 4242

    def close(self):
        pass
"""


def toy_with(body: str) -> str:
    """The good toy with methods replaced: `body` is the inside of a subclass."""
    lines = "\n".join("    " + line for line in body.strip().splitlines())
    return f"{GOOD}\n\nclass Base(System):\n    pass\n\n\nclass System(Base):\n{lines}\n"
