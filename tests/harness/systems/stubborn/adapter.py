"""Returns more memories than it was asked for."""

from membench.domain.system import Memory


class System:
    def __init__(self, context):
        pass

    def reset(self, case):
        pass

    def ingest(self, session):
        return []

    def recall(self, query):
        return [Memory(f"memory {i}") for i in range(query.k + 1)]

    def close(self):
        pass
