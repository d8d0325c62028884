"""What is known of hosted systems before anything is called, and what their clients share."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from membench.adapters.environment.keys import key_variables, without_keys
from membench.adapters.environment.worker import service
from membench.adapters.environment.worker.service import ServiceFault, answered, asked_pause
from membench.adapters.hosted import round_trip_ms
from membench.adapters.registry import SystemCard, get_card, list_systems
from membench.adapters.scaffold import new_system
from membench.cli.output.conformance import print_conformance
from membench.domain.case import CaseInfo
from membench.domain.errors import DataError, UsageError
from membench.harness.run import start
from membench.records.spec import ExecOptions, RunSpec
from membench.testing.conformance import Report
from membench.testing.release_check import check_release
from membench.testing.stored import LOOPBACK, read_stored, service_of, write_stored

HOSTED = [card for card in list_systems().values() if card.hosted]
REQUEST = httpx.Request("POST", "https://memory.example/add")


@pytest.mark.parametrize("card", HOSTED, ids=lambda card: card.name)
def test_a_missing_key_is_one_message_before_anything_is_made(
    card: SystemCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (variable,) = card.worker.keys
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UsageError, match=f"needs a key in {variable}, which is not set"):
        start(RunSpec(card.name, "locomo", "sample"), ExecOptions(out=tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("card", HOSTED, ids=lambda card: card.name)
def test_a_card_says_what_was_not_verified(card: SystemCard) -> None:
    said = " ".join(card.deviations)
    assert "not verified against the live service" in said
    notes = (card.folder / "README.md").read_text(encoding="utf-8")
    for heading in ("## How it is run", "## Dates", "## Where the tests come from", "## Reproduce"):
        assert heading in notes


@pytest.mark.parametrize("card", HOSTED, ids=lambda card: card.name)
def test_a_stored_conformance_says_what_answered(card: SystemCard) -> None:
    stored = read_stored(card)
    assert stored is not None, "see loopback_protocols.py"
    assert stored.current
    assert stored.service == LOOPBACK
    assert "failed" not in stored.summary
    assert stored.summary.endswith(LOOPBACK)


def test_a_report_names_the_machine_of_the_service(tmp_path: Path) -> None:
    card = replace(get_card("zep"), folder=tmp_path)
    (tmp_path / "requirements.lock").touch()
    assert service_of(card, {}) == "api.getzep.com"
    assert service_of(card, {"base_url": "http://127.0.0.1:80/api/v4"}) == LOOPBACK
    assert service_of(get_card("bm25"), {}) == ""
    write_stored(card, Report("zep", card.version, ()), "none", "api.getzep.com")
    stored = read_stored(card)
    assert stored is not None
    assert stored.summary == "0 passed, answered by api.getzep.com"


def test_only_where_a_service_is_may_be_set_for_a_stored_result() -> None:
    given = {"base_url": "http://127.0.0.1:9", "timeout_s": 1.0}
    with pytest.raises(UsageError, match="defaults"):
        print_conformance("zep", given, write=True, as_json=False)


def test_only_the_key_of_a_system_reaches_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEP_API_KEY", "z-secret")
    monkeypatch.setenv("MEM0_API_KEY", "m-secret")
    zep = get_card("zep")
    assert key_variables(zep) == {"ZEP_API_KEY": "z-secret"}
    assert key_variables(get_card("bm25")) == {}
    assert without_keys("401: no such key z-secret", zep) == "401: no such key [key]"


def test_a_hosted_card_says_where_it_is(tmp_path: Path) -> None:
    file = new_system("mine", tmp_path) / "system.toml"
    text = file.read_text().replace('fidelity = "native"', 'fidelity = "hosted"')
    assert "hosted" in text
    file.write_text(text)
    with pytest.raises(DataError, match="'base_url'"):
        get_card(str(file.parent))


def test_a_client_of_a_service_is_no_release_to_check(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a hosted service"):
        check_release(get_card("zep"), None, tmp_path, print)


def test_what_runs_here_has_no_distance_and_what_does_not_answer_neither() -> None:
    assert round_trip_ms(get_card("bm25"), {}) is None
    assert round_trip_ms(get_card("zep"), {"base_url": "http://127.0.0.1:9"}) is None


def test_two_runs_of_a_case_have_two_names() -> None:
    case = CaseInfo("0123456789abcdef", "locomo")
    names = {service.fresh_name(case) for _ in range(10)}
    assert len(names) == 10
    assert all(name.startswith("membench-0123456789abcdef-") for name in names)


@pytest.mark.parametrize(
    ("header", "attempt", "seconds"),
    [
        ("7", 0, 7),
        ("0", 5, 0),
        ("-3", 0, 0),
        (None, 0, 0.1),
        (None, 3, 0.8),
        (None, 30, 10),
        ("soon", 1, 0.2),
    ],
)
def test_a_pause_is_what_the_service_says_else_twice_the_last(
    header: str | None, attempt: int, seconds: float
) -> None:
    assert asked_pause(header, attempt) == pytest.approx(seconds)


def test_a_pause_may_be_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < asked_pause(later, 0) <= 30
    assert asked_pause(format_datetime(datetime.now(UTC) - timedelta(hours=1)), 0) == 0


@pytest.mark.parametrize(
    ("status", "headers", "calls"),
    [(429, {}, 2), (503, {"Retry-After": "0"}, 2), (503, {}, 1), (401, {}, 1)],
)
def test_only_what_was_refused_unheard_is_asked_again(
    status: int, headers: dict[str, str], calls: int
) -> None:
    """A 503 without Retry-After may have stored half of what was sent."""
    replies = [httpx.Response(status, headers=headers, text="no"), httpx.Response(200)]
    seen = []

    def send(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return replies[len(seen) - 1]

    if calls == 1:
        with pytest.raises(ServiceFault, match=f"POST /add: status {status}: no"):
            answered(send, REQUEST, 5)
    else:
        assert answered(send, REQUEST, 5).status_code == 200
    assert len(seen) == calls
