"""The hash of what a run recorded, equal wherever the same spec was run."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np

from membench.domain.case import Case
from membench.records.attempts import CaseAttempt
from membench.records.canonical import canonical_json

SIZE = hashlib.sha256().digest_size


class ContentHash:
    """`content_sha256`: hash of the results of a run, without telemetry.

    Per case, the canonical JSON of every record's content in the order (event, phase), and of
    texts.jsonl without its texts; cases in the order of their opaque ids. A free text counts by
    its hash, so that a redacted bundle has the same content hash.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._cases: array[int] = array("Q")
        self._digests = bytearray()
        self._complete = True

    def add(self, case: Case, loaded: CaseAttempt) -> None:
        """Take in the final attempt at a case."""
        if loaded.attempt is None:
            self._complete = False
            return
        digest = hashlib.sha256()
        answers = (loaded.answers or {}).values()
        records = sorted([*loaded.records, *answers], key=lambda r: (r.event, r.phase))
        for record in records:
            digest.update(canonical_json([record.event, record.phase, hashed(record.content)]))
            digest.update(b"\n")
        for line in loaded.texts:
            kept = {key: line[key] for key in ("n", "sha256", "tokens", "sources", "time")}
            digest.update(canonical_json(kept) + b"\n")
        self._cases.append(int(case.id, 16))
        self._digests += digest.digest()

    def merge(self, other: ContentHash) -> None:
        """Take in other cases."""
        self._cases.extend(other._cases)
        self._digests += other._digests
        self._complete &= other._complete

    def hexdigest(self) -> str | None:
        """The hash, or None while a case has no complete attempt."""
        if not self._complete:
            return None
        whole = hashlib.sha256(b"[")
        numbers = np.asarray(self._cases)
        for place, at in enumerate(np.argsort(numbers)):
            digest = self._digests[SIZE * at : SIZE * (at + 1)]
            pair = canonical_json([f"{self._cases[at]:016x}", digest.hex()])
            whole.update(b"," + pair if place else pair)
        whole.update(b"]")
        return whole.hexdigest()


def hashed(content: object) -> Any:
    """Content with every free text left out; its `sha256` stands beside it."""
    if isinstance(content, Mapping):
        return {key: hashed(value) for key, value in content.items() if key != "text"}
    if isinstance(content, list | tuple):
        return [hashed(value) for value in content]
    return content
