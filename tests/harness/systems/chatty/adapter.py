"""Says in every call which case and phase it is made in, so that a server can keep count."""

import threading
import time

import httpx

from membench.domain.labels import Role
from membench.domain.system import Memory


class System:
    def __init__(self, context):
        self.models = context.models
        self.straggle = context.parameters["straggle"]
        self.http = httpx.Client()
        self.case = ""
        self.sessions = 0
        self.thread = None

    def reset(self, case):
        self.case = case.id
        self.go = threading.Event()
        self.thread = threading.Thread(target=self._late)
        self.thread.start()

    def ingest(self, session):
        self.sessions += 1
        for part in range(2):
            self._chat("ingest", f"{session.id} part {part}")
        self._embed("ingest", [turn.text for turn in session.turns])
        return

    def recall(self, query):
        words = self._chat("recall", query.text)
        self._embed("recall", [query.text])
        return [Memory(words)]

    def close(self):
        self.go.set()
        if self.straggle == "close":
            self.thread.join()
            self.http.close()

    def _late(self):
        self.go.wait()
        if self.straggle != "close":
            time.sleep(0.3)
        self._chat("late", "one more thing")

    def _chat(self, phase, text):
        content = f"[{self.case} {phase}] {text}"
        reply = self._post(
            Role.MEMORY, "chat/completions", {"messages": [{"role": "user", "content": content}]}
        )
        return reply["choices"][0]["message"]["content"]

    def _embed(self, phase, texts):
        inputs = [f"[{self.case} {phase}] {text}" for text in texts]
        self._post(Role.EMBEDDER, "embeddings", {"input": inputs})

    def _post(self, role, path, body):
        model = self.models[role]
        headers = {"Authorization": f"Bearer {model.api_key}"}
        reply = self.http.post(
            f"{model.base_url}/{path}", json={**body, "model": model.model}, headers=headers
        )
        reply.raise_for_status()
        return reply.json()
