"""Files that are replaced whole: whoever reads one sees the old content or the new, never half."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Write beside a file, and move what was written there once it is on the disk.

    If anything fails, the file stays as it was and what was written beside it is removed. What a
    killed process left there is overwritten: one process at a time may write the same file.

    Args:
        path: The file; its folder exists.

    Yields:
        Where to write.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
