"""What LIGHT asks a model for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.structured import Form

DETAILS = "List the details of the last exchange as key and value, and sum it up in one sentence."
NOTE = "Write one note that will help to answer later questions about this exchange."
COMPRESS = "Shorten these notes to about half. Keep names, dates, numbers, and what changed."


class Detail(Form):
    """A key and its value."""

    key: Word
    value: Line


class Details(Form):
    """What an exchange tells."""

    details: Annotated[list[Detail], Field(max_length=10)]
    summary: Line


class Note(Form):
    """A note."""

    note: Line


class Notes(Form):
    """Notes, shortened."""

    notes: Annotated[list[Line], Field(max_length=200)]
