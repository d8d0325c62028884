"""Sources of energy: what they are called, which one `auto` takes, and what `doctor` says.

A **spec** is `NAME[:ARGUMENT]`; several are joined by `+`. The sum of sources with unlike labels
(`nvml+cpu:7.5`) has to be asked for: `mixed:nvml+cpu:7.5`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from membench.domain.clock import Clock
from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import Provenance
from membench.energy.figure import BADGE, weakest
from membench.energy.samples import Channel
from membench.energy.sources.base import EnergySource, SourceUnavailable
from membench.energy.sources.card import SourceCard
from membench.energy.sources.none import NullSource
from membench.energy.sources.registry import get_source, list_sources

Cards = Mapping[str, SourceCard]


@dataclass(frozen=True)
class Selection:
    """Which sources a run reads.

    Attributes:
        spec: What the user wrote.
        sources: Sources that will be opened by the session; not open yet.
        notes: One line per source that was taken or passed over, for people.
        allow_mixed: Whether the sum of unlike labels was asked for.
    """

    spec: str
    sources: tuple[EnergySource, ...]
    notes: tuple[str, ...]
    allow_mixed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sources."""
        return tuple(source.name for source in self.sources) or ("none",)


def choose(spec: str, cards: Cards | None = None) -> Selection:
    """Find out what a spec means on this machine.

    Every source is opened once to see whether it works. One that was asked for by name and does not
    is refused; `auto` leaves it out and says so.

    Args:
        spec: `auto`, or sources as described above.
        cards: Sources by name; None takes those that are registered.

    Raises:
        UnknownName: There is no such source.
        UsageError: An argument is wrong, a source cannot be read here, or sources of unlike labels
            were joined without `mixed:`.
    """
    if spec == "auto":
        return _automatic(list_sources() if cards is None else cards)
    allow_mixed = spec.startswith("mixed:")
    wanted = [parse(part, cards) for part in spec.removeprefix("mixed:").split("+")]
    probes = [probe(source) for source in wanted]
    found = [p for p in probes if p.channels or isinstance(p.source, NullSource)]
    _refuse_unread(spec, [p for p in probes if p not in found])
    _refuse_unlike(found, allow_mixed)
    _refuse_double(found)
    return Selection(
        spec,
        tuple(p.source for p in found if p.channels),
        tuple(p.line() for p in probes),
        allow_mixed,
    )


def parse(part: str, cards: Cards | None = None) -> EnergySource:
    """One source from `NAME[:ARGUMENT]`.

    Raises:
        UnknownName: There is no such source.
        UsageError: The argument is wrong.
    """
    name, _, argument = part.partition(":")
    if cards is None:
        return get_source(name).parse(argument)
    if name not in cards:
        raise UnknownName("energy source", name, (*cards, "auto"))
    return cards[name].parse(argument)


@dataclass(frozen=True)
class SourceCheck:
    """What opening a source once came to.

    Attributes:
        source: The source, closed again.
        channels: What it can read; empty if nothing.
        note: Why it cannot read anything.
        remedy: What would help.
    """

    source: EnergySource
    channels: tuple[Channel, ...] = ()
    note: str = ""
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
            return " — ".join(part for part in (head, self.note, self.remedy) if part)
        return f"{head} — {'; '.join(dict.fromkeys(c.method for c in self.channels))}"


def probe(source: EnergySource) -> SourceCheck:
    """Open a source, take one reading, and close it again."""
    try:
        channels = tuple(source.open(Clock.start().now))
        source.read()
    except SourceUnavailable as error:
        return SourceCheck(source, note=error.note, remedy=error.remedy)
    except (OSError, RuntimeError) as error:
        return SourceCheck(source, note=f"cannot be read: {error}")
    finally:
        source.close()
    if not channels:
        return SourceCheck(source, note="joules are not asked for")
    return SourceCheck(source, channels)


def _refuse_unread(spec: str, unread: Sequence[SourceCheck]) -> None:
    """Refuse what was asked for by name and is not there: a run without its joules is another."""
    if unread:
        first = unread[0]
        remedy = first.remedy + ("" if first.remedy.endswith(("?", ".")) else ".")
        said = f"{remedy} " if first.remedy else ""
        raise UsageError(
            f"--energy {spec}: {first.source.name} cannot be read here: {first.note}",
            f"{said}`membench doctor` lists what can; `--energy auto` takes that.",
        )


def _automatic(cards: Cards) -> Selection:
    """Every sensor of this machine that carries the strongest label found."""
    probes = [probe(card.parse("")) for card in cards.values() if card.automatic]
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
        needs: Whether it cannot do without an argument.
    """

    name: str
    label: Provenance
    ready: bool
    says: str
    remedy: str = ""
    needs: bool = False

    @property
    def state(self) -> str:
        """One word for a table: the label, or why there is none."""
        if self.ready:
            return str(self.label)
        return "on request" if self.needs else "not here"


def automatic() -> SourceStatus:
    """What `auto` takes on this machine; why not the others is in their own lines."""
    selection = choose("auto")
    label = min(
        (c.provenance for s in selection.sources for c in probe(s).channels),
        key=tuple(Provenance).index,
        default=Provenance.UNAVAILABLE,
    )
    return SourceStatus("auto", label, bool(selection.sources), selection.notes[0])


def doctor() -> list[SourceStatus]:
    """What every source could do on this machine; reads sensors, changes nothing."""
    return [_status(card) for card in list_sources().values()]


def _status(card: SourceCard) -> SourceStatus:
    if card.needs:
        return SourceStatus(card.name, card.label, False, f"needs {card.needs}", needs=True)
    found = probe(card.parse(card.tried_with))
    says = "; ".join(dict.fromkeys(c.method for c in found.channels)) or found.note
    return SourceStatus(card.name, found.label, bool(found.channels), says, found.remedy)
