"""A release is compared with what is stored of the one before, count by count."""

from dataclasses import replace
from pathlib import Path

import pytest

from membench.adapters.registry import get_card
from membench.domain.errors import DataError, Reason, SystemFault, UsageError
from membench.domain.labels import Phase, Role
from membench.experiments.profile import LengthProfile, PhaseProfile, Profile, RoleProfile
from membench.testing import release_check
from membench.testing.conformance import CheckResult
from membench.testing.stored import read_stored


def made(calls: int) -> Profile:
    role = RoleProfile(calls, 100 * calls, 10, 0, 0)
    phases = {Phase.INGEST: PhaseProfile(2, {Role.MEMORY: role}, 0.5, 0.5)}
    length = LengthProfile(20, 500, 10, phases, 100, 1000, 0, 0.1, 50.0)
    return Profile("toy", "1", None, {}, "0", "none", (length,), None, None)


def test_pins_become_floors_but_for_pytorch(tmp_path: Path) -> None:
    file = tmp_path / "requirements.in"
    file.write_text("graph-core[kuzu]==0.3.1\nkuzu==0.11.3\nnumpy>=2\ntorch==2.13.0+cpu\n")
    assert release_check.relax(file) == "graph-core"
    floors = ["graph-core[kuzu]>=0.3.1", "kuzu>=0.11.3", "numpy>=2", "torch==2.13.0+cpu"]
    assert file.read_text().split() == floors


def test_a_folder_whose_package_is_not_pinned_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "requirements.in"
    file.write_text("kuzu>=0.11\n")
    with pytest.raises(DataError, match="line 1"):
        release_check.relax(file)


@pytest.mark.parametrize("name", ["mem0", "graphiti", "langmem", "qdrant", "simplemem"])
def test_the_requirements_of_our_packages_can_be_relaxed(name: str, tmp_path: Path) -> None:
    file = tmp_path / "requirements.in"
    file.write_text((get_card(name).folder / "requirements.in").read_text())
    assert release_check.relax(file)


def test_equal_counts_are_no_difference_whatever_the_seconds() -> None:
    slower = made(3)
    phases = {Phase.INGEST: replace(slower.lengths[0].phases[Phase.INGEST], cpu_s=9.0)}
    slower = replace(slower, lengths=(replace(slower.lengths[0], phases=phases),))
    assert list(release_check.profiles_differ(made(3), slower)) == []


def test_other_counts_name_phase_role_and_length() -> None:
    (line,) = release_check.profiles_differ(made(3), made(4))
    assert line == "ingest, memory, 20 turns: 3 calls, 310 tokens -> 4 calls, 410 tokens"


def test_a_check_that_fails_now_is_a_difference_with_its_reason() -> None:
    card = get_card("mem0")
    stored = read_stored(card)
    assert stored is not None
    now = [
        CheckResult(result.name, "failed", "forgets") if result.name == "isolation" else result
        for result in stored.results
    ]
    (line,) = release_check.checks_differ(card, tuple(now), stored.replay)
    assert line == "isolation: passed -> failed: forgets"


def test_a_check_that_is_newer_than_the_stored_report_says_nothing_of_the_release() -> None:
    card = get_card("mem0")
    stored = read_stored(card)
    assert stored is not None
    newer = (*stored.results, CheckResult("colour", "warned", "none"))
    assert list(release_check.checks_differ(card, newer, stored.replay)) == []
    assert list(release_check.checks_added(card, newer)) == ["colour warned"]
    failing = (*stored.results, CheckResult("colour", "failed", "none"))
    (line,) = release_check.checks_differ(card, failing, stored.replay)
    assert line == "colour: not checked -> failed: none"


def test_a_built_in_system_has_no_releases(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no releases"):
        release_check.check_release(get_card("bm25"), None, tmp_path, lambda _: None)


def test_a_release_that_cannot_be_played_is_told_with_the_checks_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's newest release no longer holds what the adapter imports."""
    card = get_card("qdrant")
    stored = read_stored(card)
    assert stored is not None
    failed = tuple(
        CheckResult(r.name, "failed", "no module") if r.name == "isolation" else r
        for r in stored.results
    )
    gone = SystemFault(Reason.SYSTEM_ERROR, "ModuleNotFoundError: No module named 'qdrant_client'")

    def unplayable(*_: object) -> Profile:
        raise gone

    monkeypatch.setattr(release_check, "resolve", lambda *_: "99.0")
    monkeypatch.setattr(release_check.environments, "ensure", lambda *_: None)
    monkeypatch.setattr(
        release_check,
        "check_package",
        lambda *_, **__: (replace(stored, results=failed), stored.replay),
    )
    monkeypatch.setattr(release_check.profile, "measure", unplayable)
    found = release_check.check_release(card, made(3), tmp_path, lambda _: None)
    assert not found.same
    assert found.profile is None
    assert found.differences == ("isolation: passed -> failed: no module", f"profile: {gone}")
