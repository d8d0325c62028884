"""`zeus`: the same GPU counters through the Zeus library (0.16 or newer).

Zeus on a machine without a GPU does not fail: it reports 0 J. So devices are always named, and a
monitor that ends up with none refuses to open. CPU counters are left to `rapl` (Zeus counts `psys`
as one more CPU). Nothing is synchronised: the work is done by a server, which is drained instead.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from membench.domain.clock import ReadClock
from membench.domain.errors import UsageError
from membench.domain.labels import Provenance
from membench.energy.figure import Component
from membench.energy.samples import Channel
from membench.energy.sources.base import Reading, SourceUnavailable, silenced
from membench.energy.sources.card import SourceCard, spelled
from membench.energy.sources.nvml import check_cuda_order, device_models, visible_devices

WINDOW = "membench"
TICK_S = 0.1
RELATIVE_SD = 0.05


class ZeusSource:
    """Reads GPU energy through `ZeusMonitor`.

    Args:
        devices: CUDA indices; empty for every visible device, each named explicitly.
    """

    name = "zeus"

    def __init__(self, devices: Sequence[int] = ()) -> None:
        """Remember what to read."""
        self._wanted = tuple(devices)
        self._monitor: Any = None
        self._clock: ReadClock = lambda: 0.0

    @classmethod
    def parse(cls, argument: str) -> ZeusSource:
        """From the part of the spec after `zeus:` (`0,1`).

        Raises:
            UsageError: A device index is no number.
        """
        parts = [part.strip() for part in argument.split(",") if part.strip()]
        if not all(part.isdigit() for part in parts):
            raise UsageError(f"{spelled('zeus', argument)}: devices are numbers, such as zeus:0,1")
        return cls([int(part) for part in parts])

    def open(self, clock: ReadClock) -> Sequence[Channel]:
        """Build a monitor over explicit devices.

        Raises:
            SourceUnavailable: Zeus is missing, or sees no GPU with an energy counter.
        """
        self._clock = clock
        gpus = _gpus()
        wanted = tuple(dict.fromkeys(self._wanted)) or tuple(range(len(gpus)))
        if not wanted:
            raise SourceUnavailable("Zeus sees no GPU")
        self._check(gpus, wanted)
        self._check_order(len(wanted))
        self._monitor = _monitor(wanted)
        if len(self._monitor.gpu_indices) == 0:
            raise SourceUnavailable("Zeus monitors no GPU; it would report 0 J")
        return [_channel(index, gpus) for index in self._monitor.gpu_indices]

    def _check(self, gpus: Any, wanted: Sequence[int]) -> None:
        for index in wanted:
            if index >= len(gpus):
                raise SourceUnavailable(f"there is no GPU {index}", f"Zeus sees {len(gpus)}.")
            if not gpus.supports_get_total_energy_consumption(index):
                raise SourceUnavailable(f"GPU {index} has no energy counter")

    def _check_order(self, wanted: int) -> None:
        """Zeus takes every number for NVML's, those that it is named and those of the variable."""
        models = device_models()
        visible = visible_devices(os.environ) or ()
        numbered = bool(self._wanted) or any(map(str.isdigit, visible))
        if numbered and wanted < len(models):
            which = "--energy zeus:N" if self._wanted else "CUDA_VISIBLE_DEVICES"
            check_cuda_order(models, which, "or use --energy nvml with UUIDs")

    def read(self) -> Sequence[Reading]:
        """Counters of every device, as Zeus reads them when a window begins."""
        self._monitor.begin_window(WINDOW, sync_execution=False, restart=True)
        counters = self._monitor.measurement_states[WINDOW].gpu_energy
        t = self._clock()
        return [Reading(t, counters.get(index)) for index in self._monitor.gpu_indices]

    def close(self) -> None:
        """Forget the open window."""
        if self._monitor is not None:
            self._monitor.reset_windows()
            self._monitor = None


def _channel(index: int, gpus: Any) -> Channel:
    return Channel(
        id=f"gpu:zeus-{index}",
        source="zeus",
        component=Component.GPU,
        provenance=Provenance.MEASURED,
        method=f"Zeus over the NVML counter of {gpus.get_name(index)}",
        period_s=TICK_S,
        relative_sd=RELATIVE_SD,
        facts={"index": index, "tick_assumed": True},
    )


def _gpus() -> Any:
    try:
        with silenced():
            from zeus.device import get_gpus
    except ImportError as error:
        raise SourceUnavailable(
            "zeus is not installed", "pip install 'membench[energy]'"
        ) from error
    try:
        with silenced():
            return get_gpus()
    except Exception as error:  # Zeus raises its own tree, and ValueError for MIG
        raise SourceUnavailable(f"Zeus sees no GPU: {error}") from error


def _monitor(indices: Sequence[int]) -> Any:
    try:
        with silenced():
            from zeus.monitor import ZeusMonitor

            return ZeusMonitor(gpu_indices=list(indices), cpu_indices=[])
    except Exception as error:
        raise SourceUnavailable(f"Zeus cannot monitor GPU {list(indices)}: {error}") from error


SOURCE = SourceCard("zeus", ZeusSource.parse)
