"""The user and the people around, and how sentences refer to them."""

from __future__ import annotations

from dataclasses import dataclass

from membench.tasks.generation.templates import Fields


@dataclass(frozen=True)
class Person:
    """Somebody whom the user mentions by name.

    Attributes:
        name: First name, unique in the case.
        relation: What the person is to the user or to `of` ("sister").
        of: Whose relation it is; None for the user's.
        turn: The turn that introduced the person.
    """

    name: str
    relation: str
    of: Person | None
    turn: str

    def described(self) -> str:
        """The person without a name, as the user would ask: "my sister's flatmate"."""
        owner = f"{self.of.described()}'s" if self.of else "my"
        return f"{owner} {self.relation}"

    def introductions(self) -> tuple[str, ...]:
        """The turns that lead from the user to the name."""
        return (*(self.of.introductions() if self.of else ()), self.turn)


Subject = Person | None
"""Whom a fact is about; None is the user."""

USER = {"S": "I", "P": "my", "O": "me", "p": "my"}


def third_person(words: str) -> dict[str, str]:
    """Fields for somebody who is not the user."""
    return {"S": words, "P": f"{words}'s", "O": words, "p": "their"}


def named(subject: Subject) -> Fields:
    """Fields that call a person by name."""
    return third_person(subject.name) if subject else USER


def described(subject: Subject) -> Fields:
    """Fields that call a person by relation."""
    return third_person(subject.described()) if subject else USER
