"""What an entry of the registry of local models says, and what it can be asked to do."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from membench.domain.labels import Role, Scalar

if TYPE_CHECKING:
    from membench.llm.config import ModelSpec
    from membench.llm.upstreams.base import Upstream

EXAMPLES: Final = "examples"
"""The state after a prompt's example turns is computed once and each request starts from it."""

KEEPS_STATES = hasattr(os, "memfd_create")
"""Whether this system has files in memory, which `EXAMPLES` keeps its state in: Linux does."""

GATEWAY_EXTRA = "llm"
"""The extra that brings the gateway, which every call of a model goes through."""

PromptCache = bool | Literal["examples"]
"""What a server reuses of a prompt: nothing, what the one before has in common, or `EXAMPLES`."""

Report = Callable[[str], None]
"""Told, in a sentence, what takes a while."""


@dataclass(frozen=True)
class ModelSpeed:
    """How fast a model is on this machine.

    Attributes:
        prompt_tokens_per_s: Prompt tokens per second of one call.
        completion_tokens_per_s: Output tokens per second of one call.
        slots: Calls that are worked on at once.
        tokens_per_o200k: Its own tokens for one of o200k_base.
    """

    prompt_tokens_per_s: float
    completion_tokens_per_s: float
    slots: int
    tokens_per_o200k: float

    def seconds(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Seconds of work, all slots busy; prompts counted in o200k_base."""
        prompt = prompt_tokens * self.tokens_per_o200k / self.prompt_tokens_per_s
        return (prompt + completion_tokens / self.completion_tokens_per_s) / self.slots


@dataclass(frozen=True)
class LocalModel(ABC):
    """A model that runs on this machine.

    Attributes:
        name: What `--reader`, `--embedder` and the like call it.
        title: What it is, in a few words.
        roles: Roles it can fill.
        licence: Licence of its weights, SPDX where there is one.
        dimensions: Width of its vectors, for an embedder of one width.
        scripted: Whether it follows a script, so that what it says means nothing.
        reader: The registered reader that asks it, where it is named without one.
        extra: The extra of membench that brings what it runs on, and the gateway with it.
    """

    name: str
    title: str
    roles: frozenset[Role]
    licence: str = ""
    dimensions: int | None = None
    reader: str = "llm"
    scripted: bool = False
    extra: str = GATEWAY_EXTRA

    @property
    def public_name(self) -> str:
        """Its name without any place on this machine, for records and for systems."""
        return self.name

    @property
    def is_language_model(self) -> bool:
        """Whether it writes text; an embedder does not."""
        return self.roles != {Role.EMBEDDER}

    @property
    def engine(self) -> str:
        """Name and version of what runs it, where there is a choice; empty where there is none."""
        return ""

    def file(self) -> Path | None:
        """The weights on this machine; None while they are not, or where a package holds them."""
        return None

    def install(self, report: Report) -> None:
        """Put the weights where they are looked for; nothing is done where they are.

        Raises:
            UserError: They cannot be had, or what they run on is not installed.
        """
        del report

    def remove(self) -> bool:
        """Delete the weights that `install` has put here.

        Returns:
            Whether there were any.
        """
        return False

    def check(self, spec: ModelSpec) -> None:
        """Refuse settings and files that cannot work, before anything is called.

        Raises:
            UserError: Names the file or setting, and the remedy.
        """
        del spec

    def window(self, spec: ModelSpec) -> int | None:
        """Tokens that prompt and reply may have together; None if there is no known bound."""
        return None

    def probe(self, spec: ModelSpec) -> ModelSpeed | None:
        """Measure for two seconds how fast it is; None if it cannot be measured now."""
        return None

    def identity(self, spec: ModelSpec) -> Mapping[str, Scalar | None]:
        """What decides what the model says: weights, engine, threads, for the comparison key."""
        return {}

    @abstractmethod
    def upstream(self, spec: ModelSpec, log: Path | None = None) -> Upstream:
        """What answers the calls of one role.

        Args:
            spec: Settings of the role.
            log: Where processes may write what they say, without a suffix; None keeps nothing.
        """


@dataclass(frozen=True)
class LocalFamily(ABC):
    """Models that are named by a prefix and an argument, such as a file.

    Attributes:
        prefix: What stands before the colon of a name.
        title: What they are, in a few words.
        argument: What stands after the colon, for help texts (`PATH`).
    """

    prefix: str
    title: str
    argument: str

    @abstractmethod
    def member(self, argument: str) -> LocalModel:
        """The model of an argument; it need not exist yet."""
