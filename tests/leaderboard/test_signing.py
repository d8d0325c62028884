"""Signed badges: a copy of a store says what the verifier said, or is refused."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from membench.cli import app
from membench.domain.errors import UsageError, UserError
from membench.leaderboard.store.signing import check_signature, make_key, public_bytes, sign


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    file = tmp_path / "board.pem"
    return file, make_key(file)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A store with two badges and a decision."""
    folder = tmp_path / "results"
    (folder / "badges").mkdir(parents=True)
    for name in ("a", "b"):
        (folder / "badges" / f"{name}.json").write_text(json.dumps({"run_id": name}))
    (folder / "adjudications.jsonl").write_text('{"run_id":"a","score":"reproduced"}\n')
    return folder


def test_what_was_signed_is_believed(key: tuple[Path, str], results: Path) -> None:
    assert sign(results, key[0]) == key[1]
    signed = check_signature(results, key[1])
    assert set(signed.files) == {"badges/a.json", "badges/b.json", "adjudications.jsonl"}


def change_badge(results: Path) -> None:
    (results / "badges" / "a.json").write_text('{"run_id": "a", "score": "reproduced"}')


def add_badge(results: Path) -> None:
    (results / "badges" / "c.json").write_text("{}")


def remove_badge(results: Path) -> None:
    (results / "badges" / "b.json").unlink()


def change_decision(results: Path) -> None:
    (results / "adjudications.jsonl").write_text("")


def remove_signature(results: Path) -> None:
    (results / "badges" / "SIGNATURE").unlink()


def lengthen_list(results: Path) -> None:
    path = results / "badges" / "SIGNATURE"
    line = json.loads(path.read_text())
    line["list"]["files"]["badges/c.json"] = "0" * 64
    path.write_text(json.dumps(line))


def later_date(results: Path) -> None:
    path = results / "badges" / "SIGNATURE"
    line = json.loads(path.read_text())
    line["list"]["signed_utc"] = "2099-01-01T00:00:00+00:00"
    path.write_text(json.dumps(line))


CHANGES = [
    change_badge,
    add_badge,
    remove_badge,
    change_decision,
    remove_signature,
    lengthen_list,
    later_date,
]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_was_changed_afterwards_is_refused(
    key: tuple[Path, str], results: Path, change: object
) -> None:
    sign(results, key[0])
    change(results)  # type: ignore[operator]
    with pytest.raises(UserError) as refused:
        check_signature(results, key[1])
    assert "board index --fresh" in refused.value.remedy


def test_another_key_is_refused(key: tuple[Path, str], results: Path, tmp_path: Path) -> None:
    """Also where the store names its own key: what counts is the key that the reader trusts."""
    sign(results, key[0])
    other = make_key(tmp_path / "other.pem")
    with pytest.raises(UserError, match="was not signed with"):
        check_signature(results, other)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_garbage_in_place_of_a_signature_is_refused(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        results, file = Path(folder) / "results", Path(folder) / "key"
        (results / "badges").mkdir(parents=True)
        trusted = make_key(file)
        (results / "badges" / "SIGNATURE").write_bytes(content)
        with pytest.raises(UserError):
            check_signature(results, trusted)


def test_a_private_key_is_for_its_owner_and_never_overwritten(key: tuple[Path, str]) -> None:
    file, _ = key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="is there already"):
        make_key(file)


@pytest.mark.parametrize("text", ["", "ed25519:", "ed25519:AAAA", "rsa:" + "A" * 44, "A" * 44])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no public key"):
        public_bytes(text)


def test_a_file_that_is_no_key_is_refused(results: Path, tmp_path: Path) -> None:
    (tmp_path / "no").write_text("no key")
    for file in (tmp_path / "no", tmp_path / "missing"):
        with pytest.raises(UsageError, match="Make one: membench board key"):
            sign(results, file)


def test_the_commands_make_sign_and_check(results: Path, tmp_path: Path) -> None:
    runner, file = CliRunner(), tmp_path / "k.pem"
    public = runner.invoke(app, ["board", "key", str(file)]).stdout.strip()
    at = ["--results", str(results)]
    assert runner.invoke(app, ["board", "sign", str(file), *at]).exit_code == 0
    checked = runner.invoke(app, ["board", "check", "--trust", public, *at])
    assert "3 files as signed" in checked.stdout
    add_badge(results)
    refused = runner.invoke(app, ["leaderboard", "--trust", public, *at])
    assert isinstance(refused.exception, UserError) or refused.exit_code == 2
