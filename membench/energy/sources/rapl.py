"""`rapl`: the CPU package and DRAM counters that Linux shows under powercap.

Traps, each handled here: `psys` covers the packages again and is skipped; so are the parts of a
package (`core`, `uncore`). A package may appear twice, as several dies that mirror one counter, of
which one is kept, or through MSR and MMIO, of which the one that counts is taken. Counters wrap at
`max_energy_range_uj`. Plain KVM shows counters that always read 0, and zero means unavailable.
Under a hypervisor that does emulate RAPL, energy is split by CPU time, so the label is `modelled`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from membench.domain.clock import ReadClock
from membench.domain.labels import Provenance
from membench.energy.figure import Component, Flag
from membench.energy.samples import Channel
from membench.energy.sources.base import Reading, SourceUnavailable
from membench.energy.sources.card import SourceCard, without_argument

POWERCAP = Path("/sys/class/powercap")
CPUINFO = Path("/proc/cpuinfo")
PERIOD_S = 0.001
RELATIVE_SD = 0.05
MIRROR_UJ = 1_000_000
"""Two dies of a package whose counters lie within one joule of each other are one counter: they
count from boot, so independent ones have long drifted apart."""
MAX_WATTS = 2_000.0
"""More than any package draws: a decrease that would need more is a reset, not a wrap."""


@dataclass
class Zone:
    """One powercap zone and the state of unwrapping its counter."""

    path: Path
    name: str
    component: Component
    range_uj: int
    last_uj: int = 0
    last_t: float = 0.0
    base_uj: int = 0
    fresh: bool = field(default=True)

    def raw(self) -> int:
        """The counter in microjoules, as shown."""
        return int((self.path / "energy_uj").read_text())

    def read(self, t: float) -> Reading:
        """The counter in joules, unwrapped; a reset starts again from the raw value."""
        raw = self.raw()
        flags: tuple[tuple[Flag, str], ...] = ()
        if not self.fresh and raw < self.last_uj:
            if self._wrapped(raw, t - self.last_t):
                self.base_uj += self.range_uj
            else:
                self.base_uj = 0
                flags = ((Flag.COUNTER_RESET, f"{self.name} went backwards"),)
        self.last_uj, self.last_t, self.fresh = raw, t, False
        return Reading(t, (self.base_uj + raw) / 1e6, flags=flags)

    def _wrapped(self, raw: int, seconds: float) -> bool:
        joules = (raw + self.range_uj - self.last_uj) / 1e6
        return self.range_uj > 0 and joules <= MAX_WATTS * max(seconds, PERIOD_S)


class RaplSource:
    """Reads package and DRAM counters.

    Args:
        root: The powercap folder.
        cpuinfo: Where the kernel describes the CPU.
    """

    name = "rapl"

    def __init__(self, root: Path = POWERCAP, cpuinfo: Path = CPUINFO) -> None:
        """Remember where to look."""
        self._root = root
        self._cpuinfo = cpuinfo
        self._zones: list[Zone] = []
        self._clock: ReadClock = lambda: 0.0

    def open(self, clock: ReadClock) -> Sequence[Channel]:
        """Find the counters that are real and readable.

        Raises:
            SourceUnavailable: There are none, they may not be read, or they always read 0.
        """
        self._clock = clock
        self._zones = readable_zones(self._root)
        guest = under_hypervisor(self._cpuinfo)
        return [self._channel(zone, guest) for zone in self._zones]

    def _channel(self, zone: Zone, guest: bool) -> Channel:
        where = ", split by CPU time under a hypervisor" if guest else ""
        return Channel(
            id=f"rapl:{zone.name}",
            source=self.name,
            component=zone.component,
            provenance=Provenance.MODELLED if guest else Provenance.MEASURED,
            method=f"RAPL {zone.name} counter{where}",
            period_s=PERIOD_S,
            relative_sd=RELATIVE_SD,
            flags=frozenset({Flag.VM_RAPL} if guest else ()),
            facts={"range_uj": zone.range_uj},
        )

    def read(self) -> Sequence[Reading]:
        """Read every zone."""
        return [zone.read(self._clock()) for zone in self._zones]

    def close(self) -> None:
        """Nothing is held open."""


def readable_zones(root: Path) -> list[Zone]:
    """Package and DRAM zones under `root`, without duplicates.

    Raises:
        SourceUnavailable: None is there, may be read, or moves off 0.
    """
    zones = list(_zones(root))
    if not zones:
        raise SourceUnavailable(
            f"no RAPL counters under {root}", "Containers and most virtual machines hide them."
        )
    live: dict[str, tuple[Zone, int]] = {}
    broken: dict[str, Exception] = {}
    for zone in zones:
        try:
            raw = zone.raw()
        except PermissionError as error:
            raise SourceUnavailable(
                "RAPL counters may not be read by this user",
                "Run `sudo chmod a+r` on the energy_uj files, or a sidecar: membench energy serve.",
            ) from error
        except (OSError, ValueError) as error:
            broken[zone.name] = error
            continue
        if raw > 0:
            live.setdefault(zone.name, (zone, raw))
    lost = next((error for name, error in broken.items() if name not in live), None)
    if lost is not None:
        raise SourceUnavailable(f"RAPL counters cannot be read: {lost}") from lost
    if not live:
        raise SourceUnavailable("every RAPL counter reads 0, as under plain KVM")
    return _without_mirrors(list(live.values()))


def _zones(root: Path) -> Iterator[Zone]:
    """Every zone, the MSR interface before the MMIO one that mirrors it under the same name."""
    folders = sorted(root.glob("*rapl*:*"), key=lambda path: ("mmio" in path.name, path.name))
    names: dict[Path, str] = {}
    for folder in folders:
        name = _text(folder / "name")
        names[folder] = name
        component = _component(name)
        if component is None:
            continue
        label = name if component is Component.CPU else f"{_parent_name(folder, names)}-dram"
        yield Zone(folder, label, component, int(_text(folder / "max_energy_range_uj") or 0))


def _component(name: str) -> Component | None:
    """`psys`, `core`, `uncore` lie inside or around a package and count nothing new."""
    if name.startswith("package"):
        return Component.CPU
    return Component.DRAM if name == "dram" else None


def _parent_name(folder: Path, names: dict[Path, str]) -> str:
    """`intel-rapl:0:1` lies in `intel-rapl:0`."""
    parent = folder.with_name(folder.name.rpartition(":")[0])
    return names.get(parent) or _text(parent / "name") or folder.name


def _without_mirrors(seen: list[tuple[Zone, int]]) -> list[Zone]:
    kept: list[tuple[Zone, int]] = []
    for zone, raw in seen:
        mirrored = any(
            _package(other.name) == _package(zone.name)
            and other.component is zone.component
            and abs(value - raw) <= MIRROR_UJ
            for other, value in kept
        )
        if not mirrored:
            kept.append((zone, raw))
    return [zone for zone, _ in kept]


def _package(name: str) -> str:
    """`package-0-die-1` belongs to `package-0`."""
    return "-".join(name.split("-")[:2])


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def under_hypervisor(cpuinfo: Path = CPUINFO) -> bool:
    """Whether the CPU says that a hypervisor runs it."""
    return any(
        "hypervisor" in line.split() for line in _text(cpuinfo).splitlines() if "flags" in line
    )


SOURCE = SourceCard("rapl", without_argument("rapl", RaplSource), automatic=True)
