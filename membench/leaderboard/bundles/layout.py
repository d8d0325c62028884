"""What a bundle is made of: file names, sizes, and patterns of its names.

A **bundle** is the redacted part of a run directory, as a folder or a zip of the same files. Its
entries are an allow-list, so nothing else can travel in it. A bundle is identified by the hash of
its `SHA256SUMS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from membench.records import run_directory

MANIFEST = "manifest.json"
SUMMARY = "summary.json"
PLAY = "play.jsonl.gz"
TEXTS = "texts.jsonl.gz"
ANSWERS = "answers.jsonl.gz"
SCORES = "scores.jsonl.gz"
ENERGY = "energy.jsonl.gz"
GATE = "reader_gate.jsonl.gz"
CHECKSUMS = run_directory.CHECKSUMS

REQUIRED = (MANIFEST, SUMMARY, PLAY, TEXTS, ANSWERS, SCORES, CHECKSUMS)
OPTIONAL = (ENERGY, GATE)
VERDICTS = re.compile(r"verdicts\.([A-Za-z0-9][A-Za-z0-9._-]{0,95})\.jsonl\.gz")
"""A run's `verdicts/<judge_key>.jsonl`; flat, so that no entry of a bundle has a folder."""

CALIBRATION = re.compile(r"calibration\.([A-Za-z0-9][A-Za-z0-9._-]{0,95})\.jsonl\.gz")
"""A run's `verdicts/calibration/<judge_key>.jsonl`: verdicts on candidates made from gold."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9._+@ -]{0,63}$"
"""Names of systems and submitters: what may be shown without further thought."""


@dataclass(frozen=True)
class Limits:
    """Sizes that are enforced while reading.

    Attributes:
        wire_bytes: A zip as sent, or the files of a folder together.
            The 75,336 questions of ConvoMem at k 10 need 50 MB, most of it hashes of memories.
        unpacked_bytes: All entries together once decompressed; LoCoMo needs 3 MB, ConvoMem 270.
            They are read as a stream: no more than a line is held.
        entries: Members of a zip or files of a folder.
        line_bytes: One line of JSON.
        depth: Nesting of one JSON value.
        lines: Lines of one file.
        values: JSON values of one file, keys included.
    """

    wire_bytes: int = 64 * 2**20
    unpacked_bytes: int = 512 * 2**20
    entries: int = 16
    line_bytes: int = 4 * 2**20
    depth: int = 24
    lines: int = 2_000_000
    values: int = 20_000_000


LIMITS = Limits()


def sums_text(hashes: Mapping[str, str]) -> bytes:
    """SHA256SUMS as sha256sum writes it, sorted by name: equal files give equal bytes."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items())).encode()


def allowed(name: str) -> bool:
    """Whether a bundle may hold an entry of this name."""
    return name in REQUIRED or name in OPTIONAL or judge_file(name)


def judge_file(name: str) -> bool:
    """Whether an entry holds verdicts of a judge."""
    return any(pattern.fullmatch(name) for pattern in (VERDICTS, CALIBRATION))
