"""The index: every row of the board as Parquet tables, rebuilt from the store at any time.

`runs` has one line per bundle, keyed by the hash of its manifest, `figures` one per (run, figure),
`cells` one per (run, headline figure) with its sums by case, `refused` one per folder that is no
row. Only bundles that are new, or of which a file, the badge or a refusal changed on disk, are
read again.

The tables lie in one zip file that is named by their version, so that one move replaces all of
them: no reader sees tables of different times or versions. The server alone writes Parquet.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from membench.domain.labels import JsonObject, JsonView
from membench.domain.whole_file import written_whole
from membench.energy.verification.repeats import Repeat, verdict_of
from membench.leaderboard.bundles import layout
from membench.leaderboard.store.bundle_lines import BundleRows, read_lines
from membench.leaderboard.store.refusals import refusal_file, refusal_of
from membench.leaderboard.store.rows import BundleFigures, build_row
from membench.leaderboard.store.store import (
    BADGES,
    VERIFIER_BADGES,
    BundleEntry,
    Store,
    bundle_sha256,
    content_state,
    file_state,
    tombstones,
)
from membench.leaderboard.validation import Rejected, verify_form
from membench.leaderboard.validation.parsing import manifest_of, summary_of
from membench.leaderboard.validation.rules import Finding, RuleViolation
from membench.leaderboard.validation.unpacking import open_bundle
from membench.records.canonical import canonical_sha256
from membench.records.summary import Summary

Frame: TypeAlias = Any
"""A `pandas.DataFrame`; pandas has no types and is imported where it is used."""

FOLDER = "_index"
TABLES = ("runs", "figures", "cells", "refused")
VERSION = 24
"""Of the tables' shape: an index of another version is built anew."""

FILE = f"v{VERSION}.zip"
LOCK = ".lock"
UNFINISHED = frozenset({"check.ended", "check.limits"})
"""Rules that say of a check that it did not come to its end; the next one may."""


@dataclass(frozen=True)
class Index:
    """The tables in memory, with decisions applied.

    Attributes:
        runs: One line per bundle and tombstone.
        figures: run_id, name, value, low, high, n, few.
        cells: run_id, name, sums, counts.
        stamp: Changes whenever the index does: key of caches.
        problems: Why folders of the store are no bundles, by run id.
    """

    runs: Frame
    figures: Frame
    cells: Frame
    stamp: str
    problems: Mapping[str, str] = field(default_factory=dict)


def refresh(store: Store) -> Index:
    """Bring the index up to date and load it."""
    tables = stored_tables(store)
    known = keys_in(tables)
    wanted = {entry.run_id: (entry, key_of(store, entry)) for entry in store.entries()}
    fresh = {run: pair for run, pair in wanted.items() if known.get(run) != pair[1]}
    read = read_all(store, fresh)
    tables = replaced(tables, read.lines, set(fresh) | (set(known) - set(wanted)))
    if keys_in(tables) != known:
        write_tables(store, tables)
    refused = tables["refused"]
    told = dict(zip(refused["run_id"], refused["problem"], strict=True))
    return load(store, tables, told | read.unread)


def keys_in(tables: Mapping[str, Frame]) -> dict[str, str]:
    """The key under which each run of the tables was read, those that were refused included."""
    return {
        run: key
        for table in ("runs", "refused")
        for run, key in zip(tables[table]["run_id"], tables[table]["key"], strict=True)
    }


def key_of(store: Store, entry: BundleEntry) -> str:
    """Changes when a file of the bundle, its badge or a refusal does; none of them is read."""
    files = (
        store.root / BADGES / f"{entry.run_id}.json",
        refusal_file(store.root, entry.run_id),
    )
    return "-".join((content_state(entry.path), *map(file_state, files)))


def stored_tables(store: Store) -> dict[str, Frame]:
    """The tables on disk, or empty ones."""
    import pandas as pd

    try:
        with zipfile.ZipFile(index_folder(store) / FILE) as packed:
            return {
                table: pd.read_parquet(io.BytesIO(packed.read(f"{table}.parquet")))
                for table in TABLES
            }
    except (FileNotFoundError, zipfile.BadZipFile, KeyError):
        return empty_tables()


def empty_tables() -> dict[str, Frame]:
    """Tables without lines."""
    import pandas as pd

    return {
        "runs": pd.DataFrame(columns=["run_id", "key"]),
        "figures": pd.DataFrame(columns=["run_id", "name", "value", "low", "high", "n", "few"]),
        "cells": pd.DataFrame(columns=["run_id", "name", "sums", "counts"]),
        "refused": pd.DataFrame(columns=["run_id", "key", "problem"]),
    }


@dataclass
class ReadBundles:
    """What was read of fresh bundles.

    Attributes:
        lines: New lines by table.
        unread: Why a folder could not be read this time, by run id; the next refresh tries again.
    """

    lines: dict[str, list[JsonObject]] = field(default_factory=lambda: {t: [] for t in TABLES})
    unread: dict[str, str] = field(default_factory=dict)


def read_all(store: Store, fresh: Mapping[str, tuple[BundleEntry, str]]) -> ReadBundles:
    """Read fresh bundles; a folder that is none hides no other."""
    read = ReadBundles()
    for entry, key in fresh.values():
        try:
            for table, line in lines_of(store, entry, key):
                read.lines[table].append(line)
        except Exception as error:
            read.unread[entry.run_id] = problem_of(error)
    return read


def lines_of(store: Store, entry: BundleEntry, key: str) -> list[tuple[str, JsonObject]]:
    """One bundle as lines of the tables; a folder that is no row is one of `refused`.

    Raises:
        Exception: It could not be read, which says nothing of its content.
    """
    refusal = refusal_of(store.root, entry.run_id, bundle_sha256(entry.path))
    problem = str(refusal)
    if refusal is None:
        try:
            return list(row_lines(read_row(store, entry), key))
        except Exception as error:
            if not is_about_content(error):
                raise
            problem = problem_of(error)
    return [("refused", {"run_id": entry.run_id, "key": key, "problem": problem})]


def is_about_content(error: Exception) -> bool:
    """Whether what was read is at fault: no file that would not open, no check that was ended."""
    if isinstance(error, Rejected):
        return not any(finding.rule in UNFINISHED for finding in error.findings)
    return not isinstance(error, MemoryError) and getattr(error, "errno", None) is None


def problem_of(error: Exception) -> str:
    """What the board says of a folder that is no row."""
    if isinstance(error, RuleViolation):
        return f"refused: {error.finding}"[:300]
    return f"{type(error).__name__}: {error}"[:300]


def replaced(
    tables: Mapping[str, Frame], lines: Mapping[str, list[JsonObject]], out: set[str]
) -> dict[str, Frame]:
    """Drop the lines of some runs, and add others."""
    import pandas as pd

    result = {}
    for table in TABLES:
        old = tables[table][~tables[table]["run_id"].isin(out)]
        parts = [part for part in (old, pd.DataFrame(lines[table])) if len(part)]
        joined = pd.concat(parts, ignore_index=True) if parts else empty_tables()[table]
        result[table] = joined
    return result


def row_lines(row: BundleFigures, key: str) -> Iterator[tuple[str, JsonObject]]:
    """A row as lines of the tables."""
    run_id = row.facts["run_id"]
    yield "runs", {**row.facts, "key": key}
    for name, figure in row.figures.items():
        yield "figures", {"run_id": run_id, "name": name, **asdict(figure)}
    for name, cells in row.cells.items():
        yield "cells", {"run_id": run_id, "name": name, "sums": cells.sums, "counts": cells.counts}


def read_row(store: Store, entry: BundleEntry) -> BundleFigures:
    """The row of one bundle, with the verifier's figures where it has any.

    Raises:
        Rejected: Its folder is called otherwise than its run, as a copy's is; or nobody has
            verified it, and it breaks a rule that needs no data.
    """
    opened = open_bundle(entry.path)
    badge = store.badge(entry.run_id)
    current = badge if badge is not None and badge["bundle_sha256"] == opened.sha256 else None
    if current is None:
        verify_form(opened).accept()
    lines = partial(read_lines, opened, trusted=current is not None)
    manifest = manifest_of(opened)
    if manifest.run_id != entry.run_id:
        found = Finding("identity.run", entry.run_id, f"holds run '{manifest.run_id}'")
        raise Rejected([found])
    summary = Summary.from_json(current["summary"]) if current else summary_of(opened)
    rows = BundleRows(opened, trusted=current is not None)
    play = (line for line in lines(layout.PLAY) if "note" not in line)
    row = build_row(manifest, summary, rows, play, lines(layout.ANSWERS))
    row.facts.update(badge_facts(current))
    row.facts.update(submitted_by(row.facts["submitter"], row.facts))
    manifest_bytes = opened.stored[layout.MANIFEST]
    row.facts["manifest_sha256"] = hashlib.sha256(manifest_bytes).hexdigest()
    return row


def badge_facts(badge: JsonView | None) -> JsonObject:
    """What the badge adds to a row."""
    if badge is None:
        return {"score": "unchecked", "submitter": "", "verified": "", "flags": ""}
    return {
        "score": badge["score"] if badge["score"] in VERIFIER_BADGES else "unchecked",
        "submitter": badge["submitter"],
        "verified": badge["verified_utc"],
        "flags": " ".join(badge["flags"]),
    }


def submitted_by(submitter: str, facts: JsonView) -> JsonObject:
    """Label and configuration of a row whose submitter is known.

    Only attempts of one submitter are attempts at one thing: nobody moves the median of another.
    """
    if not submitter:
        return {}
    return {
        "label": f"{facts['label']} by {submitter}",
        "configuration": canonical_sha256([facts["configuration"], submitter])[:12],
    }


def load(
    store: Store, tables: Mapping[str, Frame], problems: Mapping[str, str] | None = None
) -> Index:
    """Apply the decisions to the tables."""
    import pandas as pd

    runs = tables["runs"].copy()
    decisions = store.adjudications()
    withdrawn = tombstones(decisions)
    lost = [
        {
            "run_id": run,
            "task": decision.task,
            "label": decision.label,
            "created": decision.when_utc,
        }
        for run, decision in withdrawn.items()
        if run not in set(runs["run_id"])
    ]
    if lost:
        runs = pd.concat([runs, pd.DataFrame(lost)], ignore_index=True)
    runs["withdrawn"] = runs["run_id"].isin(withdrawn)
    for decision in decisions:
        if decision.score is not None and "score" in runs:
            runs.loc[runs["run_id"] == decision.run_id, "score"] = decision.score
    if "content" in runs:
        runs.loc[copied(runs), "flags"] += " flag.copy"
    if "configuration" in runs:
        runs["attempts"] = runs.groupby("configuration", dropna=False)["run_id"].transform("count")
        runs["energy_verified"] = verified_joules(runs)
    known = sorted(map(str, runs.get("manifest_sha256", ())))
    badges = sorted(map(str, runs.get("verified", ())))
    stamp = hashlib.sha256(f"{known} {badges} {decisions}".encode()).hexdigest()
    return Index(runs, tables["figures"], tables["cells"], stamp[:16], problems or {})


def verified_joules(runs: Frame) -> Any:
    """Whether the joules of a row are verified: by its configuration's attempts together."""
    measured = runs["energy_repeat"].fillna("") != ""
    standing = runs[measured & ~runs["withdrawn"]]
    verdicts = {
        configuration: verdict_of([Repeat.from_json(orjson.loads(text)) for text in texts]).verified
        for configuration, texts in standing.groupby("configuration")["energy_repeat"]
    }
    return measured & runs["configuration"].map(verdicts).eq(True)


def copied(runs: Frame) -> Any:
    """Which rows have the content of a row of another system."""
    known = runs[runs["content"].notna() & (runs["content"] != "")]
    systems = known.groupby("content")["system"].nunique()
    return runs["content"].isin(systems[systems > 1].index)


def write_tables(store: Store, tables: Mapping[str, Frame]) -> None:
    """Replace the index; readers see the old one or the new one."""
    folder = index_folder(store)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        with written_whole(folder / FILE) as file, zipfile.ZipFile(file, "w") as packed:
            for table in TABLES:
                data = tables[table].to_parquet(None, compression="zstd", index=False)
                packed.writestr(f"{table}.parquet", data)
        for other in folder.iterdir():
            if other.is_file() and other.name not in (FILE, LOCK):
                other.unlink()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time writes an index."""
    with (folder / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def index_folder(store: Store) -> Path:
    """Inside the store, or in the user cache where the store cannot be written."""
    if os.access(store.root, os.W_OK):
        return store.root / FOLDER
    import platformdirs

    name = hashlib.sha256(str(store.root.resolve()).encode()).hexdigest()[:16]
    return platformdirs.user_cache_path("membench") / "index" / name
