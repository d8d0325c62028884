"""What a field of a bundle may hold: untrusted JSON is checked by these types.

The models made of them serve twice. Making a bundle keeps of a run's files what a model names
(`pruning`); verifying one refuses whatever a model does not name. Strings are short and of known
shape, so that no field can carry a text, a path or markup to a page.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StrictInt,
)

from membench.domain.errors import Reason
from membench.leaderboard.bundles.layout import NAME

LATIN_OR_CJK = ("LATIN ", "CJK ", "HIRAGANA ", "KATAKANA ", "HANGUL ", "MICRO ")
"""Scripts of titles: of the others, letters look like Latin ones and are none."""


def shows_as_it_is(text: str) -> str:
    """Check that a text holds no invisible characters (category Cf)."""
    if not text.isascii() and any(unicodedata.category(c) == "Cf" for c in text):
        raise ValueError("holds a character that does not show")
    return text


def without_look_alikes(text: str) -> str:
    """Check that no letter of a title looks like another one."""
    letters = (c for c in text if not c.isascii() and c.isalnum())
    if any(not unicodedata.name(c, "").startswith(LATIN_OR_CJK) for c in letters):
        raise ValueError("holds a letter of a script that looks like another")
    return text


def real_date(text: str) -> str:
    """Check that a date is in the calendar, and its offset one of this world."""
    moment = datetime.fromisoformat(text)
    if not 1970 <= moment.year < 9000:
        raise ValueError(f"the year {moment.year} is not of a run")
    return text


Identifier = Annotated[str, Field(pattern=NAME)]

Label = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+@:/ ,()&\[\]-]*$")]

ShortText = Annotated[str, Field(max_length=400), AfterValidator(shows_as_it_is)]
"""Free text of a card (a deviation): shown as text, never as markup."""

Title = Annotated[ShortText, AfterValidator(without_look_alikes)]

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

RunId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]

CaseId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]

ItemId = Annotated[str, Field(min_length=1, max_length=200)]

Moment = Annotated[
    str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})?$")
]
"""A date of the data, whose calendar may be its own."""

Stamp = Annotated[Moment, AfterValidator(real_date)]

Count = Annotated[StrictInt, Field(ge=0, le=10**15)]

Real = Annotated[float, Field(allow_inf_nan=False, ge=-1e18, le=1e18)]

Amount = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e18)]

Scalar = Annotated[str, Field(max_length=200)] | bool | int | Real

ProvenanceName = Literal["measured", "modelled", "estimated", "unavailable"]

RoleName = Literal["memory", "reader", "judge", "embedder", "reranker"]

PhaseName = Literal["ingest", "finalize", "recall", "answer", "judge"]

REASONS = frozenset(map(str, Reason))


def known_reason(value: str) -> str:
    """Check that a reason is of the failure vocabulary."""
    if value not in REASONS:
        raise ValueError(f"'{value[:40]}' is no reason of the failure vocabulary")
    return value


ReasonName = Annotated[str, AfterValidator(known_reason)]


def bounded(value: JsonValue) -> JsonValue:
    """Check that every string in a JSON value is short and shows as it is."""
    stack: list[Any] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            shows_as_it_is(item)
            if len(item) > 1000:
                raise ValueError("a string of more than 1,000 characters")
        if isinstance(item, dict):
            stack.extend([*item, *item.values()])
        elif isinstance(item, list):
            stack.extend(item)
    return value


PlainJson = Annotated[dict[str, JsonValue], AfterValidator(bounded)]


class StrictModel(BaseModel):
    """No further keys, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
