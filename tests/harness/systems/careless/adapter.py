"""Makes its client from the environment, as packages do that know nothing of a harness."""

import openai


class System:
    def __init__(self, context):
        self.client = openai.OpenAI()

    def reset(self, case):
        pass

    def ingest(self, session):
        said = [{"role": "user", "content": turn.text} for turn in session.turns]
        self.client.chat.completions.create(model="gpt-4o-mini", messages=said)
        return []

    def recall(self, query):
        return []

    def close(self):
        self.client.close()
