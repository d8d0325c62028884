"""`codecarbon:COUNTRY`: CodeCarbon's own accounting, labelled by what it really did.

CodeCarbon measures where it finds RAPL or NVML and otherwise models, without saying so in any
field it writes. The label is therefore taken from the mode of each component. It runs offline, in
machine mode, writes no file, takes no lock (which would replace signal handlers), and its constant
for memory is turned off, because a constant per memory slot is no reading.

A country is required: without one CodeCarbon silently assumes a world average.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from membench.domain.clock import ReadClock
from membench.domain.errors import UsageError
from membench.domain.labels import Provenance
from membench.energy.figure import Component, Flag
from membench.energy.samples import Channel
from membench.energy.sources.base import Reading, SourceUnavailable, silenced
from membench.energy.sources.card import SourceCard, spelled
from membench.energy.sources.rapl import under_hypervisor

KWH = 3.6e6
"""Joules in a kilowatt-hour."""
PERIOD_S = 1.0
RELATIVE_SD = 0.05
MODEL_RELATIVE_SD = 0.5
NEVER_S = 86_400.0
"""Longer than a session: CodeCarbon's own scheduler never fires."""
COUNTERS = frozenset({"intel_rapl", "windows_emi", "intel_power_gadget"})
"""CPU modes in which CodeCarbon reads a counter; `cpu_load` and `constant` are models."""


class CodeCarbonSource:
    """Reads the running totals of an offline CodeCarbon tracker.

    Args:
        country: ISO 3166 alpha-3 code of where the machine stands.
    """

    name = "codecarbon"

    def __init__(self, country: str) -> None:
        """Remember the country."""
        self._country = country
        self._tracker: Any = None
        self._totals: tuple[str, ...] = ()
        self._clock: ReadClock = lambda: 0.0

    @classmethod
    def parse(cls, argument: str) -> CodeCarbonSource:
        """From the part of the spec after `codecarbon:`.

        Raises:
            UsageError: It is no country code.
        """
        from membench.energy.carbon import intensities

        country = argument.strip().upper()
        if country not in intensities():
            raise UsageError(
                f"{spelled('codecarbon', argument)}: a country code is needed",
                "Three letters of ISO 3166, such as --energy codecarbon:DEU.",
            )
        return cls(country)

    def open(self, clock: ReadClock) -> Sequence[Channel]:
        """Start a tracker and ask each of its components how it works.

        Raises:
            SourceUnavailable: CodeCarbon is missing or did not start.
        """
        self._clock = clock
        self._tracker = _tracker(self._country)
        found = list(_described(self._tracker))
        self._totals = tuple(total for total, _ in found)
        if not found:
            self.close()
            raise SourceUnavailable("CodeCarbon found nothing to track")
        return [channel for _, channel in found]

    def read(self) -> Sequence[Reading]:
        """Running totals in joules.

        CodeCarbon's own scheduler is set to sleep, so that only this thread measures: two threads
        that measure at once count the same stretch twice.
        """
        self._tracker._measure_power_and_energy_if_stale(PERIOD_S / 2)
        t = self._clock()
        return [Reading(t, getattr(self._tracker, total).kWh * KWH) for total in self._totals]

    def close(self) -> None:
        """Stop the tracker's threads."""
        if self._tracker is not None:
            self._tracker.stop()
            self._tracker = None


def _tracker(country: str) -> Any:
    try:
        with silenced():
            tracker = _started(country)
    except ImportError as error:
        raise SourceUnavailable(
            "codecarbon is not installed", "pip install 'membench[energy]'"
        ) from error
    if not getattr(tracker, "_hardware", None):
        raise SourceUnavailable("CodeCarbon did not start")
    return tracker


def _started(country: str) -> Any:
    from codecarbon import OfflineEmissionsTracker

    tracker = OfflineEmissionsTracker(
        country_iso_code=country,
        tracking_mode="machine",
        save_to_file=False,
        save_to_api=False,
        log_level="error",
        allow_multiple_runs=True,
        measure_power_secs=NEVER_S,
        force_ram_power=0,
        pue=1.0,
    )
    tracker.start()
    return tracker


def _described(tracker: Any) -> Iterator[tuple[str, Channel]]:
    """(name of the running total, channel) for each component that is more than a constant."""
    for part in tracker._hardware:
        kind = type(part).__name__
        if kind == "GPU":
            yield "_total_gpu_energy", _channel(Component.GPU, "NVML", counter=True)
        elif kind == "CPU":
            yield "_total_cpu_energy", _cpu_channel(part._mode)


def _cpu_channel(mode: str) -> Channel:
    if mode not in COUNTERS:
        return _channel(Component.CPU, mode, counter=False)
    guest = mode == "intel_rapl" and under_hypervisor()
    return _channel(Component.CPU, mode, counter=True, guest=guest)


def _channel(component: Component, mode: str, *, counter: bool, guest: bool = False) -> Channel:
    measured = counter and not guest
    return Channel(
        id=f"codecarbon:{component}",
        source="codecarbon",
        component=component,
        provenance=Provenance.MEASURED if measured else Provenance.MODELLED,
        method=f"CodeCarbon {component}, mode {mode}",
        period_s=PERIOD_S,
        relative_sd=RELATIVE_SD if measured else MODEL_RELATIVE_SD,
        flags=frozenset({Flag.VM_RAPL} if guest else ()),
        facts={"mode": mode, "tracking_mode": "machine"},
    )


SOURCE = SourceCard("codecarbon", CodeCarbonSource.parse, tried_with="USA")
