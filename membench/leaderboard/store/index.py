"""The index: every row of the board as three Parquet tables, rebuilt from the store at any time.

`runs` has one line per bundle, keyed by the hash of its manifest, `figures` one per (run, figure),
`cells` one per (run, headline figure) with its sums by case. Only bundles that are new or whose
checksums or badge changed on disk are read again. The server alone writes Parquet.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from membench.domain.labels import JsonObject, JsonView
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
    tombstones,
)
from membench.leaderboard.validation import Rejected, verify_form
from membench.leaderboard.validation.parsing import manifest_of, summary_of
from membench.leaderboard.validation.rules import Finding
from membench.leaderboard.validation.unpacking import open_bundle
from membench.records.canonical import canonical_sha256
from membench.records.summary import Summary

Frame: TypeAlias = Any
"""A `pandas.DataFrame`; pandas has no types and is imported where it is used."""

FOLDER = "_index"
TABLES = ("runs", "figures", "cells")
VERSION = 22
"""Of the tables' shape: an index of another version is built anew."""


@dataclass(frozen=True)
class Index:
    """The three tables in memory, with decisions applied.

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
    known = dict(zip(tables["runs"]["run_id"], tables["runs"]["key"], strict=True))
    wanted = {entry.run_id: (entry, key_of(store, entry)) for entry in store.entries()}
    fresh = {run: pair for run, pair in wanted.items() if known.get(run) != pair[1]}
    gone = set(known) - set(wanted)
    problems: dict[str, str] = {}
    if fresh or gone:
        tables = merged(tables, store, fresh, gone, problems)
        write_tables(store, tables)
    return load(store, tables, problems)


def key_of(store: Store, entry: BundleEntry) -> str:
    """Changes when the bundle, its badge or a refusal is written anew; none of them is read."""
    files = (
        entry.path / layout.CHECKSUMS,
        store.root / BADGES / f"{entry.run_id}.json",
        refusal_file(store.root, entry.run_id),
    )
    return ".".join(f"{s.st_mtime_ns}.{s.st_size}" for s in map(file_state, files) if s)


def file_state(path: Path) -> os.stat_result | None:
    """When a file was written, and its size; None where there is none."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def stored_tables(store: Store) -> dict[str, Frame]:
    """The tables on disk, or empty ones."""
    import pandas as pd

    folder = index_folder(store)
    if (folder / f"v{VERSION}").is_file() and all(
        (folder / f"{t}.parquet").is_file() for t in TABLES
    ):
        return {table: pd.read_parquet(folder / f"{table}.parquet") for table in TABLES}
    return empty_tables()


def empty_tables() -> dict[str, Frame]:
    """Tables without lines."""
    import pandas as pd

    return {
        "runs": pd.DataFrame(columns=["run_id", "key"]),
        "figures": pd.DataFrame(columns=["run_id", "name", "value", "low", "high", "n", "few"]),
        "cells": pd.DataFrame(columns=["run_id", "name", "sums", "counts"]),
    }


def merged(
    tables: Mapping[str, Frame],
    store: Store,
    fresh: Mapping[str, tuple[BundleEntry, str]],
    gone: set[str],
    problems: dict[str, str],
) -> dict[str, Frame]:
    """Replace the lines of fresh runs and drop those of runs that are gone.

    A folder that is no bundle is named in `problems` and hides no other.
    """
    import pandas as pd

    lines: dict[str, list[JsonObject]] = {table: [] for table in TABLES}
    for entry, key in fresh.values():
        refusal = refusal_of(store.root, entry.run_id, bundle_sha256(entry.path))
        if refusal is not None:
            problems[entry.run_id] = str(refusal)
            continue
        try:
            row = read_row(store, entry)
        except Exception as error:
            problems[entry.run_id] = f"{type(error).__name__}: {error}"[:300]
            continue
        for table, line in row_lines(row, key):
            lines[table].append(line)
    out = set(fresh) | gone
    result = {}
    for table in TABLES:
        old = tables[table][~tables[table]["run_id"].isin(out)]
        parts = [part for part in (old, pd.DataFrame(lines[table])) if len(part)]
        joined = pd.concat(parts, ignore_index=True) if parts else empty_tables()[table]
        result[table] = joined
    return result


def row_lines(row: BundleFigures, key: str) -> Iterator[tuple[str, JsonObject]]:
    """A row as lines of the three tables."""
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
    (folder / f"v{VERSION}").touch()
    for table, frame in tables.items():
        handle, name = tempfile.mkstemp(prefix=f".{table}.", dir=folder)
        os.close(handle)
        frame.to_parquet(name, compression="zstd", index=False)
        Path(name).replace(folder / f"{table}.parquet")


def index_folder(store: Store) -> Path:
    """Inside the store, or in the user cache where the store cannot be written."""
    if os.access(store.root, os.W_OK):
        return store.root / FOLDER
    import platformdirs

    name = hashlib.sha256(str(store.root.resolve()).encode()).hexdigest()[:16]
    return platformdirs.user_cache_path("membench") / "index" / name
