"""`remote:URL`: counters of the machine that serves the models, read over HTTP.

Three kinds of server: `zeusd://host:4938` (or `zeusd:///run/zeusd.sock`), `dcgm://host:9400` (the
DCGM exporter's energy field) and `membench://host:4939` (our sidecar, `membench energy serve`).
Options follow the URL: `?dedicated` says that the machine serves this run and nothing else, without
which the label is `modelled`; `&gpus=0,1` restricts the devices.

Neither channels nor messages name the server's address: they end up in published files.

Readings are stamped with our clock at the middle of the request, so the other machine's clock does
not matter. A scrape of the DCGM exporter forces no reading of the hardware: its period is long.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import parse_qs

import orjson

from membench.domain.clock import ReadClock
from membench.domain.errors import UsageError
from membench.domain.labels import Provenance
from membench.energy.figure import Component, Flag
from membench.energy.samples import Channel
from membench.energy.sources.base import Reading, SourceUnavailable, device_id
from membench.energy.sources.card import SourceCard, spelled
from membench.energy.sources.http import Endpoint

DCGM_FIELD = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
DCGM_POWER = "DCGM_FI_DEV_POWER_USAGE"
DCGM_PERIOD_S = 30.0
RELATIVE_SD = 0.05


class _Protocol(Protocol):
    """One kind of server: what it has, and one reading of each."""

    def channels(self) -> Sequence[Channel]: ...
    def joules(self) -> Mapping[str, tuple[float | None, float | None]]: ...


@dataclass
class Zeusd:
    """The Zeus daemon: cumulative millijoules by GPU index."""

    endpoint: Endpoint
    gpus: tuple[str, ...]
    _ids: list[int] = field(default_factory=list)

    def channels(self) -> Sequence[Channel]:
        """One per GPU that the daemon shows."""
        found = orjson.loads(self.endpoint.get("/discover"))["gpus"]
        self._ids = [g["id"] for g in found if not self.gpus or str(g["id"]) in self.gpus]
        names = {g["id"]: g["name"] for g in found}
        return [_gpu(f"gpu:zeusd-{i}", f"zeusd, {names[i]}", 0.1) for i in self._ids]

    def joules(self) -> Mapping[str, tuple[float | None, float | None]]:
        """Joules and watts by channel id."""
        query = "gpu_ids=" + ",".join(map(str, self._ids))
        energy = orjson.loads(self.endpoint.get(f"/gpu/get_cumulative_energy?{query}"))
        power = orjson.loads(self.endpoint.get(f"/gpu/get_power?{query}"))["power_mw"]
        return {
            f"gpu:zeusd-{i}": (
                _milli(energy.get(str(i), {}).get("energy_mj")),
                _milli(power.get(str(i))),
            )
            for i in self._ids
        }


@dataclass
class Dcgm:
    """The DCGM exporter: a page of Prometheus text."""

    endpoint: Endpoint
    gpus: tuple[str, ...]

    def channels(self) -> Sequence[Channel]:
        """One per GPU with the energy field."""
        rows = list(self._rows(DCGM_FIELD))
        return [
            _gpu(
                device_id(labels["UUID"]), f"DCGM, {labels.get('modelName', 'GPU')}", DCGM_PERIOD_S
            )
            for labels, _ in rows
        ]

    def joules(self) -> Mapping[str, tuple[float | None, float | None]]:
        """Joules and watts by channel id."""
        power = {labels["UUID"]: value for labels, value in self._rows(DCGM_POWER)}
        return {
            device_id(labels["UUID"]): (value / 1000.0, power.get(labels["UUID"]))
            for labels, value in self._rows(DCGM_FIELD)
        }

    def _rows(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        for labels, value in prometheus_rows(self.endpoint.get("/metrics").decode(), name):
            chosen = not self.gpus or labels.get("gpu") in self.gpus
            if chosen and "UUID" in labels and not labels.get("GPU_I_PROFILE"):
                yield labels, value


@dataclass
class Sidecar:
    """Our own sidecar, which passes on the channels of its sources."""

    endpoint: Endpoint
    gpus: tuple[str, ...]

    def channels(self) -> Sequence[Channel]:
        """The sidecar's channels, marked as remote."""
        found = [Channel.from_json(row) for row in orjson.loads(self.endpoint.get("/channels"))]
        return [
            replace(c, method=f"{c.method}, by sidecar") for c in found
            if not self.gpus or str(c.facts.get("index")) in self.gpus
        ]  # fmt: skip

    def joules(self) -> Mapping[str, tuple[float | None, float | None]]:
        """Joules and watts by channel id."""
        rows = orjson.loads(self.endpoint.get("/read"))
        return {row["id"]: (row["joules"], row["watts"]) for row in rows}


_SERVERS: Mapping[str, tuple[type[Zeusd] | type[Dcgm] | type[Sidecar], int, str]] = {
    "zeusd": (Zeusd, 4938, "ZEUSD_TOKEN"),
    "dcgm": (Dcgm, 9400, ""),
    "membench": (Sidecar, 4939, "MEMBENCH_ENERGY_TOKEN"),
}


class RemoteSource:
    """Reads counters over HTTP.

    Args:
        server: Which server, where.
        dedicated: Whether the machine serves this run and nothing else.
    """

    name = "remote"

    def __init__(self, server: _Protocol, where: str, dedicated: bool) -> None:
        """Remember where to ask."""
        self._server = server
        self._where = where
        self._dedicated = dedicated
        self._ids: list[str] = []
        self._clock: ReadClock = lambda: 0.0

    @classmethod
    def parse(cls, argument: str) -> RemoteSource:
        """From the part of the spec after `remote:`.

        Raises:
            UsageError: It is no URL of a known kind of server.
        """
        kind, _, rest = argument.partition(":")
        address, _, query = rest.partition("?")
        if kind not in _SERVERS:
            raise UsageError(
                f"{spelled('remote', argument)}: not a sensor server",
                "zeusd://host:4938, dcgm://host:9400 or membench://host:4939, then ?dedicated.",
            )
        server, port, variable = _SERVERS[kind]
        options = parse_qs(query, keep_blank_values=True)
        try:
            endpoint = Endpoint.parse(address, port, os.environ.get(variable, ""))
        except ValueError as error:
            raise UsageError(f"{spelled('remote', argument)}: {error}") from error
        gpus = tuple(options.get("gpus", [""])[0].split(",")) if options.get("gpus") else ()
        return cls(server(endpoint, gpus), kind, "dedicated" in options)

    def open(self, clock: ReadClock) -> Sequence[Channel]:
        """Ask the server what it has.

        Raises:
            SourceUnavailable: It does not answer, or has no energy counter.
        """
        self._clock = clock
        try:
            channels = self._server.channels()
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise SourceUnavailable(
                f"{self._where} does not answer with energy: {error}",
                "Is the server running, and reachable from here?",
            ) from error
        if not channels:
            raise SourceUnavailable(f"{self._where} has no energy counter")
        self._ids = [channel.id for channel in channels]
        return [self._labelled(channel) for channel in channels]

    def _labelled(self, channel: Channel) -> Channel:
        if self._dedicated:
            return replace(channel, source=self.name)
        label = max(channel.provenance, Provenance.MODELLED, key=tuple(Provenance).index)
        flags = channel.flags | {Flag.NOT_DEDICATED}
        method = f"{channel.method}, machine not declared dedicated"
        return replace(channel, source=self.name, provenance=label, flags=flags, method=method)

    def read(self) -> Sequence[Reading]:
        """Ask for every counter; stamped with the middle of the request.

        Raises:
            OSError: The server does not answer, or not with numbers.
        """
        asked = self._clock()
        try:
            values = self._server.joules()
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise OSError(f"{self._where}: not a reading: {error}") from error
        t = (asked + self._clock()) / 2
        return [Reading(t, *values.get(channel, (None, None))) for channel in self._ids]

    def close(self) -> None:
        """Connections are not kept."""


def prometheus_rows(text: str, name: str) -> Iterator[tuple[dict[str, str], float]]:
    """Labels and value of every sample of a metric in Prometheus text.

    Raises:
        ValueError: A value is no number.
    """
    for line in text.splitlines():
        if not line.startswith(name + "{"):
            continue
        labels, _, value = line[len(name) + 1 :].rpartition("}")
        yield dict(_labels(labels)), float(value.split()[0])


def _labels(text: str) -> Iterator[tuple[str, str]]:
    """`a="x",b="y"` as pairs; commas and escaped quotes may stand inside the quotes."""
    yield from re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', text)


def _gpu(device: str, method: str, period_s: float) -> Channel:
    return Channel(
        id=device,
        source="remote",
        component=Component.GPU,
        provenance=Provenance.MEASURED,
        method=method,
        period_s=period_s,
        relative_sd=RELATIVE_SD,
        facts={"tick_assumed": True},
    )


def _milli(value: Any) -> float | None:
    return None if value is None else float(value) / 1000.0


SOURCE = SourceCard(
    "remote",
    RemoteSource.parse,
    needs="a sensor server: remote:zeusd://host:4938?dedicated",
    label=Provenance.MEASURED,
)
