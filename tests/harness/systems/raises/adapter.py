"""Raises on every second recall."""


class System:
    def __init__(self, context):
        pass

    def reset(self, case):
        self.recalls = 0

    def ingest(self, session):
        return None

    def recall(self, query):
        self.recalls += 1
        if self.recalls % 2 == 0:
            raise RuntimeError("the index is gone")
        return []

    def close(self):
        raise RuntimeError("cannot even close")
