"""Bundles on disk, and what the board says of them.

::

    results/<task>/<run_id>/     an accepted bundle, never changed and never replaced
    results/badges/<run_id>.json what the validator found; written by the board alone
    results/refusals/<run_id>.json which rules a bundle of a pull request broke: it is no row
    results/adjudications.jsonl  append-only: who decided what about a row, when and why
    results/_index/              Parquet, made of the above, can be thrown away

A row is shown from its badge file where there is one (the verifier's numbers), else from the
bundle's own summary as `unchecked`, if it breaks no rule that can be looked at without data. A
withdrawn row stays as a tombstone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

import orjson

from membench import __version__
from membench.domain.errors import UnknownName
from membench.domain.labels import JsonObject, JsonView
from membench.leaderboard.bundles import layout
from membench.leaderboard.store.refusals import REFUSALS, forget_refusal, refusal_of, refuse
from membench.leaderboard.validation import Rejected, Verification
from membench.leaderboard.validation.apart import verify_apart
from membench.leaderboard.validation.parsing import manifest_of
from membench.leaderboard.validation.rules import Finding, RuleViolation
from membench.leaderboard.validation.unpacking import is_intact, open_bundle
from membench.records.journal import Appender, read_lines
from membench.records.run_directory import replace_json

BADGES = "badges"
ADJUDICATIONS = "adjudications.jsonl"
RESERVED = frozenset({BADGES, REFUSALS, "_index"})
VERIFIER_BADGES = ("unchecked", "self-reported", "re-scored")
SCORE_BADGES = (*VERIFIER_BADGES, "reproduced")
"""`reproduced` is a decision of people (`adjudications.jsonl`), never of a badge file."""

State = Literal["listed", "withdrawn"]
Check: TypeAlias = Callable[[Path, Path | None], Verification]


@dataclass(frozen=True)
class BundleEntry:
    """One bundle in the store.

    Attributes:
        run_id: Its run.
        task: Its task.
        path: Its folder.
    """

    run_id: str
    task: str
    path: Path


@dataclass(frozen=True)
class Adjudication:
    """One decision about a row.

    Attributes:
        when_utc: When it was taken.
        run_id: About which run.
        who: By whom.
        why: The reason, in words.
        state: `listed` or `withdrawn`, where it changes that.
        score: A score badge, where it changes that.
        links: Run ids that it rests on (a reproduction).
        task: Task of the run, so that a tombstone needs no bundle.
        label: Name of the row, likewise.
    """

    when_utc: str
    run_id: str
    who: str
    why: str
    state: State | None = None
    score: str | None = None
    links: tuple[str, ...] = ()
    task: str = ""
    label: str = ""


class Store:
    """A results directory."""

    def __init__(self, root: Path) -> None:
        """Point at a directory, which need not exist yet."""
        self.root = root

    # --- bundles ---------------------------------------------------------------------------

    def entries(self) -> Iterator[BundleEntry]:
        """Every bundle, by task and run id."""
        if not self.root.is_dir():
            return
        for task in sorted(os.scandir(self.root), key=lambda entry: entry.name):
            if not task.is_dir() or task.name in RESERVED or task.name.startswith("."):
                continue
            for run in sorted(os.scandir(task.path), key=lambda entry: entry.name):
                path = Path(run.path)
                if not run.name.startswith(".") and (path / layout.CHECKSUMS).is_file():
                    yield BundleEntry(run.name, task.name, path)

    def find(self, run_id: str) -> BundleEntry | None:
        """The bundle of a run."""
        for task in sorted(self.root.iterdir()) if self.root.is_dir() else ():
            path = task / run_id
            if task.name not in RESERVED and (path / layout.CHECKSUMS).is_file():
                return BundleEntry(run_id, task.name, path)
        return None

    def alike(self, run_id: str) -> BundleEntry | None:
        """The bundle of a run, or of one that differs in case alone.

        A checkout on macOS or Windows would keep one of the two.
        """
        folded = run_id.casefold()
        exact = self.find(run_id)
        return exact or next((e for e in self.entries() if e.run_id.casefold() == folded), None)

    def add(self, source: Path, verification: Verification, submitter: str = "") -> BundleEntry:
        """Take in an accepted bundle, and write down what the validator found.

        Raises:
            Rejected: A rule was broken, the bundle is there already, or its run id is taken.
        """
        contents = verification.accept()
        run_id, task = contents.manifest["run_id"], contents.summary["task"]
        self._refuse_known(run_id, contents.sha256)
        target = self.root / task / run_id
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".incoming-", dir=target.parent))
        try:
            copy_bundle(source, work)
            work.chmod(0o755)
            work.rename(target)
        except OSError as error:
            taken = Finding("identity.run", run_id, f"cannot be stored ({error.strerror})")
            raise Rejected([taken]) from None
        finally:
            shutil.rmtree(work, ignore_errors=True)
        self.write_badge(verification, submitter)
        return BundleEntry(run_id, task, target)

    def _refuse_known(self, run_id: str, sha256: str) -> None:
        known = self.alike(run_id)
        if known is not None:
            same = bundle_sha256(known.path) == sha256
            rule = "identity.replay" if same else "identity.run"
            place = f"{known.task}/{known.run_id}"
            raise Rejected([Finding(rule, run_id, f"is in the store as {place}")])
        for badge in self.badges().values():
            if badge["bundle_sha256"] == sha256:
                location = badge["run_id"]
                raise Rejected(
                    [Finding("identity.replay", location, "this bundle is in the store")]
                )

    def _known(self, run_id: str) -> BundleEntry:
        """The bundle of a run.

        Raises:
            UnknownName: There is none; suggests the nearest.
        """
        entry = self.find(run_id)
        if entry is None:
            known = (entry.run_id for entry in self.entries())
            raise UnknownName(f"run of {self.root}", run_id, known)
        return entry

    # --- what the board says ---------------------------------------------------------------

    def write_badge(self, verification: Verification, submitter: str = "") -> JsonObject:
        """Write down what the validator found."""
        contents = verification.accept()
        badge = {
            "run_id": contents.manifest["run_id"],
            "bundle_sha256": contents.sha256,
            "verified_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "verified_by": f"membench {__version__}",
            "submitter": submitter,
            "score": score_badge(verification),
            "standing": verification.origins,
            "flags": list(verification.flags),
            "summary": verification.summary,
        }
        folder = self.root / BADGES
        folder.mkdir(parents=True, exist_ok=True)
        replace_json(folder / f"{badge['run_id']}.json", badge)
        return badge

    def badge(self, run_id: str) -> JsonObject | None:
        """What the validator found; None for a bundle it has not seen."""
        path = self.root / BADGES / f"{run_id}.json"
        if not path.is_file():
            return None
        loaded: JsonObject = orjson.loads(path.read_bytes())
        return loaded

    def badges(self) -> dict[str, JsonObject]:
        """All of them by run id."""
        folder = self.root / BADGES
        paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
        return {path.stem: orjson.loads(path.read_bytes()) for path in paths}

    def verify_all(
        self, data: Path | None = None, *, fresh: bool = False, check: Check = verify_apart
    ) -> Iterator[tuple[BundleEntry, Verification]]:
        """Verify every bundle that has no badge of its present content.

        What is not, byte for byte, what the badge is of is verified anew. The good are badged; why
        another is refused is written down. A bundle that goes away meanwhile is left out.

        Args:
            data: The board's benchmark data; None looks where `run` does.
            fresh: Believe no badge that is there: only who submitted a bundle is kept.
            check: What verifies one bundle.
        """
        for entry in self.entries():
            badge = self.badge(entry.run_id)
            if not fresh and badge is not None and self._stands(entry, badge):
                continue
            verification = in_its_place(entry, check(entry.path, data))
            if verification.accepted:
                self.write_badge(verification, badge["submitter"] if badge else "")
                forget_refusal(self.root, entry.run_id)
            elif (sha256 := sums_sha256(entry.path)) is not None:
                refuse(self.root, entry.run_id, sha256, verification.findings)
            else:
                continue
            yield entry, verification

    def _stands(self, entry: BundleEntry, badge: JsonView) -> bool:
        """Whether a badge is of the present content, with scores that were recomputed."""
        sha256 = sums_sha256(entry.path)
        return (
            bool(badge["standing"])
            and badge["bundle_sha256"] == sha256
            and refusal_of(self.root, entry.run_id, badge["bundle_sha256"]) is None
            and is_intact(entry.path)
        )

    # --- adjudication ----------------------------------------------------------------------

    def adjudicate(self, decision: Adjudication) -> None:
        """Append a decision; nothing is ever taken back but by another one."""
        self.root.mkdir(parents=True, exist_ok=True)
        appender = Appender(self.root / ADJUDICATIONS)
        line = {key: value for key, value in vars(decision).items() if value not in (None, "", ())}
        try:
            appender.append(line)
        finally:
            appender.close()

    def adjudications(self) -> list[Adjudication]:
        """All decisions, oldest first."""
        return [
            Adjudication(**{**line, "links": tuple(line.get("links", ()))})
            for line in read_lines(self.root / ADJUDICATIONS)
        ]

    def withdraw(self, run_id: str, who: str, why: str, *, remove: bool = False) -> None:
        """Take a row out of every ranking; its tombstone stays, its bundle unless `remove`.

        Raises:
            UnknownName: There is no such run.
        """
        entry = self._known(run_id)
        name = label_of(entry)
        self.adjudicate(
            Adjudication(now(), run_id, who, why, "withdrawn", task=entry.task, label=name)
        )
        if remove:
            shutil.rmtree(entry.path)

    def grant(self, run_id: str, badge: str, who: str, why: str, links: tuple[str, ...]) -> None:
        """Set a score badge by decision (`reproduced`).

        Raises:
            UnknownName: No such badge or run.
        """
        if badge not in SCORE_BADGES:
            raise UnknownName("badge", badge, SCORE_BADGES)
        self._known(run_id)
        self.adjudicate(Adjudication(now(), run_id, who, why, score=badge, links=links))


def label_of(entry: BundleEntry) -> str:
    """What a bundle's row is called; its run id where the bundle cannot be read."""
    from membench.leaderboard.store.rows import label

    try:
        return label(manifest_of(open_bundle(entry.path)))
    except (RuleViolation, OSError):
        return entry.run_id


def in_its_place(entry: BundleEntry, verification: Verification) -> Verification:
    """A bundle must lie in the folder of its task and run: its badge is called by that name."""
    bundle = verification.bundle
    if not verification.accepted or bundle is None:
        return verification
    named = (bundle.summary["task"], bundle.manifest["run_id"])
    if named == (entry.task, entry.run_id):
        return verification
    place = f"{entry.task}/{entry.run_id}"
    return Verification((Finding("identity.run", place, f"holds {'/'.join(named)}"),), bundle)


def now() -> str:
    """This moment, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def score_badge(verification: Verification) -> str:
    """`re-scored` if every figure that a rank may use was recomputed, else `self-reported`.

    `unchecked` where the verifier had no data to compare with. What was handed in stays
    self-reported, however right its scores are: nobody saw a system answer.
    """
    if not verification.rescored or verification.bundle is None:
        return "unchecked"
    if verification.bundle.manifest["system"]["protocol"] == "handed-in":
        return "self-reported"
    from membench.tasks.registry import get_task

    card = get_task(verification.bundle.summary["task"]).card
    main = verification.origins.get(card.main_metric)
    offline = verification.origins.get(card.offline_metric)
    return "re-scored" if "claimed" not in (main, offline) else "self-reported"


def bundle_sha256(path: Path) -> str:
    """What identifies a bundle: the hash of its SHA256SUMS."""
    return hashlib.sha256((path / layout.CHECKSUMS).read_bytes()).hexdigest()


def content_state(path: Path) -> str:
    """Changes when a file of a bundle does, is added or goes: by names, sizes and times."""
    try:
        files = sorted(os.scandir(path), key=lambda file: file.name)
    except OSError:
        return ""
    states = "".join(f"{file.name} {file_state(Path(file.path))}\n" for file in files)
    return hashlib.sha256(states.encode()).hexdigest()[:16]


def file_state(path: Path) -> str:
    """When a file was written, and its size; empty where there is none."""
    try:
        state = path.stat()
    except OSError:
        return ""
    return f"{state.st_mtime_ns}.{state.st_size}"


def sums_sha256(path: Path) -> str | None:
    """The same; None for a folder that has none any more."""
    try:
        return bundle_sha256(path)
    except OSError:
        return None


def copy_bundle(source: Path, target: Path) -> None:
    """Copy the files of a bundle as they were verified, from a folder or a zip."""
    for name, data in open_bundle(source).stored.items():
        (target / name).write_bytes(data)


def tombstones(decisions: list[Adjudication]) -> Mapping[str, Adjudication]:
    """The last decision on the state of each withdrawn run."""
    state: dict[str, Adjudication] = {}
    for decision in decisions:
        if decision.state is not None:
            state[decision.run_id] = decision
    return {run: decision for run, decision in state.items() if decision.state == "withdrawn"}
