"""How LongMemEval-V2 compares answers: phrase sets, choices, or a judge.

Each question names its rule in a string, `norm_phrase_set_match|separators=,;`. Answers are taken
from the last box of a reply, else from the whole of it, as the official script does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

PHRASES, ORDERED = "norm_phrase_set_match", "norm_phrase_set_match_ordered"
CHOICE, CHOICES = "mc_choice_match", "mc_choice_set_match"
PREMISE, GOTCHA = "llm_abstention_checker", "llm_gotchas_checker"
NAMES = (PHRASES, ORDERED, CHOICE, CHOICES, PREMISE, GOTCHA)
SEPARATORS: tuple[str, ...] = (",", ";")
BOX = "\\boxed{"
FILLERS = frozenset(
    ("AND", "ANSWER", "ANSWERS", "CHOICE", "CHOICES", "FINAL", "LETTER", "LETTERS")
) | {"OPTION", "OPTIONS"}


@dataclass(frozen=True)
class EvalRule:
    """A rule by name.

    Attributes:
        name: One of `NAMES`.
        separators: What stands between the phrases of a gold answer.
    """

    name: str
    separators: tuple[str, ...] = SEPARATORS

    @property
    def judged(self) -> bool:
        """Whether it asks a judge."""
        return self.name in (PREMISE, GOTCHA)


def parse_rule(text: str) -> EvalRule:
    """A rule from its string.

    Raises:
        ValueError: No such rule or option; says which.
    """
    name, *options = (part.strip() for part in text.split("|"))
    if name not in NAMES:
        raise ValueError(f"'{name[:60]}' is no known rule")
    separators = SEPARATORS
    for option in filter(None, options):
        key, _, value = option.partition("=")
        if key.strip() not in ("separators", "separator"):
            raise ValueError(f"'{option[:60]}' is no known option of a rule")
        separators = parse_separators(value.strip())
    return EvalRule(name, separators)


def parse_separators(text: str) -> tuple[str, ...]:
    """Separators: a JSON list, or their characters one by one."""
    if not text.startswith("["):
        return tuple(char for char in text if not char.isspace())
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError(f"'{text[:60]}' is no list of separators") from None
    if not all(isinstance(item, str) and item for item in found):
        raise ValueError(f"'{text[:60]}' is no list of separators")
    return tuple(found)


def boxed(reply: str) -> str:
    """What the last box of a reply holds; the whole reply without one, or with an empty one."""
    start = reply.rfind(BOX)
    if start < 0:
        return reply.strip()
    depth, inside = 1, []
    for char in reply[start + len(BOX) :]:
        depth += (char == "{") - (char == "}")
        if depth == 0:
            break
        inside.append(char)
    return "".join(inside).strip() or reply.strip()


def normalise(text: str) -> str:
    """Lower case; hyphens, underscores, commas and semicolons as spaces; no other punctuation."""
    spaced = re.sub(r"[-_,;]", " ", text.lower())
    return " ".join(re.sub(r"[^\w\s]", "", spaced).split())


def phrases(answer: str, separators: Sequence[str]) -> list[str]:
    """The phrases of a gold answer."""
    parts = re.split("|".join(map(re.escape, separators)), answer) if separators else [answer]
    return [phrase for part in parts if (phrase := normalise(part))]


def is_right(rule: EvalRule, reply: str, gold: str) -> bool:
    """Whether a reply is right by a rule that asks no judge."""
    answer = boxed(reply)
    if rule.name == CHOICE:
        return same_choice(answer, gold)
    if rule.name == CHOICES:
        given, wanted = set(letters(answer)), set(letters(gold))
        return bool(wanted) and given == wanted
    return holds(normalise(answer), phrases(gold, rule.separators), rule.name == ORDERED)


def holds(text: str, wanted: Sequence[str], in_order: bool) -> bool:
    """Whether every phrase stands in a text as whole words; one after the other if in order."""
    start = 0
    for phrase in wanted:
        found = re.search(rf"\b{re.escape(phrase)}\b", text[start:])
        if found is None:
            return False
        start += found.end() if in_order else 0
    return bool(text and wanted)


def same_choice(answer: str, gold: str) -> bool:
    """Whether an answer names the choice, with or without the word for it and full stops."""
    bare = re.sub(r"\b(choice|option)\b", "", answer, flags=re.IGNORECASE)
    cleaned, expected = bare.replace(".", "").strip().upper(), gold.strip().upper()
    return bool(expected) and cleaned == expected


def letters(text: str) -> Iterator[str]:
    """The letters of the choices that a text names."""
    for word in re.findall(r"[A-Z]+", text.upper()):
        if word not in FILLERS:
            yield from word
