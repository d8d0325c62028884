"""What a record says besides its content: when, where, and what it cost.

None stands for what was not measured; it is not written. Standard library alone, since lanes
import it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Self

from membench.domain.labels import JsonObject, JsonView
from membench.records.usage import PhaseUsage, Usage, known_sum


@dataclass(frozen=True)
class Telemetry:
    """Everything that may differ between runs of a spec.

    Attributes:
        start: Epoch seconds at which the work began; None if it never did.
        end: Epoch seconds at which it ended.
        cpu_s: CPU seconds of the lane and of a system in a process of its own.
        rss_bytes: Peak resident memory of the same.
        store_bytes: Size of the system's store.
        stored: Memories in the store, told of the last event of a case that may change it; None
            where the system does not say.
        turns: Turns that were ingested.
        tokens: Tokens of their texts.
        context_tokens: Tokens of the recalled memories.
        usage: Model calls; None without any.
        error: Type and text of an exception, cut short.
        node: Index of the machine, where there are several.
        scores: The system's score of each recalled memory. Not published.
        finish_reasons: Why the reader model stopped, by generation. Not published.
        cut: Recalled memories that the reader was not sent, since they did not fit its window.
        unseen: True where nobody here saw it happen: predictions made elsewhere. Its cost is not
            known.
        replies: What became of the replies that the system asked its model for, by outcome.
    """

    start: float | None = None
    end: float | None = None
    cpu_s: float | None = None
    rss_bytes: int | None = None
    store_bytes: int | None = None
    stored: int | None = None
    turns: int | None = None
    tokens: int | None = None
    context_tokens: int | None = None
    usage: PhaseUsage | None = None
    error: str | None = None
    node: int | None = None
    scores: Sequence[float | None] | None = None
    finish_reasons: Sequence[str | None] | None = None
    cut: int | None = None
    replies: Mapping[str, int] | None = None
    unseen: bool | None = None

    @property
    def seconds(self) -> float | None:
        """From start to end; None for work that was never begun."""
        return None if self.start is None or self.end is None else self.end - self.start

    @property
    def cpu_seconds(self) -> float | None:
        """CPU seconds of the event: the lane's and those of the models it called.

        None where a model was called whose machine is not metered, or nobody looked.
        """
        if self.unseen:
            return None
        lane = self.cpu_s or 0.0
        models = Usage() if self.usage is None else self.usage.total
        return known_sum(lane, models.cpu_s if models.asked else models.cpu_s or 0.0)

    def to_json(self) -> JsonObject:
        """As in the record; what is None has no key."""
        entry = {name: value for name in _PLAIN if (value := getattr(self, name)) is not None}
        if self.usage is not None:
            entry["usage"] = self.usage.to_json()
        return entry

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back; keys of newer versions are ignored."""
        # There is one per event, so only what is there is set; the class has the defaults.
        entry = cls.__new__(cls)
        values = entry.__dict__
        for name in stored:
            if name in _NAMES:
                values[name] = stored[name]
        if usage := stored.get("usage"):
            values["usage"] = PhaseUsage.from_json(usage)
        return entry


_NAMES = frozenset(field.name for field in fields(Telemetry))
_PLAIN = tuple(field.name for field in fields(Telemetry) if field.name != "usage")

PRIVATE = frozenset({"scores", "finish_reasons"})
"""What stays with the run: a bundle does not hold it."""
