"""A need-memory gate: one question to the model decides whether the inner system is asked.

CAIM (arXiv:2505.13044) opens with such a gate; here it stands alone, before any system.
"""

from __future__ import annotations

from typing import Literal

from membench.adapters.parts.controller import Controller
from membench.adapters.parts.structured import Form
from membench.domain.system import Memory, Query

NEED = (
    "Someone asks a question. Does its answer depend on what was told in earlier conversations? "
    "Say no if general knowledge will do."
)


class Need(Form):
    """Whether memory is needed."""

    needed: Literal["yes", "no"]


class NeedGate(Controller):
    """Recalls nothing where the model says that memory is not needed."""

    def recall(self, query: Query) -> list[Memory]:
        """The inner system's memories, or none; where no usable reply came, they are recalled."""
        said = self.model.ask(NEED, f"Question: {query.text}", Need)
        needed = said is None or said.needed == "yes"
        return list(self.inner.recall(query)) if needed else []
