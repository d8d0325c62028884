"""What the sampler writes: channels and their readings, as `energy.jsonl`.

A **channel** is one counter (one GPU, one CPU package) or one model of energy (watts per core,
joules per token). A **trace** is what was read of one channel in one sampling session: times,
cumulative joules, and watts where the device reports them. A run that was resumed has several
sessions; nothing is known about the time between them.

`energy.jsonl` is self-contained: with the spans of the records it determines the ledger.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import orjson

from membench.domain.errors import DataError
from membench.domain.labels import JsonObject, JsonView, Provenance
from membench.energy.figure import Component, Flag
from membench.records.telemetry import Telemetry
from membench.records.usage import Usage

Array = npt.NDArray[np.float64]
Kind = Literal["counter", "cpu_seconds", "tokens"]
IDLE = "idle_loaded"
"""Name of the marked window in which the loaded machine did nothing."""
RECHECK = "idle_recheck"
"""Name of the marked window at the end, to see whether the idle power drifted."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One counter or one model.

    Attributes:
        id: Stable name of the device (`"gpu:GPU-6f1c"`); equal ids of several sessions are one
            device.
        source: Name of the source that reads it.
        component: What draws the energy.
        provenance: The strongest label its joules can carry.
        method: Device and counter, as text.
        kind: `counter` is sampled; `cpu_seconds` and `tokens` are computed from the spans.
        period_s: Seconds between updates of the counter (its tick) as measured or assumed.
        relative_sd: Relative one-sigma uncertainty of the reading.
        flags: Flags that hold for the whole channel.
        coefficients: Numbers of a model, such as `watts_per_core`.
        facts: What was seen at the start: driver, power limit, tick.
    """

    id: str
    source: str
    component: Component
    provenance: Provenance
    method: str
    kind: Kind = "counter"
    period_s: float = 0.1
    relative_sd: float = 0.05
    flags: frozenset[Flag] = frozenset()
    coefficients: Mapping[str, float] = field(default_factory=dict)
    facts: JsonView = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """As plain values."""
        return {
            "id": self.id,
            "source": self.source,
            "component": str(self.component),
            "provenance": str(self.provenance),
            "method": self.method,
            "kind": self.kind,
            "period_s": self.period_s,
            "gain_u": self.relative_sd,
            "flags": sorted(map(str, self.flags)),
            "coefficients": dict(self.coefficients),
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, data: JsonView) -> Channel:
        """From the values of `to_json`.

        Raises:
            KeyError, ValueError, TypeError, AttributeError: A field is missing or not what it
                should be.
        """
        return cls(
            id=data["id"],
            source=data["source"],
            component=Component(data["component"]),
            provenance=Provenance(data["provenance"]),
            method=data["method"],
            kind=data["kind"],
            period_s=float(data["period_s"]),
            relative_sd=float(data["gain_u"]),
            flags=frozenset(map(Flag, data["flags"])),
            coefficients={name: float(n) for name, n in data["coefficients"].items()},
            facts=dict(data["facts"]),
        )


@dataclass(frozen=True, slots=True)
class Trace:
    """Readings of one channel in one session, in the order they were taken.

    Attributes:
        channel: What was read.
        t: Times in epoch seconds, shape (n,).
        joules: Cumulative joules, shape (n,); NaN where a reading failed.
        watts: Instantaneous watts, shape (n,); NaN where there is none.
    """

    channel: Channel
    t: Array
    joules: Array
    watts: Array

    @classmethod
    def of(
        cls,
        channel: Channel,
        t: npt.ArrayLike,
        joules: npt.ArrayLike,
        watts: npt.ArrayLike | None = None,
    ) -> Trace:
        """From sequences; without `watts` they are all NaN."""
        times = np.asarray(t, np.float64)
        power = np.full(times.shape, np.nan) if watts is None else np.asarray(watts, np.float64)
        return cls(channel, times, np.asarray(joules, np.float64), power)


@dataclass(frozen=True, slots=True)
class FlagEvent:
    """A flag that a source raised at a moment."""

    channel: str
    t: float
    flag: Flag
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time the session marked, such as `idle_loaded`."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class SampleLog:
    """Everything an `energy.jsonl` says.

    Attributes:
        traces: One per sampled channel and session.
        models: Channels that are computed from spans instead of sampled.
        flag_events: Flags by moment.
        windows: Marked stretches.
        selection: Notes on what was chosen, one line per source.
        allow_mixed: Whether the user asked for the sum of unlike labels.
    """

    traces: tuple[Trace, ...] = ()
    models: tuple[Channel, ...] = ()
    flag_events: tuple[FlagEvent, ...] = ()
    windows: tuple[Window, ...] = ()
    selection: tuple[str, ...] = ()
    allow_mixed: bool = False

    def channels(self) -> dict[str, Channel]:
        """Every channel by id; of several sessions the last."""
        return {c.id: c for c in (*(t.channel for t in self.traces), *self.models)}

    def marked(self, name: str) -> tuple[Window, ...]:
        """The marked windows of a name."""
        return tuple(window for window in self.windows if window.name == name)


# --- reading and writing -----------------------------------------------------------------------


def sample_line(channel: int, t: float, joules: float | None, watts: float | None) -> bytes:
    """One reading as a line of `energy.jsonl`."""
    return orjson.dumps({"c": channel, "t": t, "j": joules, "w": watts}) + b"\n"


def entry_line(line: str, **values: object) -> bytes:
    """Any other line of `energy.jsonl`; `line` says which."""
    return orjson.dumps({"line": line, **values}) + b"\n"


def channel_line(number: int, channel: Channel) -> bytes:
    """A channel's description as a line."""
    return entry_line("channel", c=number, **channel.to_json())


def flag_line(event: FlagEvent) -> bytes:
    """A flag event as a line."""
    return entry_line(
        "remark", channel=event.channel, t=event.t, flag=event.flag, detail=event.detail
    )


def window_line(window: Window) -> bytes:
    """A marked window as a line."""
    return entry_line("window", name=window.name, start=window.start, end=window.end)


def read_log(path: Path) -> SampleLog:
    """Read an `energy.jsonl`.

    A torn last line (a killed run) is left out.

    Raises:
        DataError: The file is missing, or a line is not what it should be; names the line.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(path, "", f"cannot be read: {error.strerror}") from error
    builder = _LogBuilder()
    for number, line in enumerate(lines, 1):
        try:
            builder.add(line)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            if number == len(lines):
                break
            raise DataError(
                path, f"line {number}", f"not a line of an energy trace: {error}",
                "Restore the file, or delete it to go without energy figures.",
            ) from error  # fmt: skip
    return builder.build()


class _LogBuilder:
    """Collects lines; a `session` line starts new traces."""

    def __init__(self) -> None:
        self._session: dict[int, Channel] = {}
        self._columns: dict[int, list[tuple[float, float, float]]] = {}
        self._traces: list[Trace] = []
        self._models: dict[str, Channel] = {}
        self._flag_events: list[FlagEvent] = []
        self._windows: list[Window] = []
        self._selection: tuple[str, ...] = ()
        self._allow_mixed = False

    def add(self, line: bytes) -> None:
        if not line.strip():
            return
        data = orjson.loads(line)
        if "line" not in data:
            self._columns[data["c"]].append(
                (float(data["t"]), _number(data["j"]), _number(data.get("w")))
            )
            return
        match data["line"]:
            case "session":
                self._close_session()
                self._selection = tuple(data.get("selection", ()))
                self._allow_mixed = bool(data.get("allow_mixed", False))
            case "channel":
                self._add_channel(data)
            case "remark":
                self._flag_events.append(
                    FlagEvent(data["channel"], float(data["t"]), Flag(data["flag"]), data["detail"])
                )
            case "end":
                pass
            case "window":
                self._windows.append(Window(data["name"], float(data["start"]), float(data["end"])))
            case other:
                raise ValueError(f"unknown line '{other}'")

    def _add_channel(self, data: JsonObject) -> None:
        channel = Channel.from_json(data)
        if channel.kind == "counter":
            self._session[data["c"]] = channel
            self._columns[data["c"]] = []
        else:
            self._models[channel.id] = channel

    def _close_session(self) -> None:
        for number, channel in self._session.items():
            table = np.array(self._columns[number], np.float64).reshape(-1, 3)
            self._traces.append(Trace(channel, table[:, 0], table[:, 1], table[:, 2]))
        self._session, self._columns = {}, {}

    def build(self) -> SampleLog:
        self._close_session()
        return SampleLog(
            tuple(self._traces),
            tuple(self._models.values()),
            tuple(self._flag_events),
            tuple(self._windows),
            self._selection,
            self._allow_mixed,
        )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


# --- spans -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token usage of one role within one span.

    Attributes:
        model: Name of the model, as priced; empty if unknown.
        prompt: Prompt tokens, cached ones included.
        prompt_sq: Sum over calls of the squared prompt length.
        cached: Prompt tokens that the server had cached.
        completion: Completion tokens.
        embedding: Tokens embedded.
    """

    model: str = ""
    prompt: float = 0.0
    prompt_sq: float = 0.0
    cached: float = 0.0
    completion: float = 0.0
    embedding: float = 0.0

    @classmethod
    def of(cls, usage: Usage, model: str = "") -> Tokens:
        """Of a role's usage; calls recorded without squares are taken to be of equal length."""
        alike = usage.prompt_tokens**2 / (usage.calls or 1)
        return cls(
            model=model,
            prompt=usage.prompt_tokens,
            prompt_sq=alike if usage.prompt_sq is None else usage.prompt_sq,
            cached=usage.cached_tokens,
            completion=usage.completion_tokens,
            embedding=usage.embedding_tokens,
        )


NO_TOKENS: Mapping[str, Tokens] = {}
"""What a span without a model's tokens used; shared by all of them."""


@dataclass(frozen=True, slots=True)
class Span:
    """When one record's work was done and what it used.

    Attributes:
        start: Epoch seconds.
        end: Epoch seconds.
        phase: What the cost is charged to.
        case: Opaque case id.
        event: Index of the event in the case's timeline.
        cpu_s: CPU seconds of the lane in this span; None if not counted.
        usage: Tokens by role.
        abandoned: Whether the attempt was given up; its energy is kept, but not charged.
        node: Which machine of a cluster did it; 0 is the one whose sensors are read.
    """

    start: float
    end: float
    phase: str
    case: str = ""
    event: int = 0
    cpu_s: float | None = None
    usage: Mapping[str, Tokens] = field(default_factory=lambda: NO_TOKENS)
    abandoned: bool = False
    node: int = 0

    @classmethod
    def of(
        cls,
        phase: str,
        telemetry: Telemetry,
        *,
        case: str = "",
        event: int = 0,
        abandoned: bool = False,
        models: Mapping[str, str] | None = None,
    ) -> Span | None:
        """From the telemetry of a record: `start`, `end`, `cpu_s`, `node`, `usage`.

        CPU seconds of models that the gateway hosts (`usage.cpu_s`) are the span's too.

        Args:
            phase: What the record is charged to.
            telemetry: The record's telemetry.
            case: Opaque case id.
            event: Index of the event.
            abandoned: Whether the record's attempt was given up.
            models: Model of each role.

        Returns:
            None for a record of work that was never begun.
        """
        if telemetry.start is None or telemetry.end is None:
            return None
        roles = telemetry.usage.roles if telemetry.usage is not None else {}
        names = models or {}
        return cls(
            start=telemetry.start,
            end=telemetry.end,
            phase=phase,
            case=sys.intern(case),
            event=event,
            cpu_s=None if telemetry.cpu_s is None else telemetry.cpu_seconds,
            usage={role: Tokens.of(use, names.get(role, "")) for role, use in roles.items()}
            or NO_TOKENS,
            abandoned=abandoned,
            node=telemetry.node or 0,
        )
