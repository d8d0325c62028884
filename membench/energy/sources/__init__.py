"""Sources of energy: what they are called, which one `auto` takes, and what `doctor` says.

A **spec** is `NAME[:ARGUMENT]`; several are joined by `+`. The sum of sources with unlike labels
(`nvml+cpu:7.5`) has to be asked for: `mixed:nvml+cpu:7.5`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from membench.domain.clock import Clock
from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import Provenance
from membench.energy.figure import BADGE, weakest
from membench.energy.samples import Channel
from membench.energy.sources.base import EnergySource, SourceUnavailable
from membench.energy.sources.codecarbon import CodeCarbonSource
from membench.energy.sources.cpu import CpuModel
from membench.energy.sources.estimate import TokenEstimate
from membench.energy.sources.none import NullSource
from membench.energy.sources.nvml import NvmlSource
from membench.energy.sources.rapl import RaplSource
from membench.energy.sources.remote import RemoteSource
from membench.energy.sources.replay import ReplaySource
from membench.energy.sources.zeus import ZeusSource

AUTO: tuple[str, ...] = ("nvml", "rapl")
"""What `auto` tries: sensors of this machine. Models and estimates are never taken unasked."""


def _bare(source: type[RaplSource] | type[NullSource]) -> Callable[[str], EnergySource]:
    def parse(argument: str) -> EnergySource:
        if argument:
            raise UsageError(f"--energy {source.name}:{argument}: {source.name} takes no argument")
        return source()

    return parse


PARSERS: Mapping[str, Callable[[str], EnergySource]] = {
    "nvml": NvmlSource.parse,
    "zeus": ZeusSource.parse,
    "rapl": _bare(RaplSource),
    "codecarbon": CodeCarbonSource.parse,
    "remote": RemoteSource.parse,
    "cpu": CpuModel.parse,
    "estimate": TokenEstimate.parse,
    "replay": ReplaySource.parse,
    "none": _bare(NullSource),
}


@dataclass(frozen=True)
class Selection:
    """Which sources a run reads.

    Attributes:
        spec: What the user wrote.
        sources: Sources that will be opened by the session; not open yet.
        why: One line per source that was taken or passed over, for people.
        allow_mixed: Whether the sum of unlike labels was asked for.
    """

    spec: str
    sources: tuple[EnergySource, ...]
    why: tuple[str, ...]
    allow_mixed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sources."""
        return tuple(source.name for source in self.sources) or ("none",)


def choose(spec: str, parsers: Mapping[str, Callable[[str], EnergySource]] = PARSERS) -> Selection:
    """Find out what a spec means on this machine.

    Every source is opened once to see whether it works. One that does not is left out and said so:
    the run goes on, and its joules are null.

    Args:
        spec: `auto`, or sources as described above.
        parsers: Sources by name.

    Raises:
        UnknownName: There is no such source.
        UsageError: An argument is wrong, or sources of unlike labels were joined without `mixed:`.
    """
    if spec == "auto":
        return _automatic(parsers)
    allow_mixed = spec.startswith("mixed:")
    wanted = [parse(part, parsers) for part in spec.removeprefix("mixed:").split("+")]
    probes = [probe(source) for source in wanted]
    found = [p for p in probes if p.channels or isinstance(p.source, NullSource)]
    _refuse_unlike(found, allow_mixed)
    _refuse_double(found)
    return Selection(
        spec,
        tuple(p.source for p in found if p.channels),
        tuple(p.line() for p in probes),
        allow_mixed,
    )


def parse(
    part: str, parsers: Mapping[str, Callable[[str], EnergySource]] = PARSERS
) -> EnergySource:
    """One source from `NAME[:ARGUMENT]`.

    Raises:
        UnknownName: There is no such source.
        UsageError: The argument is wrong.
    """
    name, _, argument = part.partition(":")
    if name not in parsers:
        raise UnknownName("energy source", name, (*parsers, "auto"))
    return parsers[name](argument)


@dataclass(frozen=True)
class SourceCheck:
    """What opening a source once came to.

    Attributes:
        source: The source, closed again.
        channels: What it can read; empty if nothing.
        why: Why it cannot read anything.
        remedy: What would help.
    """

    source: EnergySource
    channels: tuple[Channel, ...] = ()
    why: str = ""
    remedy: str = ""

    @property
    def label(self) -> Provenance:
        """The weakest label of its channels."""
        if not self.channels:
            return Provenance.UNAVAILABLE
        return weakest(channel.provenance for channel in self.channels)

    def line(self) -> str:
        """For people: name, label, and device or reason."""
        head = f"{self.source.name}: {BADGE[self.label]} {self.label}"
        if not self.channels:
            return " — ".join(part for part in (head, self.why, self.remedy) if part)
        return f"{head} — {'; '.join(dict.fromkeys(c.method for c in self.channels))}"


def probe(source: EnergySource) -> SourceCheck:
    """Open a source, take one reading, and close it again."""
    try:
        channels = tuple(source.open(Clock.start().now))
        source.read()
    except SourceUnavailable as error:
        return SourceCheck(source, why=error.why, remedy=error.remedy)
    except (OSError, RuntimeError) as error:
        return SourceCheck(source, why=f"cannot be read: {error}")
    finally:
        source.close()
    if not channels:
        return SourceCheck(source, why="joules are not asked for")
    return SourceCheck(source, channels)


def _automatic(parsers: Mapping[str, Callable[[str], EnergySource]]) -> Selection:
    """Every sensor of this machine that carries the strongest label found."""
    probes = [probe(parse(name, parsers)) for name in AUTO]
    found = [p for p in probes if p.channels]
    best = min((p.label for p in found), key=tuple(Provenance).index, default=None)
    taken = tuple(p.source for p in found if p.label is best)
    lines = [p.line() + ("" if p.label is best or not p.channels else PASSED_OVER) for p in probes]
    picked = " + ".join(source.name for source in taken) or "nothing: joules are null"
    return Selection("auto", taken, (f"auto picked {picked}", *lines))


PASSED_OVER = " (left out: a weaker label than the sensor above)"


def _refuse_unlike(found: Sequence[SourceCheck], allow_mixed: bool) -> None:
    labels = {c.provenance for p in found for c in p.channels}
    if len(labels) > 1 and not allow_mixed:
        raise UsageError(
            f"energy sources of unlike provenance: {'; '.join(p.line() for p in found)}",
            "Write --energy mixed:... to have their sum under the weakest label.",
        )


def _refuse_double(found: Sequence[SourceCheck]) -> None:
    """Two sources for one component would count it twice."""
    seen: dict[str, str] = {}
    for p in found:
        for component in {str(c.component) for c in p.channels}:
            if component in seen:
                raise UsageError(
                    f"{seen[component]} and {p.source.name} both count {component}",
                    "Choose one source per component.",
                )
            seen[component] = p.source.name


@dataclass(frozen=True)
class SourceStatus:
    """One line of `membench doctor`.

    Attributes:
        name: Source.
        label: Label its figures would carry here; `unavailable` if it cannot read.
        ready: Whether the bare name works here; False too where an argument is needed.
        says: Device, what is missing, or which argument is needed.
        remedy: What would help.
    """

    name: str
    label: Provenance
    ready: bool
    says: str
    remedy: str = ""

    @property
    def state(self) -> str:
        """One word for a table: the label, or why there is none."""
        if self.ready:
            return str(self.label)
        return "on request" if self.name in _NEEDS_ARGUMENT else "not here"


_NEEDS_ARGUMENT: Mapping[str, tuple[Provenance, str]] = {
    "remote": (Provenance.MEASURED, "a sensor server: remote:zeusd://host:4938?dedicated"),
    "cpu": (Provenance.MODELLED, "declared watts per core: cpu:7.5 (at least 50 % uncertain)"),
    "replay": (Provenance.MEASURED, "a recording: replay:RUN/energy.jsonl (never ranked)"),
}


def automatic() -> SourceStatus:
    """What `auto` takes on this machine; why not the others is in their own lines."""
    selection = choose("auto")
    label = min(
        (c.provenance for s in selection.sources for c in probe(s).channels),
        key=tuple(Provenance).index,
        default=Provenance.UNAVAILABLE,
    )
    return SourceStatus("auto", label, bool(selection.sources), selection.why[0])


def doctor() -> list[SourceStatus]:
    """What every source could do on this machine; reads sensors, changes nothing."""
    return [_status(name) for name in PARSERS]


def _status(name: str) -> SourceStatus:
    if name in _NEEDS_ARGUMENT:
        label, says = _NEEDS_ARGUMENT[name]
        return SourceStatus(name, label, False, f"needs {says}")
    found = probe(parse("codecarbon:USA" if name == "codecarbon" else name))
    says = "; ".join(dict.fromkeys(c.method for c in found.channels)) or found.why
    return SourceStatus(name, found.label, bool(found.channels), says, found.remedy)
