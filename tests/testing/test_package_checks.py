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


def writing(home: Path, names: Sequence[str], owner: int = os.getuid()) -> Play:
    """Plays nothing; meanwhile the next of these files, of a user, appears at home."""
    left = list(names)

    def play(*_: object, **__: object) -> Trial:
        if left:
            path = home / left.pop(0)
            path.touch()
            os.chown(path, owner, -1)
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


NOBODY = 65534


@pytest.mark.skipif(os.getuid() != 0, reason="every file is the same user's")
@pytest.mark.parametrize(("package", "owner"), [("letta", 0), ("qdrant", NOBODY)])
def test_a_file_of_another_user_than_the_packages_is_not_its(
    package: str, owner: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """letta runs as nobody, qdrant as whoever runs membench."""
    monkeypatch.setattr(packages, "play", writing(home, (".one", ".two"), owner))
    said = nothing_written_outside(PackageTrial(get_card(package), {}))
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
