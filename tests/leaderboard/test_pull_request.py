"""A pull request adds one bundle and nothing else; badges come from the verifier alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from membench.domain.errors import UserError
from membench.leaderboard.store.index import refresh
from membench.leaderboard.store.store import Store
from membench.leaderboard.submission.pull_request import check_request
from membench.leaderboard.validation import Rejected, verify


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A checkout of a board with one old bundle, on a branch of its own."""
    root = tmp_path / "results"
    (root / "locomo" / "old").mkdir(parents=True)
    (root / "locomo" / "old" / "SHA256SUMS").write_text("old\n")
    (root / "badges").mkdir()
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "board")
    git(tmp_path, "switch", "-q", "-c", "request")
    return root


def request(results: Path) -> None:
    """Commit what lies there as the request."""
    git(results.parent, "add", ".")
    git(results.parent, "commit", "-q", "-m", "result")


@pytest.mark.slow
def test_one_new_bundle_may_be_merged(results: Path, honest: Path) -> None:
    shutil.copytree(honest, results / "locomo" / "story")
    request(results)
    assert check_request(results, "main").place == "locomo/story"


def forged_badge(results: Path) -> None:
    (results / "badges" / "story.json").write_text('{"score": "reproduced"}')


def changed_bundle(results: Path) -> None:
    (results / "locomo" / "old" / "SHA256SUMS").write_text("new\n")


def removed_bundle(results: Path) -> None:
    (results / "locomo" / "old" / "SHA256SUMS").unlink()


def second_bundle(results: Path) -> None:
    shutil.copytree(results / "locomo" / "story", results / "locomo" / "second")


def decision(results: Path) -> None:
    (results / "adjudications.jsonl").write_text("{}\n")


def code(results: Path) -> None:
    (results.parent / "setup.py").write_text("import os\n")


def deeper(results: Path) -> None:
    (results / "locomo" / "story" / "more").mkdir()
    (results / "locomo" / "story" / "more" / "x").write_text("x")


@pytest.mark.parametrize(
    "more",
    [forged_badge, changed_bundle, removed_bundle, second_bundle, decision, code, deeper],
    ids=lambda f: f.__name__,
)
def test_a_request_that_changes_more_is_refused(
    results: Path, honest: Path, more: Callable[[Path], None]
) -> None:
    shutil.copytree(honest, results / "locomo" / "story")
    more(results)
    request(results)
    with pytest.raises(UserError, match=r"one bundle alone|adds 2 bundles"):
        check_request(results, "main")


@pytest.mark.slow
def test_identity_run_a_bundle_lies_in_the_folder_of_its_run(results: Path, honest: Path) -> None:
    shutil.copytree(honest, results / "locomo" / "other")
    request(results)
    with pytest.raises(Rejected, match=r"identity\.run"):
        check_request(results, "main")


def test_a_branch_that_is_not_there_is_said_in_words(results: Path) -> None:
    with pytest.raises(UserError, match="cannot compare with elsewhere"):
        check_request(results, "elsewhere")


def test_fresh_badges_are_made_from_bundles_alone(tmp_path: Path, honest: Path) -> None:
    store = Store(tmp_path)
    store.add(honest, verify(honest), "alice")
    path = tmp_path / "badges" / "story.json"
    badge = json.loads(path.read_text())
    badge["summary"]["metrics"]["f1"]["value"] = 0.99
    path.write_text(json.dumps(badge | {"score": "reproduced"}))
    assert list(store.verify_all(check=verify)) == []
    assert list(refresh(store).runs["score"]) == ["unchecked"]
    assert [r.accepted for _, r in store.verify_all(fresh=True, check=verify)] == [True]
    fresh = json.loads(path.read_text())
    assert (fresh["score"], fresh["submitter"]) == ("re-scored", "alice")
    assert fresh["summary"]["metrics"]["f1"]["value"] != 0.99
    assert list(refresh(store).runs["score"]) == ["re-scored"]


def test_reproduced_is_a_decision_of_people(tmp_path: Path, honest: Path) -> None:
    store = Store(tmp_path)
    store.add(honest, verify(honest))
    store.grant("story", "reproduced", "the maintainers", "ran it again", ("other",))
    assert list(refresh(store).runs["score"]) == ["reproduced"]


def test_the_shipped_workflow_calls_the_command_with_code_of_the_base() -> None:
    workflow = Path(__file__).parents[2] / ".github/workflows/results.yml"
    text = workflow.read_text()
    assert "membench board check-request --base" in text
    assert "membench board index --fresh" in text
    assert "git worktree add /tmp/base" in text
