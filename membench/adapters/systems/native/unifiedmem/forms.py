"""What UnifiedMem's baselines ask a model for: keys, and what a session does to earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from membench.adapters.parts import extractors
from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.numbered import known, numbered
from membench.adapters.parts.structured import Asks, Form

PHRASES = "List the keyphrases of this conversation: names, things, places, topics."
COMPARE = (
    "The key of a new session and those of earlier ones, numbered. create: it tells of something "
    "else, or of another time; update: it adds to some of them, name their numbers; pass: one of "
    "them says all of it, or it says nothing."
)
REWRITE = (
    "What a session is found by, and a later one. Write its facts, keyphrases and summary anew: "
    "keep what holds, add what belongs to it, and nothing else."
)
CREATE, UPDATE, PASS = "create", "update", "pass"


class Keyphrases(Form):
    """What a session is about, in single words and phrases."""

    keyphrases: Annotated[list[Word], Field(max_length=15)]


class Decision(Form):
    """What becomes of a new session."""

    action: Annotated[str, Field(json_schema_extra={"enum": [CREATE, UPDATE, PASS]})]
    numbers: Annotated[list[int], Field(max_length=5)]


class Key(Form):
    """What a session is found by."""

    facts: Annotated[list[Line], Field(max_length=12)]
    keyphrases: Annotated[list[Word], Field(max_length=15)]
    summary: Annotated[str, Field(max_length=600)]

    @property
    def parts(self) -> list[str]:
        """Facts, keyphrases and summary as texts, without those that are blank."""
        texts = (" ".join(self.facts), ", ".join(self.keyphrases), self.summary)
        return [text for text in texts if text.strip()]


def key_of(model: Asks, session: str) -> Key:
    """The key of a session: three calls, empty where the model delivered nothing."""
    facts = extractors.facts(model, session) or []
    said = model.ask(PHRASES, session, Keyphrases)
    summary = extractors.summary(model, session) or ""
    return Key(facts=facts, keyphrases=said.keyphrases if said else [], summary=summary)


def compared(model: Asks, new: str, old: Sequence[str]) -> tuple[str, list[int]]:
    """What becomes of a new session beside those most like it, and which of these it updates.

    It is kept where the reply is of no use, or names no session that there is.
    """
    if not old:
        return CREATE, []
    listing = numbered(" ".join(key.split()) for key in old)
    said = model.ask(COMPARE, f"New: {new}\nEarlier:\n{listing}", Decision)
    if said is None:
        return CREATE, []
    model.counts.unknown += said.action not in (CREATE, UPDATE, PASS)
    named = known(said.numbers, len(old), model.counts) if said.action == UPDATE else []
    return (said.action, named) if named or said.action == PASS else (CREATE, [])


def rewritten(model: Asks, old: str, new: str) -> str | None:
    """The key of an earlier session with what a new one adds: one call; None without a reply."""
    said = model.ask(REWRITE, f"Key: {old}\nLater: {new}", Key)
    return "\n".join(said.parts) or None if said else None
