"""What tasks that generate their data have in common: every split comes with membench."""

from __future__ import annotations

from pathlib import Path

from membench.tasks.base import G, Task
from membench.tasks.files.source import Source
from membench.tasks.find import SAMPLE, Version


class GeneratedTask(Task[G]):
    """A task whose splits are recipes in its own folder (`splits/NAME.json`)."""

    @classmethod
    def shipped(cls, split: str) -> Path | None:
        """The recipe of a split."""
        if split in cls.card.splits:
            return cls.folder() / "splits" / f"{split}.json"
        return super().shipped(split)

    @classmethod
    def identify(cls, source: Source) -> Version:
        """`generated` by a recipe of ours, else `unknown`."""
        if source.split == SAMPLE:
            return Version(SAMPLE, source.sha256)
        ours = {
            Source(path, split).sha256 for split in cls.card.splits if (path := cls.shipped(split))
        }
        if source.sha256 in ours:
            return Version("generated", source.sha256)
        return super().identify(source)
