"""A memory system whose code runs in another process, as the lane sees it.

Every case gets a process of its own with its own home, working and temporary folder: `reset` after
something was stored starts another. What goes wrong over there is a `SystemFault` with the reason
of the failure vocabulary; a worker that crashed, hung or talked nonsense is gone, and every later
call says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from membench.adapters.card import METHODS, SystemCard
from membench.adapters.environment.fork_server import ForkServers
from membench.adapters.environment.keys import check_keys
from membench.adapters.environment.worker import messages
from membench.adapters.environment.worker_process import WorkerProcess
from membench.adapters.parts.budget import cut
from membench.domain.answer import Answer
from membench.domain.case import CaseInfo, Feedback, Item, Session
from membench.domain.errors import Reason, SystemFault, UsageError
from membench.domain.labels import JsonObject
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

if TYPE_CHECKING:
    from membench.adapters.parts.structured import ReplyCounts

T = TypeVar("T")


class WorkerSystem:
    """A `MemorySystem` in a worker.

    Args:
        card: The system; its environment, if it has one, must be installed.
        context: As every system is given.
        restricted: Whether Landlock restricts it; then this machine must have that.
        servers: What forks its workers; None for servers of its own, closed with it.

    Raises:
        UsageError: The environment is not there, or a model that the card names is missing.
        SystemFault: The worker did not come up.
    """

    def __init__(
        self,
        card: SystemCard,
        context: SystemContext,
        *,
        restricted: bool = False,
        servers: ForkServers | None = None,
    ) -> None:
        """Start the worker: import and construction happen before any meter runs."""
        missing = [role for role in card.roles if role not in context.models]
        if missing:
            raise UsageError(
                f"system '{card.name}' needs a model for: {', '.join(missing)}",
                "Name one with --memory-model and --embedder.",
            )
        check_keys(card)
        self._card = card
        self._context = context
        self._restricted = restricted
        self._optional: dict[str, Callable[..., Any]] = {
            method: getattr(self, f"_{method}")
            for capability in card.capabilities & METHODS.keys()
            for method in METHODS[capability]
        }
        if "memories" in self._optional:
            self._optional["memory_count"] = self._memory_count
        self._used = False
        self._servers = ForkServers(context.workdir) if servers is None else servers
        self._owns_servers = servers is None
        try:
            self._worker = self._start()
        except BaseException:
            self._close_servers()
            raise

    def __getattr__(self, name: str) -> Any:
        """The optional methods that the card declares; with `memories`, `memory_count` too."""
        optional = self.__dict__.get("_optional", {})
        if name in optional:
            return optional[name]
        raise AttributeError(name)

    def reset(self, case: CaseInfo) -> None:
        """Start a case; a worker that has seen another one is replaced."""
        if self._used:
            self._worker.close()
            self._worker = self._start()
        self._used = True
        self._call("reset", case=messages.case_to_json(case))
        self._worker.discard_resources()

    def ingest(self, session: Session) -> Sequence[MemoryChange] | None:
        """Store a session."""
        return self._changes("ingest", session=messages.session_to_json(session))

    def recall(self, query: Query) -> Sequence[Memory]:
        """Memories for a query, cut to its token budget on our side."""
        found = self._decoded(
            messages.memories_from_json, "recall", query=messages.query_to_json(query)
        )
        return cut(found, query, self._context.count_tokens, ignore_k=True)

    def close(self) -> None:
        """Close the system and end everything it started."""
        try:
            self._worker.close()
        finally:
            self._close_servers()

    def resources(self) -> JsonObject:
        """CPU seconds since the last call, peak memory and size of the store.

        Nothing of a hosted system: what its client uses here is not what the system uses.
        """
        used = self._worker.take_resources()
        return {} if self._card.hosted else used

    def sandbox_violations(self) -> dict[str, list[str]]:
        """Connections that were `refused` and files written `outside`, for conformance."""
        return dict(self._call("sandbox_violations"))

    @property
    def processes(self) -> int:
        """Process id of the supervisor above everything that this system runs."""
        return self._worker.pid

    def _start(self) -> WorkerProcess:
        return WorkerProcess(self._card, self._context, self._servers, restricted=self._restricted)

    def _close_servers(self) -> None:
        if self._owns_servers:
            self._servers.close()

    def _finalize(self) -> Sequence[MemoryChange] | None:
        return self._changes("finalize")

    def _remember(self, item: Item) -> Sequence[MemoryChange] | None:
        return self._changes("remember", item=messages.item_to_json(item))

    def _feedback(self, feedback: Feedback) -> Sequence[MemoryChange] | None:
        return self._changes("feedback", feedback=messages.feedback_to_json(feedback))

    def _answer(self, query: Query) -> Answer:
        query_json = messages.query_to_json(query)
        return self._decoded(messages.answer_from_json, "answer", query=query_json)

    def _memories(self) -> Sequence[Memory]:
        return self._decoded(messages.memories_from_json, "memories")

    def _memory_count(self) -> int:
        """How many memories there are: the list itself need not cross the socket for that."""
        return int(self._call("memory_count"))

    def _snapshot(self, folder: Path) -> None:
        with self._worker.exchange_folder() as inner:
            self._call("snapshot", folder=str(inner))
            shutil.copytree(inner, folder, dirs_exist_ok=True)

    def _restore(self, folder: Path) -> None:
        with self._worker.exchange_folder(folder) as inner:
            self._call("restore", folder=str(inner))

    def _reply_counts(self) -> ReplyCounts:
        from membench.adapters.parts.structured import ReplyCounts

        return self._decoded(lambda counts: ReplyCounts(**counts), "reply_counts")

    def _store_bytes(self) -> int:
        return int(self._call("store_bytes"))

    def _changes(self, op: str, **args: object) -> Sequence[MemoryChange] | None:
        return self._decoded(messages.changes_from_json, op, **args)

    def _decoded(self, decode: Callable[[Any], T], op: str, **args: object) -> T:
        result = self._call(op, **args)
        try:
            return decode(result)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise SystemFault(Reason.SYSTEM_BAD_REPLY, f"{op}: {error!r}") from None

    def _call(self, op: str, **args: object) -> Any:
        return self._worker.call(op, args)
