"""The bundles behind a page, read once and kept for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from membench.domain.errors import RunStateError
from membench.domain.labels import JsonObject, JsonView
from membench.domain.score import Score
from membench.leaderboard.store.bundle_lines import BundleRows, read_lines
from membench.leaderboard.store.reading import reading
from membench.leaderboard.store.store import Store, content_state, file_state
from membench.leaderboard.validation.parsing import manifest_of, summary_of
from membench.leaderboard.validation.unpacking import UnpackedBundle, open_bundle
from membench.records.manifest import Manifest
from membench.records.summary import Summary


@dataclass(frozen=True)
class LoadedBundle:
    """One bundle in memory.

    Attributes:
        manifest: manifest.json.
        summary: The verifier's summary, or the bundle's own without a badge.
        badge: What the validator found; None for a bundle it has not seen.
        opened: The files.
    """

    manifest: Manifest
    summary: Summary
    badge: JsonView | None
    opened: UnpackedBundle

    def lines(self, name: str) -> list[JsonObject]:
        """Lines of a file; strictly read, unless the validator has read it before."""
        return list(read_lines(self.opened, name, trusted=self.badge is not None))

    def rows(self) -> list[Score]:
        """Score rows."""
        return list(BundleRows(self.opened, trusted=self.badge is not None))


def load(store: Store, run_id: str) -> LoadedBundle:
    """A bundle of the store.

    Raises:
        RunStateError: There is none of that run, or its files are not those that it came with.
    """
    entry = store.find(run_id)
    if entry is None:
        raise RunStateError(f"there is no run '{run_id}'", "It may have been withdrawn.")
    badge = store.root / "badges" / f"{run_id}.json"
    state = f"{content_state(entry.path)}-{file_state(badge)}"
    with reading(entry.path):
        return _loaded(store.root, run_id, entry.path, state)


@lru_cache(maxsize=24)
def _loaded(root: Path, run_id: str, path: Path, state: str) -> LoadedBundle:
    opened = open_bundle(path)
    badge = Store(root).badge(run_id)
    current = badge if badge is not None and badge["bundle_sha256"] == opened.sha256 else None
    summary = Summary.from_json(current["summary"]) if current else summary_of(opened)
    return LoadedBundle(manifest_of(opened), summary, current, opened)


def question_rows(rows: Sequence[Score]) -> list[Score]:
    """Rows that belong to questions."""
    return [row for row in rows if row.kind == "question"]
