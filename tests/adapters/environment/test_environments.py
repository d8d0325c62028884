"""Environments: built from a lock, shared where locks agree, and clear about what is missing."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from toys import GOOD

from membench.adapters.environment import environments, pythons
from membench.adapters.environment.problem import EnvironmentProblem
from membench.adapters.environment.pythons import Interpreter, find_python, version_fits
from membench.adapters.environment.uv import pip_settings, uv_variables
from membench.adapters.registry import SYSTEMS, SystemCard, create, get_card
from membench.domain.errors import DataError, UsageError
from membench.domain.system import SystemContext


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SystemCard]:
    """`card(name, table)`: a system with an empty lock, and a cache of its own."""
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path / "cache"))

    def make(name: str = "toy", table: str = "", lock: str = "") -> SystemCard:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "system.toml").write_text(
            f"name='{name}'\ntitle='T'\nsummary='S'\nversion='1'\nlicence='MIT'\n"
            "fidelity='control'\ngranularity='turn'\ntime='kept'\nreplay='exact'\n"
            f"[environment]\n{table}"
        )
        (folder / "adapter.py").write_text(GOOD)
        (folder / "requirements.lock").write_text(lock)
        return get_card(str(folder))

    return make


def quiet(_: str) -> None:
    """A report that nobody reads."""


def test_installing_removing_and_what_is_said_of_it(card: Callable[..., SystemCard]) -> None:
    toy = card()
    assert environments.status(toy).state == "missing"
    said: list[str] = []
    ready = environments.install(toy, said.append)
    assert ready.state == "ready"
    assert ready.size_bytes
    assert said == [f"toy: Python {ready.python}", "toy: 0 packages"]
    assert environments.python_of(toy).is_file()
    assert environments.remove(toy) == ready.size_bytes
    assert environments.status(toy).state == "missing"
    with pytest.raises(UsageError, match="not installed"):
        environments.remove(toy)


def test_equal_locks_share_an_environment(card: Callable[..., SystemCard]) -> None:
    one, other = card("one"), card("other")
    environments.install(one, quiet)
    assert environments.status(other).state == "ready"
    assert environments.install(other, quiet).folder == environments.status(one).folder
    assert environments.remove(one) == 0, "the other still uses it"
    assert environments.status(other).state == "ready"
    assert environments.remove(other) > 0


def test_another_lock_is_another_environment(card: Callable[..., SystemCard]) -> None:
    one, other = card("one"), card("other", lock="# another\n")
    assert environments.folder_of(one) != environments.folder_of(other)
    assert environments.folder_of(one) != environments.folder_of(card("one", 'torch = "2.13.0"'))


def test_an_unfinished_environment_is_built_anew(card: Callable[..., SystemCard]) -> None:
    toy = card()
    folder = environments.install(toy, quiet).folder
    assert folder is not None
    (folder / environments.MARKER).unlink()
    assert environments.status(toy).state == "missing"
    assert environments.ensure(toy, quiet).state == "ready"


def test_ensure_does_nothing_where_nothing_is_needed(card: Callable[..., SystemCard]) -> None:
    assert environments.ensure(get_card("bm25"), quiet).state == "built-in"
    toy = card()
    environments.install(toy, quiet)
    said: list[str] = []
    assert environments.ensure(toy, said.append).state == "ready"
    assert said == []


def test_built_in_systems_need_none() -> None:
    with pytest.raises(UsageError, match="part of membench"):
        environments.install(get_card("bm25"), quiet)


def test_a_system_without_its_environment_is_not_created(
    card: Callable[..., SystemCard], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="membench systems install toy"):
        create(card(), SystemContext({}, 0, tmp_path, len))


def test_a_missing_lock_names_the_file(card: Callable[..., SystemCard]) -> None:
    toy = card()
    (toy.folder / "requirements.lock").unlink()
    with pytest.raises(DataError, match=r"requirements\.lock"):
        environments.install(toy, quiet)


def test_without_uv_the_remedy_is_named(
    card: Callable[..., SystemCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = card()
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(EnvironmentProblem, match="not installed") as caught:
        environments.install(toy, quiet)
    assert "membench[packages]" in caught.value.remedy


@pytest.mark.slow
def test_a_python_that_is_not_here_is_named(card: Callable[..., SystemCard]) -> None:
    toy = card(table='python = ">=3.99"')
    with pytest.raises(EnvironmentProblem, match=r"needs Python >=3\.99"):
        environments.install(toy, quiet)
    assert ">=3.99" in environments.status(toy).problem


def test_a_full_disk_is_refused_before_anything_is_fetched(
    card: Callable[..., SystemCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = card(table="size_mb = 1000")
    free = SimpleNamespace(free=10 * 2**20)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    with pytest.raises(EnvironmentProblem, match="takes 1000 MB, and 10 MB are free") as caught:
        environments.install(toy, quiet)
    assert environments.VARIABLE in caught.value.remedy


def test_a_cache_that_cannot_be_written_is_named(
    card: Callable[..., SystemCard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path / "file"))
    with pytest.raises(EnvironmentProblem, match="cannot be written"):
        environments.install(card(), quiet)


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("error: No space left on device (os error 28)", "no space left"),
        ("x No solution found when resolving dependencies", "no longer resolves"),
        ("Hash mismatch for `left-pad==1.0`", "no longer resolves"),
        ("error: Failed to fetch: timeout", "could not be built"),
    ],
)
def test_what_uv_says_is_put_in_words(
    card: Callable[..., SystemCard], said: str, means: str
) -> None:
    problem = environments.problem_of(card(), said)
    assert means in problem.problem
    assert problem.remedy


def test_a_failed_step_leaves_nothing_behind(
    card: Callable[..., SystemCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = card(lock="no-such-package-of-membench==1 --hash=sha256:" + "0" * 64)
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(EnvironmentProblem):
        environments.install(toy, quiet)
    assert not environments.folder_of(toy).exists()


def test_torch_comes_first_and_outside_the_lock(
    card: Callable[..., SystemCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(command: list[Any], **_: Any) -> Any:
        commands.append([str(word) for word in command])
        if "venv" in commands[-1]:
            Path(commands[-1][-1]).mkdir(parents=True)
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    toy = card(table='torch = "2.13.0"')
    for name in environments.SOURCES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(subprocess, "run", run)
    environments.install(toy, quiet)
    _, torch, packages = [command for command in commands if command[0].endswith("uv")]
    assert torch[-3:] == ["--torch-backend", "cpu", "torch==2.13.0"]
    assert "--require-hashes" in packages


def test_pip_settings_are_handed_to_uv_and_the_users_win(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = (
        "global.index-url='https://mirror.example/simple'\n"
        "global.extra-index-url='file:///a file:///b'\n"
        ":env:.find-links='/wheels'\n"
        "global.find-links='/other'\n"
        "global.timeout='10'\n"
    )
    done = SimpleNamespace(stdout=listed)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    for name in (*environments.SOURCES, "UV_INDEX_STRATEGY"):
        monkeypatch.delenv(name, raising=False)
    variables = uv_variables()
    assert variables["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert variables["UV_EXTRA_INDEX_URL"] == "file:///a file:///b"
    assert variables["UV_FIND_LINKS"] == "/wheels"
    assert variables["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    monkeypatch.setenv("UV_FIND_LINKS", "/mine")
    monkeypatch.setenv("UV_INDEX_URL", "https://own.example/simple")
    variables = uv_variables()
    assert variables["UV_FIND_LINKS"] == "/mine"
    assert "UV_DEFAULT_INDEX" not in variables


def test_where_our_python_has_no_pip_the_one_on_the_path_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pip_settings() == {}
    pip = tmp_path / "pip"
    pip.write_text("#!/bin/sh\necho \"global.find-links='/wheels'\"\n")
    pip.chmod(0o755)
    assert pip_settings() == {"find-links": "/wheels"}


@pytest.mark.parametrize(
    ("version", "specifier", "fits"),
    [
        ("3.11.7", ">=3.11", True),
        ("3.11.7", ">=3.12", False),
        ("3.13.0", ">=3.11,<3.14", True),
        ("3.14.0", ">=3.11,<3.14", False),
        ("3.12.1", "3.12", True),
        ("3.12.1", "==3.11", False),
        ("3.12.1", "!=3.12", False),
        ("3.11.7", "<=3.11", True),
        ("3.11.7", ">3.11", False),
    ],
)
def test_specifiers(version: str, specifier: str, fits: bool) -> None:
    assert version_fits(version, specifier) is fits


def test_a_system_that_refuses_root_gets_a_python_that_others_can_reach(
    card: Callable[..., SystemCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = card(table="unprivileged = true")
    hidden, public = Path("/hidden/python"), Path("/usr/bin/python3")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(pythons, "everyone_may_reach", lambda path: path == public)
    monkeypatch.setattr(pythons, "everyone_may_enter", lambda _: True)
    installed = (Interpreter(hidden, "3.11.7"), Interpreter(public, "3.12.1"))
    monkeypatch.setattr(pythons, "_installed_pythons", lambda: installed)
    assert find_python(toy) == Interpreter(public, "3.12.1")
    monkeypatch.setattr(pythons, "_installed_pythons", lambda: installed[:1])
    with pytest.raises(EnvironmentProblem, match="does not run as root"):
        find_python(toy)


def test_a_cache_that_others_cannot_enter_is_no_use_to_them(
    card: Callable[..., SystemCard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    monkeypatch.setenv(environments.VARIABLE, str(private / "cache"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(pythons, "everyone_may_reach", lambda _: True)
    toy = card(table="unprivileged = true")
    monkeypatch.setenv(environments.VARIABLE, str(private / "cache"))
    with pytest.raises(EnvironmentProblem, match="no other user may enter") as caught:
        environments.install(toy, quiet)
    assert environments.VARIABLE in caught.value.remedy


def test_committed_locks_are_hashed_and_name_no_source() -> None:
    for lock in sorted(SYSTEMS.glob("*/*/requirements.lock")):
        text = lock.read_text()
        for word in ("http://", "https://", "file://", "--index", "--find-links", "--extra-index"):
            assert word not in text, f"{lock} names a source"
        requirements = text.count("==")
        assert text.count("--hash=sha256:") >= requirements > 0, lock
        assert "\ntorch==" not in text, f"{lock}: torch belongs into system.toml"
