"""uv: where it is, and how it is told what pip is configured with."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from membench.adapters.environment.problem import EnvironmentProblem

PIP_TO_UV: Mapping[str, str] = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}
"""What pip calls a setting -> the variable by which uv takes it."""


SOURCES = ("UV_FIND_LINKS", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL")


def find_uv() -> Path:
    """The uv program: of the package `uv`, else on the path.

    Raises:
        EnvironmentProblem: There is none.
    """
    try:
        from uv import find_uv_bin  # type: ignore[import-not-found,unused-ignore]

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise EnvironmentProblem(
            "environments of third-party systems are built with uv, which is not installed",
            "Install it: pip install 'membench[packages]'",
        )
    return Path(found)


def uv_variables() -> dict[str, str]:
    """The variables uv runs with: ours, and what pip is configured to use where uv has no word."""
    variables = dict(os.environ)
    for name, value in pip_settings().items():
        target = PIP_TO_UV[name]
        if target == "UV_DEFAULT_INDEX" and "UV_INDEX_URL" in variables:
            continue
        variables.setdefault(target, value)
    if "UV_EXTRA_INDEX_URL" in variables:
        # As pip does: the best match of all indexes, not the first index that knows the name.
        variables.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return variables


def pip_settings() -> dict[str, str]:
    """What `pip config list` says of the settings uv has a word for; the environment's win."""
    pip = pip_command()
    if not pip:
        return {}
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False)
    settings: dict[str, str] = {}
    for line in sorted(listed.stdout.splitlines(), key=lambda line: not line.startswith(":env:")):
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        if name in PIP_TO_UV:
            settings.setdefault(name, " ".join(shlex.split(value)))
    return settings


def pip_command() -> list[str]:
    """How pip is called: ours, else the one on the path; a virtual environment of uv has none."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip") or shutil.which("pip3")
    return [found] if found else []
