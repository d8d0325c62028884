"""`gguf:PATH`: a language model in a file of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from membench.llm.upstreams.local.entry import LocalFamily
from membench.llm.upstreams.local.llama.model import ROLES, GgufModel


@dataclass(frozen=True)
class GgufFamily(LocalFamily):
    """The entry of the registry."""

    def member(self, argument: str) -> GgufModel:
        """The model in a file."""
        path = Path(argument).expanduser()
        return GgufModel(f"{self.prefix}:{argument}", f"the file {path.name}", ROLES, path=path)


ENTRY = GgufFamily("gguf", "a language model in a GGUF file of your own", "PATH")
