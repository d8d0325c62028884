"""Checks of packages that look at the machine around the package."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from membench.adapters.registry import get_card
from membench.testing import packages
from membench.testing.packages import (
    PackageTrial,
    dates_reach_it,
    embedding_widths,
    nothing_written_outside,
)
from membench.testing.subject import NotApplicable, Violation
from membench.testing.trial import Trial

Play = Callable[..., Trial]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def writing(home: Path, names: Sequence[str]) -> Play:
    """Plays nothing; meanwhile the next of these files appears at home."""
    left = list(names)

    def play(*_: object, **__: object) -> Trial:
        if left:
            (home / left.pop(0)).touch()
        return Trial("toy", sandbox_violations={"outside": [], "refused": []})

    return play


def test_a_package_that_writes_at_home_is_found(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "play", writing(home, (".toy-1", ".toy-2")))
    with pytest.raises(Violation, match="toy-2"):
        nothing_written_outside(PackageTrial(get_card("qdrant"), {}))


def test_what_somebody_else_writes_meanwhile_is_not_the_package(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "play", writing(home, (".sem-of-another",)))
    said = nothing_written_outside(PackageTrial(get_card("qdrant"), {}))
    assert said == "home folder and shared memory unchanged"


@pytest.mark.skipif(os.getuid() != 0, reason="every file is the same user's")
def test_a_file_of_roots_is_not_of_a_package_that_does_not_run_as_root(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "play", writing(home, (".root-1", ".root-2")))
    said = nothing_written_outside(PackageTrial(get_card("letta"), {}))
    assert said == "home folder and shared memory unchanged"


def test_a_package_is_checked_with_the_settings_that_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played = []

    def play(*_: object, **given: object) -> Trial:
        played.append(given["parameters"])
        return Trial("toy")

    monkeypatch.setattr(packages, "play", play)
    bench = PackageTrial(get_card("chroma"), {"index": "other"})
    assert bench.first is bench.first
    packages.replay_class(bench)
    assert played == [{"index": "other"}] * (2 + packages.REPLAYS)


def test_what_answers_by_itself_recalls_nothing_that_could_be_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages, "play", lambda *_, **__: Trial("toy"))
    bench = PackageTrial(get_card("memoryllm"), {})
    with pytest.raises(NotApplicable, match="recalls nothing"):
        embedding_widths(bench)
    with pytest.raises(NotApplicable, match="cannot be read"):
        dates_reach_it(bench)
    with pytest.raises(Violation, match="in no request"):
        dates_reach_it(PackageTrial(get_card("chroma"), {}))
