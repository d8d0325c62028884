"""Hosted services, by the vendors' own clients, against servers that speak their protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from histories import CASE, session
from installed_packages import ensure_or_skip
from loopback_protocols import SERVICES
from loopback_service import KEY, Service, serving

from membench.adapters.registry import checked_parameters, create, get_card
from membench.domain.errors import Reason, SystemFault, UsageError
from membench.domain.system import Query, SystemContext
from membench.harness.run import start
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.conformance import render, run_conformance
from membench.tokens import count_tokens


@dataclass
class Hosted:
    """A hosted system whose service runs here.

    Attributes:
        name: The system.
        service: What answers it.
        url: Where.
        folder: Of the test.
    """

    name: str
    service: Service
    url: str
    folder: Path

    def system(self, **given: Any) -> Any:
        """A fresh instance, in its worker."""
        card = get_card(self.name)
        parameters = checked_parameters(card, {"base_url": self.url, **given})
        return create(card, SystemContext(parameters, 0, self.folder, count_tokens, {}))

    def spec(self, **given: Any) -> RunSpec:
        """A run on a short dialogue."""
        return RunSpec(self.name, "locomo", "sample", set={"base_url": self.url, **given})


@pytest.fixture(params=SERVICES)
def hosted(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Hosted]:
    """Each service, with its client's environment; skipped where that cannot be fetched."""
    card = get_card(request.param)
    ensure_or_skip(card)
    kind, path = SERVICES[card.name]
    (variable,) = card.worker.keys
    monkeypatch.setenv(variable, KEY)
    with serving(service := kind()) as url:
        yield Hosted(card.name, service, url + path, tmp_path)


pytestmark = [pytest.mark.packages, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_service_keeps_the_contract_and_forgets_every_case(hosted: Hosted) -> None:
    hosted.service.polls = 0
    report = run_conformance(hosted.name, {"base_url": hosted.url})
    assert report.passed, render(report)
    assert "WARNING" not in render(report)
    assert hosted.service.stored == {}


def test_a_session_is_stored_when_the_service_has_worked_it_in(hosted: Hosted) -> None:
    hosted.service.polls = 3
    with closing(hosted.system()) as system:
        system.reset(CASE)
        assert system.ingest(session(0, ["a cat named Tom"])) is None
        (found,) = system.recall(Query("cat", 5))
        assert "a cat named Tom" in found.text
        assert found.sources
        assert found.time is not None and found.time.year < 2026
        assert system.resources() == {}
    assert max(hosted.service.asked.values()) == 4


def test_a_busy_service_is_asked_again_when_it_says(hosted: Hosted) -> None:
    with closing(hosted.system()) as system:
        system.reset(CASE)
        hosted.service.busy = 3
        system.ingest(session(0, ["a cat"]))
        assert system.recall(Query("cat", 5))
    assert hosted.service.busy == 0


def test_a_service_that_stays_busy_is_a_fault_of_its_own(hosted: Hosted) -> None:
    with closing(hosted.system(rate_limit_s=0.2)) as system:
        system.reset(CASE)
        hosted.service.busy, hosted.service.retry_after = 10**6, "60"
        with pytest.raises(SystemFault, match="429") as fault:
            system.ingest(session(0, ["a cat"]))
        hosted.service.busy = 0
    assert fault.value.reason == Reason.PROVIDER_RATE_LIMIT


def test_work_that_never_ends_is_a_timeout(hosted: Hosted) -> None:
    hosted.service.polls = None
    with closing(hosted.system(processing_s=0.3)) as system:
        system.reset(CASE)
        with pytest.raises(SystemFault, match="not done after") as fault:
            system.ingest(session(0, ["a cat"]))
    assert fault.value.reason == Reason.SYSTEM_TIMEOUT
    assert hosted.service.stored == {}


def test_work_that_fails_is_an_error(hosted: Hosted) -> None:
    hosted.service.fails = True
    with closing(hosted.system()) as system:
        system.reset(CASE)
        with pytest.raises(SystemFault, match="failed") as fault:
            system.ingest(session(0, ["a cat"]))
    assert fault.value.reason == Reason.SYSTEM_ERROR


def test_a_run_has_no_joules_says_how_far_it_is_and_keeps_no_key(hosted: Hosted) -> None:
    hosted.service.polls = 0
    made = start(hosted.spec(), ExecOptions(out=hosted.folder, energy="cpu:7.5"))
    assert made.complete
    manifest = made.run.manifest()
    assert manifest.system.fidelity == "hosted"
    assert manifest.round_trip_ms is not None and manifest.round_trip_ms > 0
    assert made.summary.energy.total.joules is None
    assert "its maker's machines" in json.dumps(manifest.energy)
    for file in made.run.path.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file
    assert hosted.service.stored == {}


def test_a_key_that_is_refused_is_said_before_there_is_a_run(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    (variable,) = get_card(hosted.name).worker.keys
    monkeypatch.setenv(variable, "another-secret")
    with pytest.raises(UsageError, match="401") as refused:
        start(hosted.spec(), ExecOptions(out=hosted.folder / "runs"))
    assert variable in refused.value.remedy
    assert "another-secret" not in str(refused.value)
    assert not (hosted.folder / "runs").exists()
