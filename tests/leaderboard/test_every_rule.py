"""Every rule and every remark has a hostile bundle that it is for; a new one needs its own."""

from __future__ import annotations

import gzip
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from membench.domain.case import opaque_ids
from membench.leaderboard import validation
from membench.leaderboard.bundles.layout import Limits
from membench.leaderboard.store.index import refresh
from membench.leaderboard.store.store import Store
from membench.leaderboard.validation import (
    FLAGS,
    RULES,
    Rejected,
    claims,
    run_flags,
    scoring,
    verify,
    verify_form,
)
from membench.leaderboard.validation.apart import WorkLimits, verify_apart
from membench.leaderboard.validation.claims import MISNAMED, ClaimChecks
from membench.leaderboard.validation.parsing import ParsedBundle, parse_bundle
from membench.leaderboard.validation.unpacking import open_bundle
from membench.tasks.base import AnyTask
from membench.tasks.find import find_source
from membench.tasks.registry import get_task
from membench.testing.boards import BoardPlan, write_store
from tests.leaderboard.conftest import Spoil
from tests.leaderboard.test_hostile import ANSWERS, FOLDERS, PLAY, TEXTS, M, S, setter

PAGE = Path(__file__).parents[2] / "docs" / "verification.md"


@dataclass(frozen=True)
class Stranger:
    """Who sends a bundle, and what of the verifier it takes to show what becomes of it.

    Attributes:
        spoil: An honest bundle, and the tools to spoil it.
        folder: An empty folder.
        patch: Changes the verifier's surroundings for the length of a test.
    """

    spoil: Spoil
    folder: Path
    patch: pytest.MonkeyPatch

    @property
    def path(self) -> Path:
        return self.spoil.path


@pytest.fixture
def stranger(
    spoil: Spoil, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Stranger:
    return Stranger(spoil, tmp_path_factory.mktemp("stranger"), monkeypatch)


# --- rules ---------------------------------------------------------------------------------------


def noise(stranger: Stranger) -> str:
    """A file that is no zip."""
    file = stranger.folder / "bundle.tar"
    file.write_bytes(b"\x80\x04pickle")
    return first_rule(file)


def member_twice(stranger: Stranger) -> str:
    """A zip with two members of one name: readers disagree which one counts."""
    file = stranger.folder / "bundle.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for part in sorted(stranger.path.iterdir()):
            archive.writestr(part.name, part.read_bytes())
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(M, b"{}")
    return first_rule(file)


def many_entries(stranger: Stranger) -> str:
    """Twenty more files of allowed names."""
    for number in range(20):
        (stranger.path / f"verdicts.k{number}.jsonl.gz").write_bytes(gzip.compress(b""))
    stranger.spoil.seal()
    return first_rule(stranger.path)


def sent_again(stranger: Stranger) -> str:
    """A bundle that the board has."""
    return refusal_of_second(stranger, change=lambda _: None)


def another_of_the_run(stranger: Stranger) -> str:
    """A better bundle under the run id of one that the board has."""
    return refusal_of_second(
        stranger, lambda s: s.json(M, lambda m: m["versions"].update(other="1"))
    )


def refusal_of_second(stranger: Stranger, change: Callable[[Spoil], Any]) -> str:
    """The rule by which a store refuses a bundle after it has taken it once, changed in between."""
    store = Store(stranger.folder / "store")
    store.add(stranger.path, verify(stranger.path))
    change(stranger.spoil)
    with pytest.raises(Rejected) as refused:
        store.add(stranger.path, verify(stranger.path))
    return refused.value.findings[0].rule


def check_that_raises(stranger: Stranger) -> str:
    """A bundle at which a check breaks."""

    def broken(*_: object) -> list[object]:
        raise TypeError("a list where a number was meant")

    stranger.patch.setattr(validation, "range_findings", broken)
    return first_rule(stranger.path)


def model_without_calls(stranger: Stranger) -> str:
    """A model is said to have answered, and no call is in the records."""
    for name in (M, S):
        stranger.spoil.json(name, setter("models", to={"reader": "gpt-4o-mini"}))
    stranger.patch.setattr(validation, "agreement", lambda bundle: (get_task("locomo"), []))
    stranger.patch.setattr(validation.verifier_data, "check_prompts", lambda *_: None)
    return first_rule(stranger.path)


def first_rule(path: Path, limits: Limits | None = None) -> str:
    """The rule that a bundle is refused by."""
    result = verify(path) if limits is None else verify(path, limits=limits)
    return result.findings[0].rule


ELSEWHERE: dict[str, Callable[[Stranger], str]] = {
    "wire.kind": noise,
    "wire.size": lambda s: first_rule(s.path, Limits(wire_bytes=1000)),
    "wire.entries": many_entries,
    "wire.duplicate": member_twice,
    "json.lines": lambda s: first_rule(s.path, Limits(lines=3)),
    "json.values": lambda s: first_rule(s.path, Limits(values=300)),
    "identity.replay": sent_again,
    "identity.run": another_of_the_run,
    "check.ended": check_that_raises,
    "check.limits": lambda s: verify_apart(s.path, limits=WorkLimits(wall_s=0.01)).findings[0].rule,
    "plausible.usage": model_without_calls,
}
"""Rules that take more than a spoiled folder to break; `FOLDERS` has the others."""


def test_every_rule_has_a_hostile_bundle() -> None:
    assert set(RULES) == {rule for rule, _, _ in FOLDERS} | set(ELSEWHERE)


@pytest.mark.parametrize("rule", ELSEWHERE)
def test_a_rule_refuses_what_it_is_for(rule: str, stranger: Stranger) -> None:
    assert ELSEWHERE[rule](stranger) == rule


# --- remarks -------------------------------------------------------------------------------------


def spoiled(change: Callable[[Spoil], Any], flags: Callable[[Path], Any]) -> Any:
    """A bundle that is changed, and what is remarked upon then."""

    def remarks(stranger: Stranger) -> Any:
        change(stranger.spoil)
        return flags(stranger.path)

    return remarks


def by_manifest(path: Path) -> list[str]:
    """Remarks that need no data."""
    return run_flags(parse_bundle(open_bundle(path)))


def by_scoring(path: Path) -> tuple[str, ...]:
    """Remarks of a whole check, whatever else it finds."""
    return verify(path).flags


def manifest(*path: Any, to: Any) -> Any:
    return spoiled(lambda s: s.json(M, setter(*path, to=to)), by_manifest)


def summary(*path: Any, to: Any, flags: Callable[[Path], Any] = by_scoring) -> Any:
    return spoiled(lambda s: s.json(S, setter(*path, to=to)), flags)


def answers_of_gold(stranger: Stranger) -> tuple[str, ...]:
    """Every answer is the gold, in capitals and with a full stop."""
    task = get_task("locomo")
    cases = task().cases(find_source(task, "sample", None), opaque_ids("locomo", 0))
    gold = {(c.id, event): q.answer for c, g in cases for event, q in g.questions.items()}

    def change(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            text = (gold[line["case"], line["event"]] or "none").upper()[:70] + "."
            part = {"status": "ok", "parts": [{"generated": text}]}
            line["content"] = {"status": "ok", "answers": [part]}

    stranger.spoil.lines(ANSWERS, change)
    stranger.patch.setattr(claims, "READ_AGAIN", 0)
    stranger.patch.setattr(claims, "known_literal", lambda name: None)
    return by_scoring(stranger.path)


def answers_kept_back(stranger: Stranger) -> tuple[str, ...]:
    """Free answers of which only the hash is told."""

    def change(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line["content"]["answers"] = [{"status": "ok", "sha256": "0" * 64}]

    stranger.spoil.lines(ANSWERS, change)
    stranger.patch.setattr(claims, "known_reader", lambda name: None)
    return by_scoring(stranger.path)


def content_of_another(stranger: Stranger) -> list[str]:
    """Two systems with one content."""
    write_store(stranger.folder, BoardPlan(runs=2, questions=20))
    for badge in (stranger.folder / "badges").iterdir():
        text = re.sub(
            r'"content_sha256": "\w+"', f'"content_sha256": "{"c" * 64}"', badge.read_text()
        )
        badge.write_text(text)
    return " ".join(refresh(Store(stranger.folder)).runs["flags"]).split()


def no_time(spoil: Spoil) -> None:
    """Events that end when they begin."""

    def change(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line["telemetry"]["end"] = line["telemetry"]["start"]

    spoil.lines(PLAY, change)


def knows_of_another_case(spoil: Spoil) -> None:
    """A lane noted that texts of an earlier case were recalled."""

    def change(lines: list[dict[str, Any]]) -> None:
        lines.append({"note": "close", "of": lines[0]["case"], "carried_over": 2})

    spoil.lines(PLAY, change)


def with_a_model(bundle: ParsedBundle, task: AnyTask) -> ClaimChecks:
    """The checks of the same bundle, made by a system with a model of its own."""
    return ClaimChecks(
        replace(bundle, manifest={**bundle.manifest, "models": {"memory": "m"}}), task
    )


def a_turn_that_names_another(stranger: Stranger) -> tuple[str, ...]:
    """A system with a model of its own, and one memory that is a turn and names another."""
    stranger.patch.setattr(scoring, "ClaimChecks", with_a_model)
    stranger.spoil.lines(TEXTS, lambda lines: lines[0].update(sources=lines[1]["sources"]))
    return by_scoring(stranger.path)


SPENT = {"roles": {"memory": {"calls": 5}}, "calls": 5}

REMARKS: dict[str, Callable[[Stranger], Any]] = {
    "flag.gold": answers_of_gold,
    "flag.copy": content_of_another,
    "flag.cpu": summary("cpu_s", "recall", to=1e6),
    "flag.instant": spoiled(no_time, by_scoring),
    "flag.unrecorded": summary("spent", to=SPENT),
    "flag.sources": a_turn_that_names_another,
    "flag.dirty": manifest("code", "dirty", to=True),
    "flag.version": manifest("system", "version", to="99"),
    "flag.rehearsal": manifest("models", to={"reader": "scripted"}),
    "flag.partial": manifest("subset", to=True),
    "flag.handed_in": manifest("system", "protocol", to="handed-in"),
    "flag.failures": summary("complete", to=False, flags=by_manifest),
    "flag.empty": summary("stored", to={"cases": 2, "empty": 2, "mean": 0.0}, flags=by_manifest),
    "flag.state": spoiled(knows_of_another_case, by_manifest),
    "flag.claimed": answers_kept_back,
    "flag.unverified": lambda s: verify_form(open_bundle(s.path)).flags,
}


def test_every_remark_has_a_bundle_that_it_is_made_upon() -> None:
    assert set(FLAGS) == set(REMARKS)


@pytest.mark.parametrize("flag", REMARKS)
def test_a_remark_is_made_upon_what_it_is_for(flag: str, stranger: Stranger) -> None:
    assert flag in REMARKS[flag](stranger)


def test_a_model_that_copies_turns_may_name_others_of_a_few_and_not_of_many(
    stranger: Stranger,
) -> None:
    def shifted(lines: list[dict[str, Any]]) -> None:
        for line, sources in [(a, b["sources"]) for a, b in pairwise(lines)][: MISNAMED + 2]:
            line["sources"] = sources

    stranger.patch.setattr(claims, "known_reader", lambda name: None)  # it would answer otherwise
    a_turn_that_names_another(stranger)
    assert "rescore.memory" not in {finding.rule for finding in verify(stranger.path).findings}
    stranger.spoil.lines(TEXTS, shifted)
    assert "rescore.memory" in {finding.rule for finding in verify(stranger.path).findings}


def test_an_honest_bundle_has_no_remark(honest: Path) -> None:
    assert set(verify(honest).flags) <= {"flag.dirty"}  # the tests run from a checkout


# --- the page ------------------------------------------------------------------------------------


def test_the_page_of_attacks_names_rules_that_there_are() -> None:
    stages = {rule.partition(".")[0] for rule in (*RULES, *FLAGS)}
    words = re.findall(r"`([a-z]+\.[a-z_]+)`", PAGE.read_text(encoding="utf-8"))
    named = {word for word in words if word.partition(".")[0] in stages}
    assert named and named <= {*RULES, *FLAGS}
