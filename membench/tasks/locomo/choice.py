"""Category 5 as the official script asks it: a choice between "not mentioned" and the trap.

The official order is drawn without a seed; here it follows from the run's seed and the question,
so that the reader and the scorer agree without telling each other.
"""

from __future__ import annotations

import random

from membench.tasks.locomo.gold import LocomoQuestion

NOT_MENTIONED = "Not mentioned in the conversation"


def options(question: LocomoQuestion, seed: int) -> tuple[str, ...]:
    """The options (a) and (b) of a category 5 question; none for other questions."""
    if question.trap is None:
        return ()
    pair = [NOT_MENTIONED, question.trap]
    random.Random(f"{seed}:{question.question_id}").shuffle(pair)
    return tuple(pair)


def chosen(reply: str, choices: tuple[str, ...]) -> str:
    """What a reply stands for: an option if it is one or three characters long, else itself."""
    lowered = reply.strip().lower()
    first, second = choices
    if len(lowered) == 1:
        return first if lowered == "a" else second
    if len(lowered) == 3:
        return first if lowered == "(a)" else second
    return lowered
