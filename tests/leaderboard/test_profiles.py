"""Cost profiles on the board: figures of the stored files, in the app and in an export."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from membench.leaderboard.site.export import export
from membench.leaderboard.store.store import Store
from membench.leaderboard.views import profiles as view

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two profiles: a package that calls a model, and one that does not."""
    root = tmp_path_factory.mktemp("results")
    (root / "profiles").mkdir()
    for name in ("mem0", "txtai"):
        shutil.copy(RESULTS / "profiles" / f"{name}.json", root / "profiles")
    return Store(root)


def test_a_line_has_calls_tokens_growth_dollars_joules_and_the_machine(store: Store) -> None:
    mem0, txtai = view.profile_records(view.stored_profiles(store).profiles)
    assert (mem0["calls / turn"], mem0["prompt tokens / turn"]) == (0.1, 848)
    assert mem0["growth / turn"].startswith("constant ±")
    assert mem0["smallest context"] == 8485
    assert any(name.startswith("USD / 1,000 turns") and mem0[name] > 0 for name in mem0)
    assert mem0["J / 1,000 turns"] > 0
    assert (mem0["environment MB"], mem0["install s"]) == (182, 18)
    assert (txtai["calls / turn"], txtai["growth / turn"], txtai["install s"]) == (0, "–", 24)
    assert list(mem0) == list(txtai)


def test_joules_follow_the_language_model_that_is_picked(store: Store) -> None:
    found = view.stored_profiles(store).profiles[:1]
    by_model = {
        model: view.profile_records(found, model)[0]["J / 1,000 turns"]
        for model in view.energy_models()
    }
    assert len(set(by_model.values())) > 1
    listed = {r["language model"]: r["J / 1,000 turns"] for r in view.energy_records(found)}
    assert listed == by_model


def test_phases_and_roles_are_told_apart(store: Store) -> None:
    lines = view.phase_records(view.stored_profiles(store).profiles)
    places = {(line["system"], line["phase"], line["role"]) for line in lines}
    assert {("mem0", "ingest", "memory"), ("mem0", "recall", "embedder")} <= places
    assert not [line for line in lines if line["system"] == "txtai" and line["role"] == "memory"]


def test_a_file_that_is_no_profile_is_named_and_left_out(store: Store, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(store.root, tmp_path / "results"))
    (folder / "profiles" / "broken.json").write_text("{}")
    found = view.stored_profiles(Store(folder))
    assert len(found.profiles) == 2
    assert found.problems[0].startswith("broken.json: ")


def test_an_export_has_them_as_a_page_and_as_files(store: Store, tmp_path: Path) -> None:
    export(store, tmp_path / "site")
    page = (tmp_path / "site" / "profiles.html").read_text()
    assert "data-sortable" in page
    assert "8,485" in page
    assert (tmp_path / "site" / "data" / "profiles.csv").read_text().startswith("system,kind,")
