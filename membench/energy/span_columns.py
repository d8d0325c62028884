"""Spans as columns: 30 bytes each instead of an object, since a run may have millions."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, overload

import numpy as np

from membench.domain.packed import PackedNumbers, PackedStrings
from membench.energy.samples import NO_TOKENS, Array, Span, Tokens


class SpanLabel(NamedTuple):
    """What the joules of a span are charged to."""

    phase: str
    abandoned: bool


class SpanColumns(Sequence[Span]):
    """A sequence of spans that is added to at its end; a span is made when it is asked for.

    Spans of one case that are added together share its id.

    Attributes:
        starts: Epoch seconds.
        ends: Epoch seconds.
        labels: Numbers of `label_names`.
        label_names: Every label, in the order in which they came.
        nodes: Which machine of a cluster did it.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.starts, self.ends, self._cpu_s = array("d"), array("d"), array("d")
        self.labels, self.nodes = PackedNumbers(), PackedNumbers()
        self._cases, self._events = PackedNumbers(), PackedNumbers()
        self.label_names: list[SpanLabel] = []
        self._label_codes: dict[SpanLabel, int] = {}
        self._case_names, self._last_case = PackedStrings(), ""
        self._usage: dict[int, Mapping[str, Tokens]] = {}

    @classmethod
    def of(cls, spans: Sequence[Span]) -> SpanColumns:
        """The spans of any sequence; these themselves if they are columns."""
        if isinstance(spans, cls):
            return spans
        columns = SpanColumns()
        columns.extend(spans)
        return columns

    def append(self, span: Span) -> None:
        """Add a span."""
        if not len(self._case_names) or self._last_case != span.case:
            self._case_names.append(span.case)
            self._last_case = span.case
        if span.usage:
            self._usage[len(self.starts)] = span.usage
        label = SpanLabel(span.phase, span.abandoned)
        if label not in self._label_codes:
            self._label_codes[label] = len(self.label_names)
            self.label_names.append(label)
        self.starts.append(span.start)
        self.ends.append(span.end)
        self._cpu_s.append(math.nan if span.cpu_s is None else span.cpu_s)
        self.labels.append(self._label_codes[label])
        self._cases.append(len(self._case_names) - 1)
        self._events.append(span.event)
        self.nodes.append(span.node)

    def extend(self, spans: Iterable[Span]) -> None:
        """Add spans."""
        for span in spans:
            self.append(span)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.starts)

    @property
    def have_usage(self) -> bool:
        """Whether a model was called in any of them."""
        return bool(self._usage)

    def times(self, phase: str) -> tuple[Array, Array]:
        """Starts and ends of the spans of a phase that were not abandoned, shape (n,) each."""
        code = self._label_codes.get(SpanLabel(phase, abandoned=False), -1)
        mine = np.asarray(self.labels.values) == code
        return np.asarray(self.starts)[mine], np.asarray(self.ends)[mine]

    def __iter__(self) -> Iterator[Span]:
        """Every span, in the order in which they came."""
        return map(self._span, range(len(self)))

    @overload
    def __getitem__(self, at: int) -> Span: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Span]: ...
    def __getitem__(self, at: int | slice) -> Span | Sequence[Span]:
        """A span, or some."""
        if isinstance(at, slice):
            return ChosenSpans(self, range(len(self))[at])
        return self._span(range(len(self))[at])

    def _span(self, at: int) -> Span:
        cpu_s = self._cpu_s[at]
        label = self.label_names[self.labels[at]]
        return Span(
            self.starts[at],
            self.ends[at],
            label.phase,
            self._case_names[self._cases[at]],
            self._events[at],
            None if math.isnan(cpu_s) else cpu_s,
            self._usage.get(at, NO_TOKENS),
            label.abandoned,
            self.nodes[at],
        )


class ChosenSpans(Sequence[Span]):
    """Some of the spans of a sequence, by their places in it."""

    def __init__(self, spans: Sequence[Span], places: Iterable[int]) -> None:
        """Choose spans."""
        self._spans, self._places = spans, array("Q", places)

    def __len__(self) -> int:
        """How many were chosen."""
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Span: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Span]: ...
    def __getitem__(self, at: int | slice) -> Span | Sequence[Span]:
        """A span, or some."""
        if isinstance(at, slice):
            return ChosenSpans(self._spans, self._places[at])
        return self._spans[self._places[at]]
