"""Spans as columns: 46 bytes each instead of an object, since a run may have millions."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

from membench.energy.samples import NO_TOKENS, Span, Tokens


class SpanColumns(Sequence[Span]):
    """A sequence of spans that is added to at its end; a span is made when it is asked for.

    Spans of one case that are added together share its id.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._starts, self._ends, self._cpu_s = array("d"), array("d"), array("d")
        self._phases, self._abandoned, self._cases = array("B"), array("B"), array("I")
        self._events, self._nodes = array("Q"), array("Q")
        self._phase_names: list[str] = []
        self._case_names: list[str] = []
        self._usage: dict[int, Mapping[str, Tokens]] = {}

    def append(self, span: Span) -> None:
        """Add a span."""
        if span.phase not in self._phase_names:
            self._phase_names.append(span.phase)
        if not self._case_names or self._case_names[-1] != span.case:
            self._case_names.append(span.case)
        if span.usage:
            self._usage[len(self._starts)] = span.usage
        self._starts.append(span.start)
        self._ends.append(span.end)
        self._cpu_s.append(math.nan if span.cpu_s is None else span.cpu_s)
        self._phases.append(self._phase_names.index(span.phase))
        self._cases.append(len(self._case_names) - 1)
        self._events.append(span.event)
        self._nodes.append(span.node)
        self._abandoned.append(span.abandoned)

    def extend(self, spans: Iterable[Span]) -> None:
        """Add spans."""
        for span in spans:
            self.append(span)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._starts)

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
        return Span(
            self._starts[at],
            self._ends[at],
            self._phase_names[self._phases[at]],
            self._case_names[self._cases[at]],
            self._events[at],
            None if math.isnan(cpu_s) else cpu_s,
            self._usage.get(at, NO_TOKENS),
            bool(self._abandoned[at]),
            self._nodes[at],
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
