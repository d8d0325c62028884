"""MEM1 (arXiv:2506.15841): a model keeps one internal state, and forgets whatever is not in it.

The history comes as blocks of information, with the question in view. Each step sees the state and
the newest block alone, and writes the next state; after the last block it answers.
"""

from __future__ import annotations

from membench.adapters.parts.history_reader import HistoryReader, asked
from membench.adapters.parts.tags import last_of, tagged
from membench.domain.answer import Answer, Message
from membench.domain.system import Memory, Query

TASK = (
    "Conversations of the past come to you one block at a time, oldest first, each between "
    "<information> and </information>. Of what came before you see only what you wrote yourself. "
    "Write between <think> and </think> all that you know and may need for the question, then "
    "<search>what you still look for</search>; or, when no block is left, "
    "<answer>your answer in a few words</answer>."
)
LEFT = "[HINT]{n} blocks are left.[/HINT]"
LAST = "[HINT]No block is left. You must answer the question now.[/HINT]"


class Mem1(HistoryReader[str]):
    """Answers from the state that is left after the last block."""

    def read(self, query: Query) -> str:
        """The answer: one reply per block, which sees the last state and nothing older."""
        blocks = list(self.chunks())
        task = Message("user", f"{TASK}\n{asked(query)}")
        state, answer = "", None
        for left, block in zip(range(len(blocks) - 1, -1, -1), blocks, strict=True):
            hint = LEFT.format(n=left) if left else LAST
            told = "\n".join(part.dated for part in block)
            shown = Message("user", f"<information>\n{hint}\n{told}\n</information>")
            before = [Message("assistant", f"<think>{state}</think>")] if state else []
            found = tagged(self.speaker.say([task, *before, shown]).text)
            thought, answer = last_of(found, "think"), last_of(found, "answer")
            self.speaker.counts.unusable += thought is None and (left > 0 or answer is None)
            state = self.bounded(thought or state, int(self.given["state_tokens"]))
        return answer or ""

    def recall(self, query: Query) -> list[Memory]:
        """Nothing: the state is for one question, and answers it."""
        return []

    def answer(self, query: Query) -> Answer:
        """What the model answers after the last block; empty where it does not."""
        return Answer(self.outcome(query))
