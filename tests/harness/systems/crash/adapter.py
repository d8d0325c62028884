"""Dies with its process while it ingests the third session, every time or once."""

import os
from pathlib import Path


class System:
    def __init__(self, context):
        self.flag = context.parameters["flag"]
        self.once = context.parameters["once"]

    def reset(self, case):
        self.sessions = 0

    def ingest(self, session):
        self.sessions += 1
        if self.sessions == 3 and not Path(self.flag).is_file():
            if self.once:
                Path(self.flag).touch()
            os._exit(7)
        return []

    def recall(self, query):
        return []

    def close(self):
        pass
