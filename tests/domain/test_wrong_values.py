"""What pydantic refuses is told by key and value, never by a class of ours."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from membench.domain.wrong_values import first_wrong


class Price(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: float = Field(ge=0)
    cached: float | None = None


class Sheet(BaseModel):
    model_config = ConfigDict(extra="forbid")

    k: int = 1
    capabilities: list[Literal["memories", "finalize"]] = []
    prices: dict[str, Price] = {}
    price: Price | None = None
    note: str = ""
    name: str = Field(default="a", pattern="^[a-z]+$")
    tags: list[str] = Field(default=["a"], min_length=1)

    @field_validator("note")
    @classmethod
    def no_shouting(cls, text: str) -> str:
        if text.isupper():
            raise ValueError("is shouted")
        return text


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"k": "ten"}, "k: must be a whole number, not 'ten'"),
        ({"k": 1.5}, "k: must be a whole number, not 1.5"),
        ({"capabilites": []}, "capabilites: no such key; did you mean 'capabilities'?"),
        (
            {"capabilities": ["fin"]},
            "capabilities.0: must be 'memories' or 'finalize', not 'fin'; did you mean 'finalize'?",
        ),
        ({"price": "abc"}, "price: must be a mapping of names to values, not 'abc'"),
        ({"price": {"promt": 1}}, "price.promt: no such key; did you mean 'prompt'?"),
        ({"prices": {"a": {"promt": 1}}}, "prices.a.promt: no such key; did you mean 'prompt'?"),
        ({"price": {}}, "price.prompt: is missing"),
        ({"price": {"prompt": -1}}, "price.prompt: must be greater than or equal to 0"),
        ({"note": "LOUD"}, "note: is shouted"),
        ({"note": 7}, "note: must be text, not 7"),
        ({"name": "A b"}, "name: must match pattern '^[a-z]+$', not 'A b'"),
        ({"tags": []}, "tags: must have at least 1 item after validation, not 0"),
        ("text", "must be a mapping of names to values, not 'text'"),
        ({"zzz": 1}, "zzz: no such key; known: capabilities, k, name, note, price, prices, tags"),
    ],
)
def test_a_mistake_names_the_key_what_may_be_and_what_was_meant(given: Any, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Sheet.model_validate(given)
    assert str(first_wrong(refused.value, Sheet)) == told


@dataclass(frozen=True)
class Settings:
    k: int | None = None
    mode: Literal["on", "off"] = "on"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"k": [1]}, "k: must be a whole number, not [1]"),
        ({"mode": "onn"}, "mode: must be 'on' or 'off', not 'onn'; did you mean 'on'?"),
    ],
)
def test_dataclasses_are_told_of_alike(given: Any, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Settings).validate_python(given)
    assert str(first_wrong(refused.value, Settings)) == told
