"""An adapter that drives another system appears under that system's name and version."""

from __future__ import annotations

from pathlib import Path

import pytest

from membench.adapters.driven import driven_card
from membench.adapters.registry import checked_parameters, get_card
from membench.adapters.scaffold import new_system
from membench.cli.request import assignments
from membench.domain.errors import DataError, UsageError
from membench.harness.manifest import new_manifest, system_entry
from membench.harness.prepare import prepare, survey
from membench.harness.run import start
from membench.leaderboard.bundles.bundle import BundleError, check_named
from membench.leaderboard.store.rows import label
from membench.leaderboard.validation.agreement import found_as
from membench.records.manifest import SystemEntry
from membench.records.spec import ExecOptions, RunSpec

DRIVERS = ["http", "mcp", "chat_agent"]


def entry(adapter: str, **given: str) -> SystemEntry:
    spec = RunSpec(adapter, "locomo", "sample", set=given)
    return system_entry(prepare(spec, ExecOptions()))


@pytest.mark.parametrize("adapter", DRIVERS)
def test_two_vendors_behind_one_adapter_are_two_systems(adapter: str) -> None:
    ours, theirs = (entry(adapter, name=name, version="1.2") for name in ("acme", "other-memory"))
    assert (ours.name, ours.version, ours.adapter) == ("acme", "1.2", adapter)
    assert theirs.name == "other-memory"
    assert found_as(ours.to_json()) == found_as(theirs.to_json()) == adapter
    check_named(ours)


@pytest.mark.parametrize("version", ["1", "1.2", "1.10", "2026.1", "1.2.0"])
def test_a_version_is_taken_as_it_is_written(version: str) -> None:
    given = assignments("--set", ["name=acme", f"version={version}"])
    card = get_card("http")
    assert driven_card(card, checked_parameters(card, given)).version == version


@pytest.mark.parametrize("adapter", DRIVERS)
def test_a_run_that_does_not_say_what_ran_is_run_and_not_submitted(adapter: str) -> None:
    unnamed = entry(adapter)
    assert unnamed.name == adapter
    with pytest.raises(BundleError, match="--set name=my-memory --set version"):
        check_named(unnamed)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "acme"}, "only one of name and version"),
        ({"version": "1"}, "only one of name and version"),
        ({"name": "Acme Memory", "version": "1"}, "no name for a system"),
        ({"name": "../x", "version": "1"}, "no name for a system"),
        ({"name": "oracle", "version": "1"}, "there is a system of that name"),
    ],
)
def test_a_name_that_does_not_do_is_refused(given: dict[str, str], says: str) -> None:
    card = get_card("http")
    with pytest.raises(UsageError, match=says):
        driven_card(card, checked_parameters(card, given))


def test_a_published_run_cannot_take_the_name_of_a_known_system() -> None:
    assert found_as({"name": "bm25", "adapter": "http"}) == ""
    assert found_as({"name": "bm25", "adapter": None}) == found_as({"name": "bm25"}) == "bm25"


def test_a_row_shows_the_name_once() -> None:
    given = {"name": "acme", "version": "1.2", "timeout_s": 9}
    resolved = prepare(RunSpec("http", "locomo", "sample", set=given), ExecOptions())
    manifest = new_manifest(resolved, survey(resolved), "r")
    assert label(manifest) == "acme (timeout_s=9)"


def test_a_driver_without_these_parameters_is_refused(tmp_path: Path) -> None:
    file = new_system("mine", tmp_path) / "system.toml"
    file.write_text(f"drives = true\n{file.read_text()}")
    with pytest.raises(DataError, match="'name' and 'version'"):
        get_card(str(file.parent))


NOWHERE = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("adapter", "given", "says"),
    [
        ("mcp", {}, "either a command or a url"),
        ("chat_agent", {}, "either a url or a command"),
        ("mcp", {"command": "no-such-program"}, "no-such-program"),
        ("chat_agent", {"command": "no-such-program"}, "no-such-program"),
        ("chat_agent", {"url": NOWHERE}, NOWHERE),
        ("http", {"url": NOWHERE}, NOWHERE),
        ("http", {"url": "nowhere"}, "not a URL"),
    ],
)
def test_what_does_not_answer_is_refused_before_there_is_a_run(
    tmp_path: Path, adapter: str, given: dict[str, str], says: str
) -> None:
    spec = RunSpec(adapter, "locomo", "sample", set=given)
    with pytest.raises(UsageError, match=says):
        start(spec, ExecOptions(out=tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_module_that_is_not_installed_is_named_before_there_is_a_run(tmp_path: Path) -> None:
    file = new_system("mine", tmp_path) / "system.toml"
    file.write_text(f'{file.read_text()}\n[requires]\nno_such_module = "acme-client"\n')
    spec = RunSpec(str(file.parent), "locomo", "sample")
    with pytest.raises(UsageError, match="needs no_such_module") as refused:
        start(spec, ExecOptions(out=tmp_path / "runs"))
    assert refused.value.remedy == "Install it: pip install 'acme-client'"
    assert not (tmp_path / "runs").exists()
