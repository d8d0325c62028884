"""The temporary folder of a lane, which outlives no run for long.

A lane that is killed cannot remove its folder. Each folder holds a locked file for as long as its
lane lives; the next lane of the same user removes the folders whose lock nobody has.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX = "membench-lane-"
OWNER = ".owner"
"""The locked file in a folder."""

UNLOCKED_S = 3600.0
"""Age from which on a folder without the file is nobody's: it is made right after the folder."""


class WorkFolder:
    """A fresh folder that says that it is in use."""

    def __init__(self, root: Path | None = None) -> None:
        """Remove what others left behind and make a folder.

        Args:
            root: Where; None takes the system's folder for temporary files.
        """
        root = root or Path(tempfile.gettempdir())
        sweep(root)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
        unlocked = self.path / f"{OWNER}.new"
        self._owner = os.open(unlocked, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._owner, fcntl.LOCK_EX)
        unlocked.rename(self.path / OWNER)  # locked from the moment that others can find it

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._owner)


def sweep(root: Path) -> list[Path]:
    """Remove the folders of lanes of this user that are gone.

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
    """Whether a folder without the file has been there for longer than a lane takes to make it."""
    try:
        return time.time() - folder.stat().st_mtime > UNLOCKED_S
    except FileNotFoundError:
        return False
