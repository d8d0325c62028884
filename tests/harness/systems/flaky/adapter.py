"""Fails to ingest until the flag file exists."""

from pathlib import Path

from membench.domain.system import Memory


class System:
    def __init__(self, context):
        self.flag = context.parameters["flag"]

    def reset(self, case):
        self.turns = []

    def ingest(self, session):
        if not Path(self.flag).is_file():
            raise ConnectionError("not yet")
        self.turns += session.turns
        return []

    def recall(self, query):
        return [Memory(t.text, (t.id,)) for t in self.turns[: query.k]]

    def close(self):
        pass
