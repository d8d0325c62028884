"""Temporary folders that outlive no process for long.

A process that is killed cannot remove its folder. Each folder holds a locked file for as long as
its process lives; the next one of the same user removes the folders whose lock nobody has.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX = "membench-tmp-"
OWNER = ".owner"
"""The locked file in a folder."""
UNLOCKED = f"{OWNER}.new"
"""The same file before it is locked."""

UNLOCKED_S = 3600.0
"""Age from which on a folder without the file is nobody's: it is made right after the folder."""


class TemporaryFolder:
    """A fresh folder that says that it is in use; a `with` is given an empty one inside."""

    def __init__(self, purpose: str, root: Path | None = None) -> None:
        """Remove what others left behind and make a folder.

        Args:
            purpose: What it is for: a part of its name.
            root: Where; None takes the system's folder for temporary files.
        """
        root = root or Path(tempfile.gettempdir())
        sweep(root)
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-", dir=root))
        unlocked = self.path / UNLOCKED
        self._owner = os.open(unlocked, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._owner, fcntl.LOCK_EX)
        unlocked.rename(self.path / OWNER)  # locked from the moment that others can find it

    def __enter__(self) -> Path:
        """An empty folder in it."""
        inner = self.path / "files"
        inner.mkdir()
        return inner

    def __exit__(self, *_: object) -> None:
        """Remove the folder."""
        self.close()

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._owner)


def sweep(root: Path) -> list[Path]:
    """Remove the folders of this user's processes that are gone.

    Returns:
        What was removed.
    """
    gone = [folder for folder in root.glob(f"{PREFIX}*") if is_mine(folder) and is_left(folder)]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return gone


def is_mine(folder: Path) -> bool:
    """Whether it is a folder, no link, of this user."""
    try:
        entry = folder.lstat()
    except FileNotFoundError:
        return False
    return folder.is_dir() and not folder.is_symlink() and entry.st_uid == os.getuid()


def is_left(folder: Path) -> bool:
    """Whether no process holds the folder's lock."""
    try:
        owner = os.open(folder / OWNER, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return is_old(folder)
    except OSError:
        return False
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(owner)
    return True


def is_old(folder: Path) -> bool:
    """Whether a folder that was not yet in use has been there for longer than it takes to lock it.

    One with anything else in it was named so by somebody else.
    """
    try:
        age_s = time.time() - folder.stat().st_mtime
        return age_s > UNLOCKED_S and set(os.listdir(folder)) <= {UNLOCKED}  # noqa: PTH208
    except OSError:
        return False
