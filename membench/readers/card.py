"""The card of a reader: what can be known about it before it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

ReaderKind = Literal["local", "model", "system", "none"]


@dataclass(frozen=True)
class ReaderCard:
    """A reader as the registry knows it.

    Attributes:
        name: What `--reader` calls it; a reader of kind `model` is called `NAME:MODEL`.
        kind: `local` needs no model and runs in lanes; `model` calls the run's reader model;
            `system` takes the answers that the system gave itself; `none` answers nothing.
        summary: One sentence.
        make: Makes one. A local reader is made without arguments; one with a model from
            `(client, task, now, temperature, max_tokens, window, budget)`, as `LlmReader`; None for
            the kinds `system` and `none`.
        prompt: The answer prompt of a reader with a model that has its own; empty where it asks
            with the task's. Its hash is published in place of the task's.
        answer_limit: Tokens an answer may have, where nothing else is set; None for the task's.
        few_words: Whether it can give short answers only.
        examples: Whether its prompts begin with the same example turns, which a local server then
            computes once.
        literal: Whether a local reader can write a text that stands nowhere in what it reads, such
            as a date that it worked out; None where nobody has said, so that nothing is refused.
    """

    name: str
    kind: ReaderKind
    summary: str
    make: Callable[..., Any] | None
    prompt: str = ""
    answer_limit: int | None = None
    few_words: bool = False
    examples: bool = False
    literal: Callable[[str], bool] | None = None
