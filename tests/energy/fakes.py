"""Stand-ins for hardware: NVML, powercap trees, sensor servers, a clock that is told the time."""
# ruff: noqa: N802

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from membench.domain.labels import Provenance
from membench.energy.figure import Component
from membench.energy.samples import (
    Channel,
    SampleLog,
    Span,
    Tokens,
    Trace,
    channel_line,
    entry_line,
    flag_line,
    sample_line,
    window_line,
)


@dataclass
class FakeClock:
    """Time stands still until it is moved."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeNvmlError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


@dataclass
class FakeGpu:
    uuid: str = "GPU-aaaa"
    name: str = "Fake H100"
    millijoules: int = 5_000_000
    milliwatts: int = 120_000
    has_counter: bool = True
    mig: bool = False
    throttle: int = 0
    pids: list[int] = field(default_factory=list)


@dataclass
class FakeNvml:
    """Enough of `pynvml` for the source."""

    gpus: list[FakeGpu] = field(default_factory=lambda: [FakeGpu()])
    init_error: int | None = None
    closed: int = 0
    NVMLError: Any = FakeNvmlError
    NVML_FI_DEV_POWER_INSTANT: int = 186

    def nvmlInit(self) -> None:
        if self.init_error is not None:
            raise FakeNvmlError(self.init_error)

    def nvmlShutdown(self) -> None:
        self.closed += 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:
        return self.gpus[index]

    def nvmlDeviceGetUUID(self, gpu: FakeGpu) -> str:
        return gpu.uuid

    def nvmlDeviceGetName(self, gpu: FakeGpu) -> bytes:
        return gpu.name.encode()

    def nvmlDeviceGetMigMode(self, gpu: FakeGpu) -> tuple[int, int]:
        return int(gpu.mig), int(gpu.mig)

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: FakeGpu) -> int:
        if not gpu.has_counter:
            raise FakeNvmlError(3)
        return gpu.millijoules

    def nvmlDeviceGetFieldValues(self, gpu: FakeGpu, ids: list[int]) -> list[Any]:
        assert ids == [186]
        return [SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=gpu.milliwatts))]

    def nvmlDeviceGetCurrentClocksEventReasons(self, gpu: FakeGpu) -> int:
        return gpu.throttle

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: FakeGpu) -> list[Any]:
        return [SimpleNamespace(pid=pid) for pid in gpu.pids]


def powercap(
    root: Path, zones: dict[str, tuple[str, int]], range_uj: int = 262_143_328_850
) -> Path:
    """Write a powercap tree: folder name -> (zone name, microjoules)."""
    for folder, (name, value) in zones.items():
        path = root / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / "name").write_text(name + "\n")
        (path / "energy_uj").write_text(f"{value}\n")
        (path / "max_energy_range_uj").write_text(f"{range_uj}\n")
    return root


@contextmanager
def http_server(pages: Callable[[str], bytes | None]) -> Iterator[int]:
    """Serve pages on loopback; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages(self.path)
            self.send_response(200 if body is not None else 404)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def gpu_channel(**changes: Any) -> Channel:
    values: dict[str, Any] = {
        "id": "gpu:GPU-aaaa",
        "source": "nvml",
        "component": Component.GPU,
        "provenance": Provenance.MEASURED,
        "method": "NVML energy counter of Fake H100",
    }
    return Channel(**{**values, **changes})


def steady(watts: float, seconds: float, start: float = 0.0, period: float = 0.1) -> Trace:
    """A counter that rises evenly."""
    times = [start + n * period for n in range(round(seconds / period) + 1)]
    return Trace.of(gpu_channel(), times, [watts * (t - start) for t in times])


def log_of(*traces: Trace, **changes: Any) -> SampleLog:
    return SampleLog(traces=traces, **changes)


def write_log(log: SampleLog, path: Path) -> None:
    """Write a log as one session; the inverse of `read_log` for logs of one session."""
    with path.open("wb") as file:
        file.write(entry_line("session", selection=log.selection, allow_mixed=log.allow_mixed))
        for number, channel in enumerate((*(t.channel for t in log.traces), *log.models)):
            file.write(channel_line(number, channel))
        for number, trace in enumerate(log.traces):
            columns = (trace.t.tolist(), trace.joules.tolist(), trace.watts.tolist())
            for reading in zip(*columns, strict=True):  # orjson writes NaN as null
                file.write(sample_line(number, *reading))
        for event in log.flag_events:
            file.write(flag_line(event))
        for window in log.windows:
            file.write(window_line(window))


def span(start: float, end: float, phase: str = "ingest", **changes: Any) -> Span:
    return Span(start=start, end=end, phase=phase, **changes)


def tokens(prompt: float = 0.0, completion: float = 0.0, model: str = "m") -> Tokens:
    return Tokens(model, prompt=prompt, prompt_sq=prompt**2, completion=completion)
