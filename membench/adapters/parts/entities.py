"""Entities and relations in an item store, each with the items that tell of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.extractors import Line, Word
from membench.adapters.parts.items import ItemStore, StoredItem, sources_of
from membench.adapters.parts.structured import Asks, Form

ENTITY, RELATION = "entity", "relation"
EXTRACT = (
    "List the entities of the text (persons, organisations, places, events, roles, concepts) with "
    "a short description, and the relations between two of them."
)


class Entity(Form):
    """Somebody or something."""

    name: Word
    description: Line


class Relation(Form):
    """What joins two entities."""

    one: Word
    other: Word
    description: Line


class Extracted(Form):
    """What a text tells of."""

    entities: Annotated[list[Entity], Field(max_length=10)]
    relations: Annotated[list[Relation], Field(max_length=10)]


class Entities:
    """The entities of a store by name; names are compared without regard to case.

    An entity is an item of its own, found by name and description; its `links` are the items that
    tell of it, a relation's `tags` the two names that it joins.
    """

    def __init__(self, items: ItemStore) -> None:
        """Start without entities."""
        self.items = items
        self.ids: dict[str, str] = {}  # name -> id of its item

    def extract(self, model: Asks, text: str, told: StoredItem) -> None:
        """One call for what an item tells of; nothing where no usable reply came."""
        said = model.ask(EXTRACT, text, Extracted)
        for entity in said.entities if said else ():
            self.name(entity.name, entity.description, told)
        for relation in said.relations if said else ():
            self.relate(relation, told)

    def name(self, name: str, description: str, told: StoredItem) -> None:
        """An item tells of an entity; what is known of one name is one item."""
        key = _key(name)
        held = self.items.get(self.ids.get(key, ""))
        if held is None:
            item = StoredItem("", f"{name}: {description}", told.sources, told.time, kind=ENTITY)
            self.ids[key] = self.items.add(replace(item, tags=(key,), links=(told.id,))).id
            return
        text = held.text if description in held.text else f"{held.text} {description}"
        links = tuple(dict.fromkeys((*held.links, told.id)))
        self.items.put(replace(held, text=text, sources=sources_of(held, told), links=links))

    def relate(self, relation: Relation, told: StoredItem) -> None:
        """An item tells of a relation."""
        text = f"{relation.one}, {relation.other}: {relation.description}"
        item = StoredItem("", text, told.sources, told.time, kind=RELATION)
        ends = (_key(relation.one), _key(relation.other))
        self.items.add(replace(item, tags=ends, links=(told.id,)))

    def around(self, names: Collection[str], hops: int) -> set[str]:
        """These names, and those within so many relations of them."""
        reached = {_key(name) for name in names}
        relations = self.items.of_kind(RELATION)
        for _ in range(hops):
            joined = (item.tags for item in relations if reached & set(item.tags))
            reached |= {end for ends in joined for end in ends}
        return reached

    def telling(self, names: Collection[str]) -> set[str]:
        """Ids of the items that tell of any of these entities."""
        held = (self.items.get(self.ids.get(_key(name), "")) for name in names)
        return {link for item in held if item is not None for link in item.links}


def _key(name: str) -> str:
    return name.strip().lower()
