"""Settings of a system that are folders of the user's machine."""

from pathlib import Path

import pytest

from membench.adapters.parameters import with_folders
from membench.adapters.registry import checked_parameters, get_card
from membench.cli.output.conformance import print_conformance
from membench.domain.errors import UsageError
from membench.harness.prepare import prepare
from membench.records.spec import ExecOptions, RunSpec

CARD = get_card("memoryllm")


def test_a_folder_is_named_from_the_root_since_a_worker_starts_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "weights").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    given = checked_parameters(CARD, {"code": "code", "weights": "~/weights"})
    found = with_folders(CARD, given)
    assert found["code"] == str(tmp_path / "code")
    assert found["weights"] == str(tmp_path / "weights")
    assert {name: found[name] for name in ("chat", "piece_tokens")} == {
        "chat": True,
        "piece_tokens": 512,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "needs a folder: --set code=FOLDER"),
        ({"code": "."}, "needs a folder: --set weights=FOLDER"),
        ({"code": ".", "weights": "not-here"}, "--set weights=not-here: there is no such folder"),
        ({"code": __file__, "weights": "."}, "there is no such folder"),
    ],
)
def test_a_folder_that_is_not_there_is_refused_before_anything_runs(
    given: dict[str, str], said: str, tmp_path: Path
) -> None:
    spec = RunSpec("memoryllm", "locomo", split="sample", set=given)
    with pytest.raises(UsageError, match=said):
        prepare(spec, ExecOptions(out=tmp_path))
    assert not any(tmp_path.iterdir())


def test_a_stored_conformance_is_of_the_defaults_but_for_folders() -> None:
    with pytest.raises(UsageError, match="at the defaults"):
        print_conformance("memoryllm", {"chat": False}, write=True, as_json=False)
    with pytest.raises(UsageError, match="at the defaults"):
        print_conformance("bm25", {"no_such": 1}, write=True, as_json=False)
