"""What Graphiti's adapters have in common: an event loop, and a database of its own per case."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any

from membench.domain.case import CaseInfo
from membench.domain.system import SystemContext

GROUP = "case"


class OnDatabase(ABC):
    """An adapter over one of the databases that the package has a driver for."""

    def __init__(self, context: SystemContext) -> None:
        """Nothing is open before `reset`."""
        self._context = context
        self._loop = asyncio.Runner()

    @abstractmethod
    def reset(self, case: CaseInfo) -> None:
        """Open an empty database."""

    def close(self) -> None:
        """End the event loop."""
        self._loop.close()

    @abstractmethod
    async def _new_driver(self) -> Any:
        """The package's driver of an empty database, with its indices."""
