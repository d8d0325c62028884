"""Finding and opening benchmark files.

Order (DESIGN 3.2): `--data`, `$MEMBENCH_DATA`, the user cache. `--split sample` is a file of our
own inside the task's folder.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, cast


@dataclass(frozen=True)
class Source:
    """One data file of one split; `.gz` is decompressed on the fly.

    Attributes:
        path: The file.
        split: Which split it holds.
        partial: True for a file known to hold only part of its split.
    """

    path: Path
    split: str
    partial: bool = False

    def open(self) -> IO[bytes]:
        """Open the content for reading, decompressed."""
        if self.path.suffix == ".gz":
            return cast(IO[bytes], gzip.open(self.path, "rb"))
        return self.path.open("rb")

    @cached_property
    def sha256(self) -> str:
        """Hash of the stored bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
