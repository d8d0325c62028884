"""Every source reads what is there, says what is not, and never turns the second into a number."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from energy.fakes import (
    FakeClock,
    FakeGpu,
    FakeNvml,
    gpu_channel,
    http_server,
    log_of,
    powercap,
    steady,
    write_log,
)
from membench.domain.clock import ReadClock
from membench.domain.errors import DataError, UnknownName, UsageError
from membench.domain.labels import Provenance
from membench.energy.figure import Component, Flag
from membench.energy.samples import Channel
from membench.energy.sampling.sidecar import SidecarServer, one_line
from membench.energy.sources import automatic, choose, doctor, parse, probe
from membench.energy.sources.base import EnergySource, Reading, SourceUnavailable, device_id
from membench.energy.sources.card import SourceCard
from membench.energy.sources.codecarbon import CodeCarbonSource, _described
from membench.energy.sources.http import Endpoint
from membench.energy.sources.nvml import NvmlSource, device_models
from membench.energy.sources.rapl import RaplSource
from membench.energy.sources.registry import get_source, list_sources, module_names
from membench.energy.sources.remote import RemoteSource, prometheus_rows
from membench.energy.sources.replay import ReplaySource
from membench.energy.sources.zeus import ZeusSource
from membench.records.spec import without_places

# --- nvml --------------------------------------------------------------------------------------


def test_nvml_reads_the_counter_in_joules_with_power_beside_it() -> None:
    nvml = FakeNvml()
    source = NvmlSource(nvml=nvml)
    (channel,) = source.open(FakeClock())
    assert channel.id == device_id("GPU-aaaa")
    assert channel.provenance is Provenance.MEASURED
    nvml.gpus[0].millijoules += 1500
    assert source.read() == [Reading(1000.0, 5001.5, 120.0)]


@pytest.mark.parametrize(
    ("nvml", "why"),
    [
        (FakeNvml(init_error=12), "no NVIDIA driver"),
        (FakeNvml(init_error=9), "driver is not loaded"),
        (FakeNvml(init_error=4), "no permission"),
        (FakeNvml(gpus=[]), "shows no GPU"),
        (FakeNvml(gpus=[FakeGpu(has_counter=False)]), "no energy counter"),
        (FakeNvml(gpus=[FakeGpu(mig=True)]), "MIG mode"),
    ],
)
def test_nvml_without_a_usable_device_refuses_to_open(nvml: FakeNvml, why: str) -> None:
    with pytest.raises(SourceUnavailable, match=why):
        NvmlSource(nvml=nvml).open(FakeClock())


def test_an_empty_cuda_visible_devices_is_unavailable_not_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(SourceUnavailable, match="hides every GPU"):
        NvmlSource(nvml=FakeNvml()).open(FakeClock())


def test_only_visible_or_named_devices_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml(gpus=[FakeGpu(uuid=f"GPU-{n}") for n in "abcd"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,GPU-d")
    assert [c.id for c in NvmlSource(nvml=nvml).open(FakeClock())] == [
        device_id("GPU-b"),
        device_id("GPU-d"),
    ]
    named = NvmlSource(["0"], nvml=nvml).open(FakeClock())
    assert [channel.id for channel in named] == [device_id("GPU-a")]
    with pytest.raises(SourceUnavailable, match="no GPU '7'"):
        NvmlSource(["7"], nvml=nvml).open(FakeClock())


@pytest.mark.parametrize("named", ["0,0", "0,GPU-aaaa", "GPU-aaaa,GPU-aa", "0,00"])
def test_a_device_that_is_named_twice_counts_once(named: str) -> None:
    source = NvmlSource.parse(named)
    source.nvml = FakeNvml([FakeGpu(), FakeGpu("GPU-bbbb")])
    assert [channel.facts["index"] for channel in source.open(FakeClock())] == [0]
    assert len(source.read()) == 1


class TestTheOrderOfCuda:
    """CUDA counts the fastest device first, NVML by bus: number 0 may be another device."""

    UNLIKE = (FakeGpu(), FakeGpu("GPU-bbbb", name="Bigger"))

    def opened(self, monkeypatch: pytest.MonkeyPatch, visible: str, *gpus: FakeGpu) -> list[int]:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        source = NvmlSource(nvml=FakeNvml(list(gpus)))
        return [channel.facts["index"] for channel in source.open(FakeClock())]

    def test_its_numbers_are_refused_where_devices_differ(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
        with pytest.raises(SourceUnavailable, match="CUDA_DEVICE_ORDER=PCI_BUS_ID"):
            self.opened(monkeypatch, "0", *self.UNLIKE)

    def test_order_by_bus_uuids_like_devices_and_all_of_them_leave_no_doubt(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
        assert self.opened(monkeypatch, "GPU-bbbb", *self.UNLIKE) == [1]
        assert len(self.opened(monkeypatch, "1,0", *self.UNLIKE)) == 2
        assert self.opened(monkeypatch, "1", FakeGpu(), FakeGpu("GPU-bbbb")) == [1]
        monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        assert self.opened(monkeypatch, "1", *self.UNLIKE) == [1]


def test_a_mig_slice_has_no_counter() -> None:
    with pytest.raises(SourceUnavailable, match="MIG slice"):
        NvmlSource(["MIG-123"], nvml=FakeNvml()).open(FakeClock())


def test_a_foreign_process_makes_a_gpu_modelled_and_a_declared_one_does_not() -> None:
    nvml = FakeNvml(gpus=[FakeGpu(pids=[os.getpid(), 1])])
    (channel,) = NvmlSource(nvml=nvml).open(FakeClock())
    assert channel.provenance is Provenance.MODELLED
    assert channel.flags == {Flag.SHARED_GPU}
    (declared,) = NvmlSource(own_pids=[1], nvml=nvml).open(FakeClock())
    assert declared.provenance is Provenance.MEASURED


def test_processes_outside_our_namespace_are_flagged_as_unknown() -> None:
    nvml = FakeNvml(gpus=[FakeGpu(pids=[2**22 + 1])])
    (channel,) = NvmlSource(nvml=nvml).open(FakeClock())
    assert channel.flags == {Flag.PIDS_UNKNOWN}


def test_throttling_is_remarked_with_its_reason() -> None:
    nvml = FakeNvml(gpus=[FakeGpu(throttle=0x40)])
    source = NvmlSource(nvml=nvml)
    source.open(FakeClock())
    assert source.read()[0].flags == ((Flag.THROTTLED, "hardware thermal slowdown"),)


def test_a_counter_that_vanishes_is_a_failed_reading() -> None:
    nvml = FakeNvml()
    source = NvmlSource(nvml=nvml)
    source.open(FakeClock())
    nvml.gpus[0].has_counter = False
    (reading,) = source.read()
    assert reading.joules is None
    assert reading.flags[0][0] is Flag.READ_FAILED


# --- rapl --------------------------------------------------------------------------------------

BARE = "flags\t\t: fpu vme sse2\n"
GUEST = "flags\t\t: fpu vme sse2 hypervisor\n"


def rapl(tmp_path: Path, zones: dict[str, tuple[str, int]], cpuinfo: str = BARE) -> RaplSource:
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    return RaplSource(powercap(tmp_path / "powercap", zones), tmp_path / "cpuinfo")


PACKAGE = {"intel-rapl:0": ("package-0", 5_000_000_000)}


def test_rapl_reads_packages_and_dram_and_skips_what_they_already_hold(tmp_path: Path) -> None:
    source = rapl(
        tmp_path,
        {
            **PACKAGE,
            "intel-rapl:0:0": ("core", 3_000_000_000),
            "intel-rapl:0:1": ("dram", 900_000_000),
            "intel-rapl:1": ("psys", 9_000_000_000),
        },
    )
    channels = source.open(FakeClock())
    assert [(c.id, c.component) for c in channels] == [
        ("rapl:package-0", Component.CPU),
        ("rapl:package-0-dram", Component.DRAM),
    ]
    assert [reading.joules for reading in source.read()] == [5000.0, 900.0]


def test_mirrored_dies_and_interfaces_count_once(tmp_path: Path) -> None:
    source = rapl(
        tmp_path,
        {
            "intel-rapl:0": ("package-0-die-0", 5_000_000_000),
            "intel-rapl:1": ("package-0-die-1", 5_000_100_000),
            "intel-rapl:2": ("package-1", 5_000_050_000),
            "intel-rapl-mmio:0": ("package-1", 5_000_050_000),
        },
    )
    ids = [channel.id for channel in source.open(FakeClock())]
    assert ids == ["rapl:package-0-die-0", "rapl:package-1"]


def test_dies_with_counters_of_their_own_both_count(tmp_path: Path) -> None:
    zones = {
        "intel-rapl:0": ("package-0-die-0", 5_000_000_000),
        "intel-rapl:1": ("package-0-die-1", 9_000_000_000),
    }
    assert len(rapl(tmp_path, zones).open(FakeClock())) == 2


def test_a_counter_that_wraps_goes_on_rising(tmp_path: Path) -> None:
    source = rapl(tmp_path, {"intel-rapl:0": ("package-0", 262_143_000_000)})
    clock = FakeClock()
    source.open(clock)
    before = source.read()[0].joules
    powercap(tmp_path / "powercap", {"intel-rapl:0": ("package-0", 1_000_000)})
    clock.now += 0.1
    (reading,) = source.read()
    assert before is not None
    assert reading.joules is not None
    assert reading.joules - before == pytest.approx(1.0 + 0.32885)
    assert reading.flags == ()


def test_a_decrease_no_package_could_have_wrapped_is_a_reset(tmp_path: Path) -> None:
    source = rapl(tmp_path, PACKAGE)
    clock = FakeClock()
    source.open(clock)
    source.read()
    powercap(tmp_path / "powercap", {"intel-rapl:0": ("package-0", 1_000_000)})
    clock.now += 0.1
    (reading,) = source.read()
    assert reading.joules == 1.0
    assert reading.flags[0][0] is Flag.COUNTER_RESET


def test_rapl_under_a_hypervisor_is_modelled(tmp_path: Path) -> None:
    (channel,) = rapl(tmp_path, PACKAGE, GUEST).open(FakeClock())
    assert channel.provenance is Provenance.MODELLED
    assert channel.flags == {Flag.VM_RAPL}


def test_counters_that_read_zero_are_unavailable(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="reads 0"):
        rapl(tmp_path, {"intel-rapl:0": ("package-0", 0)}).open(FakeClock())


@pytest.mark.parametrize("dead", ["0", "", "nonsense"])
def test_of_two_interfaces_to_a_package_the_one_that_counts_is_taken(
    tmp_path: Path, dead: str
) -> None:
    zones = {
        "intel-rapl:0": ("package-0", 0),
        "intel-rapl-mmio:0": ("package-0", 5_000_000),
    }
    source = rapl(tmp_path, zones)
    (tmp_path / "powercap" / "intel-rapl:0" / "energy_uj").write_text(dead)
    assert [channel.id for channel in source.open(FakeClock())] == ["rapl:package-0"]
    assert [reading.joules for reading in source.read()] == [5.0]


def test_a_package_that_no_interface_can_read_makes_the_source_unavailable(
    tmp_path: Path,
) -> None:
    source = rapl(tmp_path, {**PACKAGE, "intel-rapl:1": ("package-1", 1)})
    (tmp_path / "powercap" / "intel-rapl:1" / "energy_uj").write_text("nonsense")
    with pytest.raises(SourceUnavailable, match="cannot be read"):
        source.open(FakeClock())


def test_no_powercap_and_no_permission_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceUnavailable, match="no RAPL counters"):
        rapl(tmp_path, {}).open(FakeClock())
    source = rapl(tmp_path, PACKAGE)
    read_text = Path.read_text

    def forbidden(path: Path, *args: Any, **kwargs: Any) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "denied")
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", forbidden)
    with pytest.raises(SourceUnavailable, match="may not be read by this user"):
        source.open(FakeClock())


# --- zeus --------------------------------------------------------------------------------------


def test_zeus_without_a_gpu_refuses_instead_of_reporting_zero() -> None:
    pytest.importorskip("zeus")
    with pytest.raises(SourceUnavailable, match="sees no GPU"):
        ZeusSource().open(FakeClock())


class FakeZeusGpus:
    def __init__(self, counters: dict[int, bool]) -> None:
        self.counters = counters

    def __len__(self) -> int:
        return len(self.counters)

    def supports_get_total_energy_consumption(self, index: int) -> bool:
        return self.counters[index]

    def get_name(self, index: int) -> str:
        return f"GPU {index}"


class FakeMonitor:
    """As `ZeusMonitor`: a window's state holds the counters at its beginning."""

    def __init__(self, indices: list[int]) -> None:
        self.gpu_indices = indices
        self.measurement_states: dict[str, Any] = {}
        self.joules = 100.0

    def begin_window(self, key: str, *, sync_execution: bool, restart: bool) -> None:
        assert not sync_execution
        assert restart
        self.measurement_states[key] = type("S", (), {"gpu_energy": {0: self.joules}})

    def reset_windows(self) -> None:
        self.measurement_states = {}


@pytest.mark.parametrize(("named", "visible"), [((0,), ""), ((), "0"), ((0,), "0")])
def test_zeus_takes_no_number_that_cuda_may_mean_otherwise(
    monkeypatch: pytest.MonkeyPatch, named: tuple[int, ...], visible: str
) -> None:
    from membench.energy.sources import zeus

    monkeypatch.setattr(zeus, "_gpus", lambda: FakeZeusGpus({0: True}))
    monkeypatch.setattr(zeus, "_monitor", lambda indices: FakeMonitor([0]))
    monkeypatch.setattr(zeus, "device_models", lambda: ["Small", "Big"])
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible) if visible else None
    with pytest.raises(SourceUnavailable, match="not NVML's"):
        ZeusSource(named).open(FakeClock())
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert len(ZeusSource(named).open(FakeClock())) == 1


def test_names_of_devices_are_those_of_the_whole_machine() -> None:
    nvml = FakeNvml([FakeGpu(), FakeGpu("GPU-bbbb", name="Bigger")])
    assert len(device_models(nvml)) == 2
    assert device_models(FakeNvml(init_error=4)) == []


def test_zeus_reads_cumulative_counters_of_named_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    from membench.energy.sources import zeus

    monitor = FakeMonitor([0])
    monkeypatch.setattr(zeus, "_gpus", lambda: FakeZeusGpus({0: True}))
    monkeypatch.setattr(zeus, "_monitor", lambda indices: monitor)
    source = ZeusSource()
    (channel,) = source.open(FakeClock())
    assert channel.provenance is Provenance.MEASURED
    monitor.joules = 130.0
    assert source.read() == [Reading(1000.0, 130.0)]


@pytest.mark.parametrize(
    ("counters", "monitored", "why"),
    [({0: False}, [0], "no energy counter"), ({0: True}, [], "would report 0")],
)
def test_zeus_refuses_devices_it_cannot_count(
    counters: dict[int, bool], monitored: list[int], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from membench.energy.sources import zeus

    monkeypatch.setattr(zeus, "_gpus", lambda: FakeZeusGpus(counters))
    monkeypatch.setattr(zeus, "_monitor", lambda indices: FakeMonitor(monitored))
    with pytest.raises(SourceUnavailable, match=why):
        ZeusSource().open(FakeClock())


# --- codecarbon --------------------------------------------------------------------------------


def components(cpu_mode: str) -> Any:
    """A tracker's hardware, as CodeCarbon names its classes."""
    cpu = type("CPU", (), {"_mode": cpu_mode})()
    return type("Tracker", (), {"_hardware": [type("RAM", (), {})(), cpu, type("GPU", (), {})()]})()


def test_codecarbon_is_labelled_by_what_each_component_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from membench.energy.sources import codecarbon

    monkeypatch.setattr(codecarbon, "under_hypervisor", lambda: False)
    labels = {
        mode: {c.component: c.provenance for _, c in _described(components(mode))}
        for mode in ("intel_rapl", "cpu_load", "constant")
    }
    assert labels["intel_rapl"][Component.CPU] is Provenance.MEASURED
    assert labels["cpu_load"][Component.CPU] is Provenance.MODELLED
    assert labels["constant"][Component.CPU] is Provenance.MODELLED
    assert labels["cpu_load"][Component.GPU] is Provenance.MEASURED
    assert Component.DRAM not in labels["intel_rapl"]


def test_codecarbon_over_emulated_rapl_is_modelled(monkeypatch: pytest.MonkeyPatch) -> None:
    from membench.energy.sources import codecarbon

    monkeypatch.setattr(codecarbon, "under_hypervisor", lambda: True)
    (cpu, _) = (channel for _, channel in _described(components("intel_rapl")))
    assert cpu.provenance is Provenance.MODELLED
    assert cpu.flags == {Flag.VM_RAPL}


@pytest.mark.slow
def test_codecarbon_leaves_no_file_no_lock_and_no_signal_handler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("codecarbon")
    for variable in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    capfd.readouterr()
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    source = CodeCarbonSource("FRA")
    channels = source.open(FakeClock())
    assert len(source.read()) == len(channels)
    source.close()
    assert list(tmp_path.rglob("*")) == []
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_codecarbon_over_faked_rapl_is_measured_and_without_it_modelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library itself, once as this machine is and once over a powercap tree of ours."""
    pytest.importorskip("codecarbon")
    from codecarbon.core import cpu, hardware_cache
    from codecarbon.external.hardware import CPU

    from membench.energy.sources import codecarbon

    def label() -> Provenance:
        hardware_cache.clear_cache()
        source = CodeCarbonSource("FRA")
        channels = source.open(FakeClock())
        source.close()
        return next(c.provenance for c in channels if c.component is Component.CPU)

    monkeypatch.setattr(codecarbon, "under_hypervisor", lambda: False)
    monkeypatch.setattr(cpu, "is_rapl_available", lambda *arguments: False)
    without = label()
    root = powercap(tmp_path / "intel-rapl", {"intel-rapl:0": ("package-0", 5_000_000_000)})
    monkeypatch.setattr(cpu, "is_rapl_available", lambda *arguments: True)
    monkeypatch.setattr(CPU.__init__, "__defaults__", (str(root), "machine", False, False))
    assert (without, label()) == (Provenance.MODELLED, Provenance.MEASURED)
    hardware_cache.clear_cache()


def test_codecarbon_needs_a_country() -> None:
    with pytest.raises(UsageError, match="country code"):
        parse("codecarbon")


# --- remote ------------------------------------------------------------------------------------


def zeusd_pages(path: str) -> bytes | None:
    gpus = [{"id": 0, "name": "H100"}, {"id": 1, "name": "H100"}]
    page, _, query = path.partition("?")
    assert not query or query == "gpu_ids=1"
    return {
        "/discover": orjson.dumps({"gpus": gpus, "cpus": []}),
        "/gpu/get_cumulative_energy": orjson.dumps({"1": {"energy_mj": 2500}}),
        "/gpu/get_power": orjson.dumps({"timestamp_ms": 1, "power_mw": {"1": 90_000}}),
    }.get(page)


def test_zeusd_is_measured_where_the_machine_is_dedicated() -> None:
    with http_server(zeusd_pages) as port:
        source = RemoteSource.parse(f"zeusd://127.0.0.1:{port}?dedicated&gpus=1")
        (channel,) = source.open(FakeClock())
        assert channel.provenance is Provenance.MEASURED
        assert source.read() == [Reading(1000.0, 2.5, 90.0)]


DCGM = b"""# HELP DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION mJ
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a",modelName="H100, SXM"} 7.5e+06
DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-a",modelName="H100, SXM"} 431.5
"""


def test_dcgm_is_modelled_unless_declared_dedicated() -> None:
    with http_server(lambda path: DCGM if path == "/metrics" else None) as port:
        source = RemoteSource.parse(f"dcgm://127.0.0.1:{port}")
        (channel,) = source.open(FakeClock())
        assert channel.provenance is Provenance.MODELLED
        assert Flag.NOT_DEDICATED in channel.flags
        assert channel.period_s == 30.0
        assert source.read() == [Reading(1000.0, 7500.0, 431.5)]


def test_no_address_of_a_server_reaches_a_file() -> None:
    with http_server(zeusd_pages) as port:
        source = RemoteSource.parse(f"zeusd://127.0.0.1:{port}?gpus=1")
        (channel,) = source.open(FakeClock())
        assert "127.0.0.1" not in str(channel.to_json())
    with pytest.raises(SourceUnavailable) as caught:
        source.open(FakeClock())
    assert "127.0.0.1" not in str(caught.value)


def test_prometheus_labels_may_hold_commas_and_quotes() -> None:
    rows = list(prometheus_rows(r'm{a="x,\"y\"",b="2"} 3 1700', "m"))
    assert rows == [({"a": r"x,\"y\"", "b": "2"}, 3.0)]


@contextlib.contextmanager
def sidecar(*sources: EnergySource, token: str = "") -> Iterator[SidecarServer]:
    """A sidecar that serves."""
    with SidecarServer(sources, port=0, token=token) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_our_sidecar_passes_on_its_channels() -> None:
    clock = FakeClock()
    with sidecar(NvmlSource(nvml=FakeNvml()), token="secret") as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MEMBENCH_ENERGY_TOKEN", "secret")
            source = RemoteSource.parse(f"membench://127.0.0.1:{server.port}?dedicated")
        (channel,) = source.open(clock)
        assert channel.id == device_id("GPU-aaaa")
        assert source.read() == [Reading(1000.0, 5000.0, 120.0)]
        stranger = RemoteSource.parse(f"membench://127.0.0.1:{server.port}")
        with pytest.raises(SourceUnavailable, match="401"):
            stranger.open(clock)


class Noted:
    """A source that remembers what was done with it."""

    name = "noted"

    def __init__(self, readings: Sequence[Reading] = (), trouble: Exception | None = None) -> None:
        self.done: list[str] = []
        self._readings, self._trouble = readings, trouble

    def open(self, clock: ReadClock) -> Sequence[Channel]:
        if self._trouble is not None:
            raise self._trouble
        self.done.append("opened")
        return [Channel("x", "noted", Component.GPU, Provenance.MEASURED, "fake")]

    def read(self) -> Sequence[Reading]:
        return self._readings

    def close(self) -> None:
        self.done.append("closed")


@pytest.mark.parametrize("trouble", [SourceUnavailable("no GPU"), OSError("no file")])
def test_where_a_source_cannot_open_the_sidecar_closes_those_that_did(trouble: Exception) -> None:
    first, second = Noted(), Noted(trouble=trouble)
    with pytest.raises(type(trouble)):
        SidecarServer([first, second], port=0)
    assert (first.done, second.done) == (["opened", "closed"], [])


def test_a_sidecar_that_cannot_listen_or_ends_has_closed_its_sources() -> None:
    first, second = Noted(), Noted()
    with SidecarServer([first], port=0) as server, pytest.raises(UsageError, match="cannot listen"):
        SidecarServer([second], port=server.port)
    assert first.done == second.done == ["opened", "closed"]


@pytest.mark.parametrize("header", ["Bearer g\u00e9heim", "Bearer \u00ff\u0000", "\u00e9", ""])
def test_a_header_that_is_no_ascii_shows_no_token(header: str) -> None:
    with SidecarServer([], port=0, token="secret") as server:
        assert not server.allows(header)
        assert not server.allows(None)
        assert server.allows("Bearer secret")


def test_a_token_that_is_no_ascii_is_shown_as_it_is_sent() -> None:
    with sidecar(Noted([Reading(1.0, 2.0)]), token="g\u00e9heim") as server:
        shown = Endpoint("127.0.0.1", server.port, "g\u00e9heim")
        assert shown.get("/channels").startswith(b"[{")
        with pytest.raises(OSError, match="401"):
            Endpoint("127.0.0.1", server.port, "g\u00e8heim").get("/channels")


@pytest.mark.parametrize("count", [0, 2])
def test_readings_that_are_not_one_for_each_channel_are_not_to_be_had(count: int) -> None:
    source = Noted([Reading(1.0, 2.0)] * count)
    with sidecar(source) as server, pytest.raises(OSError, match="answered 503"):
        Endpoint("127.0.0.1", server.port).get("/read")


def test_what_a_source_says_of_its_trouble_is_one_line_of_the_reply() -> None:
    assert one_line(OSError("no\r\nSet-Cookie: r\u00e9sum\u00e9")) == (
        "no Set-Cookie: r\\xe9sum\\xe9"
    )


def test_the_sidecar_wants_a_token_off_loopback() -> None:
    with pytest.raises(UsageError, match="needs a token"):
        SidecarServer([], host="0.0.0.0", port=0)


def test_a_taken_port_is_a_usage_error() -> None:
    with (
        SidecarServer([], port=0) as first,
        pytest.raises(UsageError, match="cannot listen"),
    ):
        SidecarServer([], port=first.port)


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with http_server(lambda path: None) as port:
        for kind in ("zeusd", "dcgm", "membench"):
            with pytest.raises(SourceUnavailable, match="does not answer"):
                RemoteSource.parse(f"{kind}://127.0.0.1:{port}").open(FakeClock())


@pytest.mark.parametrize("body", [b"", b"{}", b'{"gpus": 3}', b"not json"])
def test_nonsense_from_a_server_is_unavailable(body: bytes) -> None:
    with http_server(lambda path: body) as port, pytest.raises(SourceUnavailable):
        RemoteSource.parse(f"zeusd://127.0.0.1:{port}").open(FakeClock())


# --- replay ------------------------------------------------------------------------------------


def test_a_replay_starts_now_keeps_its_labels_and_ends_with_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "energy.jsonl"
    write_log(log_of(steady(100, 10)), path)
    clock = FakeClock(5000.0)
    source = ReplaySource(path)
    (channel,) = source.open(clock)
    assert channel.provenance is Provenance.MEASURED
    assert Flag.REPLAYED in channel.flags
    clock.now += 3.0
    (reading,) = source.read()
    assert reading.t == pytest.approx(5003.0, abs=0.11)
    assert reading.joules == pytest.approx(300.0, abs=11)
    clock.now += 30.0
    assert source.read() == [Reading(5033.0, None, None)]


def test_a_malformed_trace_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "energy.jsonl"
    write_log(log_of(steady(100, 1)), path)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:4], b"{oops", *lines[4:]]) + b"\n")
    with pytest.raises(DataError, match="line 5"):
        ReplaySource(path).open(FakeClock())
    with pytest.raises(DataError, match="cannot be read"):
        ReplaySource(tmp_path / "absent.jsonl").open(FakeClock())


# --- choosing ----------------------------------------------------------------------------------


class Fixed:
    """A source with given channels."""

    def __init__(self, name: str, *channels: Channel, why: str = "not here") -> None:
        self.name, self.channels, self.why = name, channels, why

    def open(self, clock: Any) -> tuple[Channel, ...]:
        if not self.channels:
            raise SourceUnavailable(self.why)
        return self.channels

    def read(self) -> list[Reading]:
        return [Reading(0.0, 1.0) for _ in self.channels]

    def close(self) -> None:
        pass


def parsers(**sources: Fixed) -> Any:
    return {
        name: SourceCard(name, lambda _, s=source: s, automatic=get_source(name).automatic)
        for name, source in sources.items()
    }


CPU = gpu_channel(id="rapl:package-0", component=Component.CPU, method="RAPL")


def test_auto_takes_every_sensor_of_the_strongest_label_and_says_so() -> None:
    both = parsers(nvml=Fixed("nvml", gpu_channel()), rapl=Fixed("rapl", CPU))
    assert choose("auto", both).names == ("nvml", "rapl")
    guest = replace(CPU, provenance=Provenance.MODELLED)
    weaker = choose("auto", parsers(nvml=Fixed("nvml", gpu_channel()), rapl=Fixed("rapl", guest)))
    assert weaker.names == ("nvml",)
    assert "weaker label" in weaker.notes[2]


def test_auto_with_nothing_to_read_picks_nothing_and_says_why() -> None:
    selection = choose("auto", parsers(nvml=Fixed("nvml"), rapl=Fixed("rapl")))
    assert selection.sources == ()
    assert selection.names == ("none",)
    assert selection.notes[0] == "auto picked nothing: joules are null"
    assert all("not here" in line for line in selection.notes[1:])


@pytest.mark.parametrize("spec", ["nvml", "nvml+cpu:7", "mixed:cpu:7+nvml"])
def test_a_named_source_that_is_not_there_is_refused_with_the_reason(spec: str) -> None:
    cards = {**parsers(nvml=Fixed("nvml", why="no driver")), "cpu": get_source("cpu")}
    with pytest.raises(UsageError, match=r"nvml cannot be read here: no driver"):
        choose(spec, cards)


def test_unlike_labels_have_to_be_asked_for() -> None:
    cards = {**parsers(rapl=Fixed("rapl", gpu_channel())), "cpu": get_source("cpu")}
    with pytest.raises(UsageError, match="mixed:"):
        choose(
            "rapl+cpu:7", {**parsers(rapl=Fixed("rapl", gpu_channel())), "cpu": get_source("cpu")}
        )
    assert choose("mixed:rapl+cpu:7", cards).allow_mixed


def test_one_component_cannot_be_counted_twice() -> None:
    both = parsers(nvml=Fixed("nvml", gpu_channel()), zeus=Fixed("zeus", gpu_channel()))
    with pytest.raises(UsageError, match="both count gpu"):
        choose("nvml+zeus", both)


@pytest.mark.parametrize(
    "spec", ["cpu", "cpu:abc", "cpu:-1", "cpu:nan", "cpu:inf", "rapl:0", "none:x", "zeus:a",
             "nvml:pid=x", "remote:http://x", "remote:zeusd:", "replay:", "estimate:H100,pue=x"],
)  # fmt: skip
def test_a_wrong_argument_is_a_usage_error(spec: str) -> None:
    with pytest.raises(UsageError):
        choose(spec)


def test_an_unknown_source_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'nvml'"):
        choose("nvlm")


def test_a_source_that_breaks_on_its_first_reading_is_not_chosen() -> None:
    class Broken(Fixed):
        def read(self) -> list[Reading]:
            raise OSError("gone")

    assert probe(Broken("x", gpu_channel())).channels == ()


@pytest.mark.slow
def test_doctor_has_a_line_for_every_source() -> None:
    rows = doctor()
    assert [row.name for row in rows] == list(list_sources())
    assert all(row.says for row in rows)
    states = {row.name: row.state for row in rows}
    assert states["cpu"] == states["remote"] == states["replay"] == "on request"
    assert states["none"] == "not here"
    assert states["estimate"] == "estimated"


def test_doctor_says_what_auto_takes() -> None:
    found = automatic()
    assert found.says.startswith("auto picked ")
    assert found.ready == (found.label in {"measured", "modelled"})


# --- the registry ------------------------------------------------------------------------------


class Point:
    """An entry point as `importlib.metadata` gives it."""

    def __init__(self, name: str, card: object) -> None:
        self.name, self.card = name, card

    def load(self) -> object:
        return self.card


def installed(monkeypatch: pytest.MonkeyPatch, *points: Point) -> None:
    def entry_points(group: str) -> list[Point]:
        return list(points) if group == "membench.energy_sources" else []

    monkeypatch.setattr("membench.energy.sources.registry.entry_points", entry_points)


def test_a_source_of_another_distribution_is_chosen_by_name_and_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def parse(argument: str) -> Fixed:
        asked.append(argument)
        return Fixed("plug", gpu_channel(component=Component.CPU))

    installed(monkeypatch, Point("plug", SourceCard("plug", parse)))
    assert choose("plug:socket").names == ("plug",)
    assert asked == ["socket"]
    assert "plug" in [row.name for row in doctor()]
    with pytest.raises(UnknownName, match="Did you mean 'plug'"):
        choose("plog")


def test_auto_tries_a_sensor_of_another_distribution_where_its_card_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sensor = Fixed("plug", gpu_channel(component=Component.CPU))
    card = SourceCard("plug", lambda _: sensor, automatic=True)
    installed(monkeypatch, Point("plug", card), Point("model", replace(card, automatic=False)))
    assert any(line.startswith("plug: ") for line in choose("auto", {"plug": card}).notes)


@pytest.mark.parametrize("found", ["no card", SourceCard("other", lambda _: Fixed("x"))])
def test_what_is_registered_and_is_no_source_of_that_name_is_said_to_be_none(
    found: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, Point("plug", found))
    with pytest.raises(UsageError, match="no SourceCard of that name"):
        choose("plug")


def test_a_module_is_a_source_if_it_exports_one(tmp_path: Path) -> None:
    (tmp_path / "meter.py").write_text("X = 1\nSOURCE = X\n")
    (tmp_path / "helper.py").write_text("X = 'SOURCE'\n")
    assert module_names(tmp_path) == ["meter"]


@pytest.mark.parametrize(
    ("spec", "public"),
    [
        ("nvml:0,1", "nvml:0,1"),
        ("remote:zeusd://secret:4938", "remote"),
        ("replay:energy.jsonl", "replay"),
        ("mixed:nvml+plug:/dev/tty0", "mixed:nvml+plug"),
        ("plug:host.example:99", "plug"),
        ("cpu:7.5", "cpu:7.5"),
    ],
)
def test_no_place_of_any_source_reaches_a_manifest(spec: str, public: str) -> None:
    assert without_places(spec) == public
