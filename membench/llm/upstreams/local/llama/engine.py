"""What runs GGUF files on this machine: the package xllamacpp, or a llama.cpp server of one's own.

The package works at once, but is built for common processors (AVX2 on x86-64). A `llama-server`
that was built on a machine uses all that its processor or its GPU can do; the environment variable
`MEMBENCH_LLAMA_SERVER` names it. Which of them there is belongs to the machine and not to a run;
what ran is in the manifest and the comparison key.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from membench.domain.errors import UsageError

PACKAGE = "xllamacpp"
VARIABLE = "MEMBENCH_LLAMA_SERVER"

VERSION = re.compile(r"^version: (\S.*?)\s*$", re.MULTILINE)
"""A line of `llama-server --version`: `version: 8120 (1a2b3c4)`, or, since version 0.6,
`version: 0.6.0 (build 11434, commit 1a2b3c4)`."""

ASKED_S = 60.0
"""How long a program may take to state its version; a GPU is looked for meanwhile."""


@dataclass(frozen=True)
class Engine:
    """What runs a file.

    Attributes:
        title: Name and version, as manifest and comparison key have them.
        program: Path of the server program; empty for the package.
    """

    title: str
    program: str = ""


def find_engine() -> Engine | None:
    """The program that the environment names, else the package; None where neither is there.

    Raises:
        UsageError: The environment names something that is no llama.cpp server.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        return _program(named)
    if importlib.util.find_spec(PACKAGE) is None:
        return None
    return Engine(f"{PACKAGE} {metadata.version(PACKAGE)}")


def _program(named: str) -> Engine:
    """The engine behind a program's name or path."""
    path = shutil.which(str(Path(named).expanduser()))
    if path is None:
        raise UsageError(
            f"{VARIABLE}: '{named}' is no program that can be started",
            "Name llama.cpp's server: the path of llama-server, or its name if it is on the PATH.",
        )
    version = _version(path, Path(path).stat().st_mtime_ns)
    if version is None:
        raise UsageError(
            f"{VARIABLE}: '{named}' does not state a version as llama.cpp's server does",
            f"Look at: {named} --version",
        )
    return Engine(f"llama-server {version}", path)


@cache
def _version(path: str, stamp: int) -> str | None:
    """The version that a program states, asked once as long as it does not change."""
    try:
        asked = subprocess.run(
            (path, "--version"), capture_output=True, text=True, timeout=ASKED_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = VERSION.search(asked.stdout + asked.stderr)
    return found and found[1]
