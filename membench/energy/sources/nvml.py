"""`nvml`: NVIDIA's energy counter, with power beside it to check it against.

The counter (`nvmlDeviceGetTotalEnergyConsumption`) is cumulative millijoules of the whole device,
Volta and newer. Beside it every reading takes the instantaneous power, and about once a second the
throttle reasons, the temperature and the processes on the device. A device that other processes
share, or one cut into MIG slices, does not measure this run.

A process counts as ours if it is, or descends from, this process or one that the user declares
(`nvml:0,pid=4242`, for a model server that was started separately).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from membench.domain.clock import ReadClock
from membench.domain.errors import UsageError
from membench.domain.labels import JsonObject, Provenance
from membench.energy.figure import Component, Flag
from membench.energy.samples import Channel
from membench.energy.sources.base import Reading, SourceUnavailable, device_id
from membench.energy.sources.card import SourceCard, spelled

TICK_S = 0.1
"""Assumed period of the counter; a slower one shows in the readings (`integrate.CounterCurve`)."""
RELATIVE_SD = 0.05
SLOW_EVERY = 10
"""Throttle, temperature and processes are read on every tenth reading."""
THROTTLES: Mapping[int, str] = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
_WHY = {
    3: ("the device has no energy counter", "vGPUs and GPUs before Volta have none."),
    4: ("no permission to read NVML", ""),
    9: ("the NVIDIA driver is not loaded", ""),
    12: ("no NVIDIA driver (the NVML library is not installed)", ""),
}


@dataclass
class _Device:
    """A device in use."""

    index: int
    handle: Any
    uuid: str
    name: str


class NvmlSource:
    """Reads the energy counters of NVIDIA GPUs.

    Args:
        devices: NVML's indices or UUIDs, each counted once; empty for `CUDA_VISIBLE_DEVICES`, else
            every device.
        own_pids: Processes, besides our own tree, whose work on the device belongs to the run.
        nvml: The `pynvml` module, or a stand-in.
    """

    name = "nvml"

    def __init__(
        self,
        devices: Sequence[str] = (),
        own_pids: Iterable[int] = (),
        nvml: Any = None,
    ) -> None:
        """Remember what to read."""
        self.devices = tuple(devices)
        self._own = frozenset({os.getpid(), *own_pids})
        self.nvml = nvml
        self._clock: ReadClock = lambda: 0.0
        self._devices: list[_Device] = []
        self._reads = 0
        self._opened = False

    @classmethod
    def parse(cls, argument: str) -> NvmlSource:
        """From the part of the spec after `nvml:` (`0,1,pid=4242`).

        Raises:
            UsageError: A process id is no number.
        """
        parts = [part for part in argument.split(",") if part]
        pids = [part.removeprefix("pid=") for part in parts if part.startswith("pid=")]
        if not all(pid.isdigit() for pid in pids):
            raise UsageError(f"{spelled('nvml', argument)}: pid= needs a process id")
        return cls([part for part in parts if not part.startswith("pid=")], map(int, pids))

    def open(self, clock: ReadClock) -> Sequence[Channel]:
        """Find the devices and their counters.

        Raises:
            SourceUnavailable: No driver, no device, no counter, no permission, or MIG.
        """
        self._clock = clock
        self.nvml = self.nvml or _import_nvml()
        try:
            self.nvml.nvmlInit()
            self._opened = True
            self._devices = [self._device(number) for number in self._numbers()]
            channels = [self._channel(device) for device in self._devices]
        except self.nvml.NVMLError as error:
            self.close()
            raise _unavailable(error) from error
        except SourceUnavailable:
            self.close()
            raise
        if not channels:
            self.close()
            raise SourceUnavailable("the NVIDIA driver shows no GPU")
        return channels

    def _numbers(self) -> list[int]:
        """Indices of the devices to read."""
        count = int(self.nvml.nvmlDeviceGetCount())
        wanted = self.devices or visible_devices(os.environ)
        if wanted is None:
            return list(range(count))
        uuids = [_text(self.nvml.nvmlDeviceGetUUID(self._handle(n))) for n in range(count)]
        numbers = list(dict.fromkeys(_number_of(name, uuids) for name in wanted))
        if not self.devices and len(numbers) < count and any(map(str.isdigit, wanted)):
            models = (_text(self.nvml.nvmlDeviceGetName(self._handle(n))) for n in range(count))
            check_cuda_order(models, "CUDA_VISIBLE_DEVICES", "or name GPUs by UUID")
        return numbers

    def _handle(self, number: int) -> Any:
        return self.nvml.nvmlDeviceGetHandleByIndex(number)

    def _device(self, number: int) -> _Device:
        handle = self._handle(number)
        uuid = _text(self.nvml.nvmlDeviceGetUUID(handle))
        if self._asked("nvmlDeviceGetMigMode", handle, default=(0, 0))[0]:
            raise SourceUnavailable(
                f"GPU {number} is in MIG mode", "Its counter covers all slices; turn MIG off."
            )
        self.nvml.nvmlDeviceGetTotalEnergyConsumption(handle)  # raises where there is none
        return _Device(number, handle, uuid, _text(self.nvml.nvmlDeviceGetName(handle)))

    def _channel(self, device: _Device) -> Channel:
        foreign, unknown = self._other_processes(device)
        flags = {Flag.SHARED_GPU} if foreign else {Flag.PIDS_UNKNOWN} if unknown else set()
        shared = ", shared with other processes" if foreign else ""
        return Channel(
            id=device_id(device.uuid),
            source=self.name,
            component=Component.GPU,
            provenance=Provenance.MODELLED if foreign else Provenance.MEASURED,
            method=f"NVML energy counter of {device.name}{shared}",
            period_s=TICK_S,
            relative_sd=RELATIVE_SD,
            flags=frozenset(flags),
            facts=self._facts(device) | {"foreign_pids": foreign, "unknown_pids": unknown},
        )

    def _facts(self, device: _Device) -> JsonObject:
        handle = device.handle
        return {
            "index": device.index,
            "name": device.name,
            "driver": _text(self._asked("nvmlSystemGetDriverVersion", default="")),
            "persistence_mode": self._asked("nvmlDeviceGetPersistenceMode", handle),
            "power_limit_mw": self._asked("nvmlDeviceGetEnforcedPowerLimit", handle),
            "temperature_c": self._asked("nvmlDeviceGetTemperature", handle, 0),
            "tick_assumed": True,
        }

    def read(self) -> Sequence[Reading]:
        """Counter and power of every device; now and then throttle and processes."""
        slow = self._reads % SLOW_EVERY == 0
        self._reads += 1
        return [self._reading(device, slow) for device in self._devices]

    def _reading(self, device: _Device, slow: bool) -> Reading:
        t = self._clock()
        flags = tuple(self._flags(device)) if slow else ()
        try:
            joules = self.nvml.nvmlDeviceGetTotalEnergyConsumption(device.handle) / 1000.0
        except self.nvml.NVMLError as error:
            return Reading(t, None, None, (*flags, (Flag.READ_FAILED, str(error))))
        return Reading(t, joules, self._watts(device), flags)

    def _watts(self, device: _Device) -> float | None:
        """Instantaneous power; a one-second average on older drivers."""
        field_id = getattr(self.nvml, "NVML_FI_DEV_POWER_INSTANT", None)
        values = field_id and self._asked("nvmlDeviceGetFieldValues", device.handle, [field_id])
        if values and values[0].nvmlReturn == 0:
            return float(values[0].value.uiVal) / 1000.0
        milliwatts = self._asked("nvmlDeviceGetPowerUsage", device.handle)
        return None if milliwatts is None else float(milliwatts) / 1000.0

    def _flags(self, device: _Device) -> Iterable[tuple[Flag, str]]:
        reasons = self._asked("nvmlDeviceGetCurrentClocksEventReasons", device.handle)
        if reasons is None:
            reasons = self._asked("nvmlDeviceGetCurrentClocksThrottleReasons", device.handle)
        named = [name for bit, name in THROTTLES.items() if reasons and reasons & bit]
        if named:
            yield Flag.THROTTLED, ", ".join(named)
        foreign, unknown = self._other_processes(device)
        if foreign:
            yield Flag.SHARED_GPU, f"processes {foreign}"
        elif unknown:
            yield Flag.PIDS_UNKNOWN, f"{len(unknown)} processes outside this process namespace"

    def _other_processes(self, device: _Device) -> tuple[list[int], list[int]]:
        """Processes on the device that are not ours, and those we cannot place."""
        running = self._asked("nvmlDeviceGetComputeRunningProcesses", device.handle, default=())
        pids = [int(process.pid) for process in running]
        places = {pid: _descends(pid, self._own) for pid in pids}
        return (
            [pid for pid in pids if places[pid] is False],
            [pid for pid in pids if places[pid] is None],
        )

    def _asked(self, function: str, *arguments: Any, default: Any = None) -> Any:
        """Ask for something a device may not support."""
        call = getattr(self.nvml, function, None)
        if call is None:
            return default
        try:
            return call(*arguments)
        except self.nvml.NVMLError:
            return default

    def close(self) -> None:
        """Shut NVML down."""
        if self._opened:
            self._opened = False
            self._asked("nvmlShutdown")


def visible_devices(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """What `CUDA_VISIBLE_DEVICES` allows; None if it is not set.

    Raises:
        SourceUnavailable: It hides every device.
    """
    value = environment.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return None
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    if not names or names[0] in {"-1", "NoDevFiles"}:
        raise SourceUnavailable("CUDA_VISIBLE_DEVICES hides every GPU")
    return names


def _number_of(name: str, uuids: Sequence[str]) -> int:
    if name.startswith("MIG-"):
        raise SourceUnavailable("a MIG slice has no energy counter", "Use a whole GPU.")
    if name.isdigit() and int(name) < len(uuids):
        return int(name)
    matches = [number for number, uuid in enumerate(uuids) if uuid.startswith(name)]
    if name.isdigit() or len(matches) != 1:
        raise SourceUnavailable(f"there is no GPU '{name}'", f"The driver shows {len(uuids)}.")
    return matches[0]


def _descends(pid: int, ancestors: frozenset[int]) -> bool | None:
    """Whether a process is, or descends from, one of some; None if it cannot be seen from here."""
    if pid in ancestors:
        return True
    if not Path(f"/proc/{pid}").exists():
        return None
    while pid > 1:
        pid = _parent(pid)
        if pid in ancestors:
            return True
    return False


def _parent(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line[5:]) for line in status.splitlines() if line.startswith("PPid:")), 0)


def _import_nvml() -> Any:
    try:
        import pynvml
    except ImportError as error:
        raise SourceUnavailable(
            "nvidia-ml-py is not installed", "pip install 'membench[energy]'"
        ) from error
    return pynvml


def check_cuda_order(models: Iterable[str], numbers: str, otherwise: str) -> None:
    """Refuse CUDA's numbers where they may name other devices than NVML's.

    CUDA counts the fastest device first unless it is told to count by bus, as NVML does.

    Args:
        models: Name of every GPU of the machine.
        numbers: What holds the numbers, for the message.
        otherwise: What else can be done, for the message.

    Raises:
        SourceUnavailable: The GPUs are unlike, and nothing says that they are counted by bus.
    """
    if len(set(models)) > 1 and os.environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        raise SourceUnavailable(
            f"{numbers} counts unlike GPUs in CUDA's order, which is not NVML's",
            f"Set CUDA_DEVICE_ORDER=PCI_BUS_ID for the run, {otherwise}.",
        )


def device_models(nvml: Any = None) -> list[str]:
    """Name of every GPU of the machine, visible to CUDA or not; none where NVML cannot say."""
    try:
        nvml = nvml or _import_nvml()
        nvml.nvmlInit()
    except Exception:
        return []
    try:
        handles = map(nvml.nvmlDeviceGetHandleByIndex, range(int(nvml.nvmlDeviceGetCount())))
        return [_text(nvml.nvmlDeviceGetName(handle)) for handle in handles]
    except nvml.NVMLError:
        return []
    finally:
        nvml.nvmlShutdown()


def _unavailable(error: Exception) -> SourceUnavailable:
    code = getattr(error, "value", None)
    note, remedy = _WHY.get(code if isinstance(code, int) else -1, (f"NVML: {error}", ""))
    return SourceUnavailable(note, remedy)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


SOURCE = SourceCard("nvml", NvmlSource.parse, automatic=True)
