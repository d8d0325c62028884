"""G-Memory (arXiv:2506.07398): insights over tasks over trajectories, recalled upwards and down.

Tasks are linked where they are alike. A task leads to the nearest ones and those linked to them;
upwards to the insights that these support, downwards to the condensed trajectories of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from membench.adapters.parts.experiences import Experience, ExperienceMemory
from membench.adapters.parts.items import Found, StoredItem, sources_of
from membench.adapters.parts.numbered import numbered
from membench.adapters.parts.rescoring import rescored
from membench.adapters.systems.native.g_memory.forms import (
    CONDENSE,
    REFINE,
    Operation,
    Operations,
    Steps,
)
from membench.domain.system import Memory, Query

TASK, INSIGHT = "task", "insight"
OTHER = ("raw", "")
"""Kinds of what nobody rated: conversations, and items handed over as they are."""

BATCH = 10
"""Tasks that one call rates."""


class GMemory(ExperienceMemory):
    """Keeps tasks with links, and insights with the tasks that they rest on (their links)."""

    def learn(self, raw: StoredItem, experience: Experience) -> None:
        """Put the task into the graph, and once there are enough, refine the insights."""
        steps = self.model.ask(CONDENSE, experience.shown, Steps)
        if steps is not None and steps.steps.strip():
            experience = replace(experience, trajectory=steps.steps.strip())
        self.store.remove(raw.id)
        task = self.store.add(experience.item(kind=TASK))
        near = self.store.nearest(task.id, int(self.given["neighbours"]), kinds=[TASK])
        alike = [each for each in near if each.score >= float(self.given["edge"])]
        for each in alike:
            other = each.item
            self.store.put(replace(other, links=(*other.links, task.id)))
        task = replace(task, links=tuple(each.item.id for each in alike))
        self.store.put(task)
        if len(self.store.of_kind(TASK)) >= int(self.given["first_insights"]):
            self._refine(task, [each.item for each in near])

    def ranked(self, query: Query) -> Iterator[Memory]:
        """Insights of the tasks found, those that most agree with first; then these tasks."""
        tasks = self._tasks(query.text)
        names = {task.id for task in tasks}
        resting = [item for item in self.store.of_kind(INSIGHT) if names & set(item.links)]
        resting.sort(key=lambda item: -item.strength)
        insights = resting[: int(self.given["insights"])]
        yield from (item.memory() for item in (*insights, *tasks))
        yield from (found.memory for found in self.store.search(query.text, query.k, kinds=OTHER))

    def _tasks(self, text: str) -> list[StoredItem]:
        """The nearest tasks and those one link away, as the model rates them."""
        least = float(self.given["least_similarity"]) if self.embedder is not None else 0.0
        hits = self.store.search(text, int(self.given["neighbours"]), kinds=[TASK])
        hits = [found for found in hits if found.score >= least]
        linked = [Found(item, 0.0) for item in self._linked([found.item for found in hits])]
        rated = rescored(self.model, text, [*hits, *linked], BATCH)
        return [found.item for found in rated[: int(self.given["trajectories"])]]

    def _linked(self, items: list[StoredItem]) -> list[StoredItem]:
        """What is one link away from some items and not among them."""
        names = dict.fromkeys(name for item in items for name in item.links)
        known = {item.id for item in items}
        found = (self.store.get(name) for name in names if name not in known)
        return [item for item in found if item is not None]

    def _refine(self, task: StoredItem, near: list[StoredItem]) -> None:
        """Let the model change the insights by what the task and similar ones show."""
        insights = self.store.of_kind(INSIGHT)
        text = (
            f"New experience:\n{task.text}\nSimilar:\n{numbered(item.text for item in near)}\n"
            f"Insights:\n{numbered(item.text for item in insights)}"
        )
        reply = self.model.ask(REFINE, text, Operations)
        for operation in () if reply is None else reply.operations:
            self._apply(operation, insights, task)

    def _apply(self, operation: Operation, insights: list[StoredItem], task: StoredItem) -> None:
        """One change; agreeing makes an insight stronger, removing weaker, and at 0 it goes."""
        if operation.kind == "add":
            added = StoredItem("", operation.text, task.sources, task.time, kind=INSIGHT)
            self.store.add(replace(added, links=(task.id,), strength=2.0))
            return
        known = operation.number in range(len(insights))
        item = self.store.get(insights[operation.number].id) if known else None
        if item is None:
            self.model.counts.unknown += 1
        elif operation.kind == "remove" and item.strength <= 1:
            self.store.remove(item.id)
        elif operation.kind == "remove":
            self.store.put(replace(item, strength=item.strength - 1))
        else:
            text = operation.text.strip() if operation.kind == "edit" else ""
            sources = sources_of(item, task)
            links = tuple(dict.fromkeys((*item.links, task.id)))
            grown = replace(item, sources=sources, links=links, strength=item.strength + 1)
            self.store.put(replace(grown, text=text or item.text))
