"""A bundle tells everything that can be checked, and nothing that may not be told."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from membench.adapters.registry import built_in_systems
from membench.domain.errors import RunStateError
from membench.harness.run import start
from membench.leaderboard.bundles import bundle as bundles
from membench.leaderboard.bundles import layout, manifest_schema, redact
from membench.leaderboard.bundles.bundle import BundleError, make_bundle
from membench.leaderboard.bundles.withholding import WITHHELD, withheld
from membench.leaderboard.validation import claims, verifier_data, verify
from membench.records.manifest import Manifest
from membench.records.spec import ExecOptions, RunSpec

SAID_BY_CARDS = (
    *("name", "title", "version", "fidelity", "protocol", "granularity", "time", "replay"),
    "reference",
)


def words_of(path: Path) -> str:
    return "".join(
        (gzip.decompress(f.read_bytes()) if f.suffix == ".gz" else f.read_bytes()).decode()
        for f in path.iterdir()
    )


def test_an_honest_bundle_is_accepted_and_rescored(honest: Path) -> None:
    result = verify(honest)
    assert result.accepted, [str(finding) for finding in result.findings]
    assert set(result.origins.values()) == {"re-scored"}


def test_equal_runs_give_equal_bytes(run_path: Path, honest: Path, tmp_path: Path) -> None:
    again = make_bundle(run_path, tmp_path / "again").path
    assert {f.name: f.read_bytes() for f in again.iterdir()} == {
        f.name: f.read_bytes() for f in honest.iterdir()
    }


def test_a_published_spec_has_the_fields_of_a_spec_and_no_others() -> None:
    assert set(manifest_schema.SpecEntry.model_fields) == {field.name for field in fields(RunSpec)}


@pytest.mark.slow
def test_the_settings_of_models_are_published_and_their_run_is_accepted(tmp_path: Path) -> None:
    settings = {"reader.temperature": 0.5}
    spec = RunSpec("bm25", "locomo", "sample", limit=1, reader="scripted", model_set=settings)
    run = start(spec, ExecOptions(out=tmp_path, run_id="warm")).run.path
    bundle = make_bundle(run, tmp_path / "bundle").path
    manifest = json.loads((bundle / layout.MANIFEST).read_text())
    assert manifest["spec"] == spec.to_json()
    assert manifest["comparison_key"]["model_set"] == settings
    assert verify(bundle).accepted


def test_sha256sum_itself_checks_a_bundle(honest: Path) -> None:
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=honest, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_no_text_of_a_memory_is_in_a_bundle(run_path: Path, honest: Path) -> None:
    words = words_of(honest)
    lines = (run_path / "texts.jsonl").read_text().splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    assert texts
    assert not [text for text in texts if text in words]


def test_no_path_of_this_machine_is_in_a_bundle(run_path: Path, honest: Path) -> None:
    words = words_of(honest)
    for secret in (str(run_path.parent), str(Path.home()), str(Path.cwd())):
        assert secret not in words


def test_the_words_of_an_error_stay_at_home() -> None:
    told = redact.telemetry(
        {"cpu_s": 1.0, "error": "OSError: /home/me/db.sqlite on box7", "node": "box7"}
    )
    assert told == {"cpu_s": 1.0, "error": "OSError"}


def test_the_number_of_a_machine_is_kept_and_its_name_is_not() -> None:
    assert redact.telemetry({"node": 2}) == {"node": 2}
    assert redact.telemetry({"node": "box7"}) == {}


def test_free_answers_leave_only_where_the_licence_allows() -> None:
    answer = {"status": "ok", "text": "in May", "sha256": "0" * 64}
    assert "text" not in redact.answer(answer, text_allowed=False)
    assert redact.answer(answer, text_allowed=True) == answer


def test_a_judges_words_stay_at_home_and_its_label_leaves() -> None:
    line = {
        "case": "0" * 16, "request": "q:answer:0", "status": "ok", "reason": None,
        "values": {"label": "CORRECT", "reasoning": "The text says: I moved to the coast in May."},
        "votes": ["CORRECT"], "telemetry": {"cpu_s": 0.0},
    }  # fmt: skip
    assert redact.verdict(line)["values"] == {"label": "CORRECT"}


def test_a_path_in_a_parameter_is_withheld_and_the_spec_still_has_its_hash(
    run_path: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(run_path, tmp_path / "story"))
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["spec"]["set"] = {"model": "/home/alice/weights"}
    (run / "manifest.json").write_text(json.dumps(manifest))
    made = make_bundle(run, tmp_path / "bundle")
    assert "alice" not in words_of(made.path)
    # bm25 has no such parameter, and that is all: the spec still has its hash
    assert {finding.rule for finding in verify(made.path).findings} == {"known.system"}


def test_of_every_system_of_ours_a_bundle_says_what_its_card_says() -> None:
    for card in built_in_systems().values():
        if card.fidelity == "external":
            continue
        entry = {
            **{name: getattr(card, name) for name in SAID_BY_CARDS},
            "deviations": list(card.deviations),
            "capabilities": sorted(card.capabilities),
            "parameters": {},  # an address among them is withheld
            "order_dependent": False,
        }
        assert withheld(entry) == entry, card.name
        assert manifest_schema.SystemEntry.model_validate(entry), card.name
    assert withheld("0.4.2.0") == "0.4.2.0"  # a version that reme has, of four numbers
    assert withheld(["10.4.2.7", "reme on 10.4.2.7"]) == [WITHHELD, WITHHELD]


def test_a_folder_of_the_users_is_withheld_wherever_it_lies(run_path: Path) -> None:
    """A system that is run from folders of the user's: neither place nor name says anything."""
    stored = json.loads((run_path / "manifest.json").read_text())
    stored["spec"] |= {"system": "memoryllm", "set": {"code": "clone", "chat": False}}
    stored["system"] |= {
        "name": "memoryllm",
        "parameters": {"code": "/scratch/bob/clone", "weights": "/scratch/bob/8b", "chat": False},
    }
    made = redact.manifest(Manifest.from_json(stored))
    assert made["spec"]["set"] == {"code": "(withheld)", "chat": False}
    assert made["system"]["parameters"] == {
        "code": "(withheld)",
        "weights": "(withheld)",
        "chat": False,
    }


def test_a_bundle_that_names_the_machine_is_not_made(
    run_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "machine_names", lambda: ["locomo"])
    with pytest.raises(BundleError, match="names this machine"):
        make_bundle(run_path, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_never_made_over_another(run_path: Path, tmp_path: Path) -> None:
    make_bundle(run_path, tmp_path / "bundle")
    with pytest.raises(RunStateError, match="already exists"):
        make_bundle(run_path, tmp_path / "bundle")


def test_an_unfinished_run_is_not_submitted(run_path: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(run_path, tmp_path / "story"))
    (run / "summary.json").unlink()
    with pytest.raises(RunStateError, match="not finished"):
        make_bundle(run, tmp_path / "bundle")


def test_what_a_bundle_lacks_is_claimed_and_the_rest_is_rescored(
    honest: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Free answers kept back by the licence: their figures stand as claimed, recall does not."""
    monkeypatch.setattr(claims, "known_reader", lambda name: None)
    from tests.leaderboard.conftest import Spoil

    spoil = Spoil(copy)

    def close(lines: list[dict]) -> None:  # type: ignore[type-arg]
        for line in lines:
            line["content"]["answers"] = [{"status": "ok", "sha256": "0" * 64}]

    spoil.lines(layout.ANSWERS, close)
    result = verify(copy)
    # the content differs from what the summary's hash says, and nothing else does
    assert {finding.rule for finding in result.findings} == {"rescore.content"}
    assert result.origins["f1"] == "claimed"
    assert result.origins["evidence.turn.recall@10"] == "re-scored"
    assert "flag.claimed" in result.flags


def test_without_data_a_bundle_is_accepted_and_says_that_nothing_was_checked(
    honest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    manifest = json.loads((honest / "manifest.json").read_text())
    monkeypatch.setattr(verifier_data, "own_source", lambda *given: None)
    monkeypatch.setattr(
        verifier_data, "published", lambda card, split: {manifest["task"]["dataset_sha256"]}
    )
    result = verify(honest)
    assert result.accepted
    assert not result.rescored
    assert "flag.unverified" in result.flags
