"""What prompts show of memories, and what the replies to judge prompts say."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from membench.domain.errors import JudgeFault, Reason
from membench.domain.labels import JsonObject, JsonView
from membench.domain.system import Memory
from membench.tasks.card import JudgeCard


def dated_memories(memories: Sequence[Memory], *, sources: bool = True) -> str:
    """One numbered line per memory in rank order; `(none)` without any.

    Args:
        memories: What was recalled.
        sources: Whether to show the turns a memory came from, beside its time.
    """
    lines = (line(i, memory, sources) for i, memory in enumerate(memories, 1))
    return "\n".join(lines) or "(none)"


def line(number: int, memory: Memory, sources: bool) -> str:
    """`3. [2024-03-03 16:05; D3:7] text`, with what the memory knows of time and source."""
    time = memory.time.strftime("%Y-%m-%d %H:%M") if memory.time else ""
    names = ", ".join(memory.sources) if sources else ""
    label = "; ".join(part for part in (time, names) if part)
    return f"{number}. [{label}] {memory.text}" if label else f"{number}. {memory.text}"


THINKING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
OPENED = re.compile(r"<think(?:ing)?>.*", re.DOTALL | re.IGNORECASE)
CLOSED = re.compile(r".*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
CHANNEL = "<|channel|>"
FINAL = re.compile(
    r"<\|channel\|>final(?:[^<]|<\|constrain\|>)*<\|message\|>(.*?)(?=<\|[a-z_]+\|>|\Z)", re.DOTALL
)
"""The channel for the reader of a reply in the harmony format (gpt-oss); others hold thoughts."""
UNMARKED = re.compile(r"\Aanalysis.*assistantfinal", re.DOTALL)
"""The same where a server took the marks out and left the words."""


def unparsable(detail: str) -> JudgeFault:
    """The fault of a reply that is not what the prompt asked for."""
    return JudgeFault(Reason.JUDGE_UNPARSABLE, detail)


def without_reasoning(text: str) -> str:
    """A model's reply without its reasoning trace; empty where it holds nothing else.

    A trace may have been opened outside the reply, or be cut before its end. Of harmony's channels
    the last `final` one is the reply.
    """
    if CHANNEL in text:
        said = FINAL.findall(text)
        text = said[-1] if said else ""
    text = UNMARKED.sub("", text, count=1)
    return OPENED.sub("", CLOSED.sub("", THINKING.sub("", text))).strip()


def json_objects(reply: str) -> list[JsonObject]:
    """The objects in a reply, in order, those inside others left out.

    Prose, fences and lists around them are passed over; line breaks inside strings are read.

    Raises:
        JudgeFault: There is none.
    """
    text = without_reasoning(reply)
    decoder = json.JSONDecoder(strict=False)
    found: list[JsonObject] = []
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
            found.append(value)
        except (json.JSONDecodeError, RecursionError):
            end = start + 1
        start = text.find("{", end)
    if not found:
        raise unparsable("the reply holds no JSON object")
    return found


def verdict_fields(reply: str, names: Sequence[str]) -> JsonObject:
    """The object in a judge's reply that holds its label.

    Args:
        reply: What the judge said.
        names: What its label may be called.

    Raises:
        JudgeFault: There is no object, or several whose labels contradict each other.
    """
    found = json_objects(reply)
    labelled = [values for values in found if any(name in values for name in names)]
    labels = {external_text(next(v[n] for n in names if n in v)) for v in labelled}
    if len(labels) > 1:
        raise unparsable(f"the reply holds contradicting labels ({', '.join(sorted(labels))})")
    return (labelled or found)[0]


RIGHT = frozenset({"true", "yes", "1", "correct", "right"})
WRONG = frozenset({"false", "no", "0", "wrong", "incorrect"})
"""How verdicts made elsewhere spell a judgement that is either right or wrong."""


def external_label(card: JudgeCard, values: JsonView) -> str:
    """The label of a verdict made elsewhere, in the spelling of the judge's card.

    Known labels count in any case and with a full stop. Where there are two labels of which one
    means right, `true`, `yes`, `1`, `correct` and their opposites are understood too.

    Raises:
        JudgeFault: No label, or one that means nothing here.
    """
    names = ("label", card.official_label, *card.label_fields)
    value = next((values[name] for name in names if name in values), None)
    text = external_text(value)
    for label in card.labels:
        if text == label.casefold():
            return label
    if len(card.labels) == 2 and len(card.accepts) == 1 and text in RIGHT | WRONG:
        (right,) = card.accepts
        return right if text in RIGHT else next(x for x in card.labels if x != right)
    found = f"label {value!r}" if value is not None else f"no label ({', '.join(values)})"
    raise unparsable(f"{found} is none of {', '.join(card.labels)}")


def external_text(value: object) -> str:
    """A label as text: lower case, a whole number as its digits."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().rstrip(".").casefold()


def checked_label(value: object, known: Sequence[str]) -> str:
    """The label of a reply in its known spelling; a whole number counts as its digits.

    Raises:
        JudgeFault: Missing or not one of the known labels.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None or isinstance(value, bool) else str(value).strip().casefold()
    for label in known:
        if text == label.casefold():
            return label
    raise unparsable(f"the label is none of {', '.join(known)}")
