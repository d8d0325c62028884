"""Checks of packages that look at the machine around the package."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from membench.adapters.registry import get_card
from membench.testing import packages
from membench.testing.packages import PackageTrial, nothing_written_outside
from membench.testing.subject import Violation
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
        nothing_written_outside(PackageTrial(get_card("qdrant")))


def test_what_somebody_else_writes_meanwhile_is_not_the_package(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "play", writing(home, (".sem-of-another",)))
    said = nothing_written_outside(PackageTrial(get_card("qdrant")))
    assert said == "home folder and shared memory unchanged"


@pytest.mark.skipif(os.getuid() != 0, reason="every file is the same user's")
def test_a_file_of_roots_is_not_of_a_package_that_does_not_run_as_root(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "play", writing(home, (".root-1", ".root-2")))
    said = nothing_written_outside(PackageTrial(get_card("letta")))
    assert said == "home folder and shared memory unchanged"
