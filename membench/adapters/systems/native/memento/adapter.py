"""Memento (arXiv:2508.16153), its non-parametric memory: cases of state, plan and reward.

The cases of the most similar states are recalled, those that earned the reward apart from those
that did not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from membench.adapters.parts.experiences import OUTCOME, Experience, ExperienceMemory
from membench.adapters.parts.items import StoredItem
from membench.domain.system import Memory, Query

GOOD, BAD = "good", "bad"


class Memento(ExperienceMemory):
    """Keeps a case per episode."""

    def learn(self, raw: StoredItem, experience: Experience) -> None:
        """Make a case of an episode; without a reward it is none, and stays as it is."""
        if experience.success is None:
            return
        feedback = bool(self.given["feedback_text"])
        lines = [f"Task: {experience.task}", f"Plan: {experience.trajectory}"]
        lines += [f"Feedback: {experience.feedback}"] if feedback and experience.feedback else []
        lines.append(f"Reward: {int(experience.success)} ({OUTCOME[experience.success]})")
        self.store.remove(raw.id)
        kind = GOOD if experience.success else BAD
        self.store.add(replace(experience.item("\n".join(lines)), kind=kind))

    def ranked(self, query: Query) -> Iterator[Memory]:
        """Of the nearest cases the good ones, then the others."""
        most = int(self.given["cases"])
        found = self.store.search(query.text, min(most, query.k or most))
        yield from (each.memory for each in found if each.item.kind != BAD)
        yield from (each.memory for each in found if each.item.kind == BAD)
