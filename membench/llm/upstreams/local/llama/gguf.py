"""The head of a GGUF file: what a model is, read without loading it.

Layout as in llama.cpp's `docs/gguf.md`: magic, version, counts, key-value pairs, tensor infos. Long
arrays (vocabularies) are skipped, so that a head is read in milliseconds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from membench.domain.errors import DataError

MAGIC = b"GGUF"
VERSIONS = (2, 3)

_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
"""Type number of a value -> its `struct` code."""

FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4_MOE",
}
"""`general.file_type` -> the name of the quantisation that most tensors have (`llama_ftype`)."""

LONGEST_TEXT = 64 * 2**20
"""Bytes; a longer string is a sign that the file is something else."""

Value = str | int | float | bool


@dataclass(frozen=True)
class GgufHead:
    """What the head of a file says.

    Attributes:
        size: Bytes of the file.
        values: Keys with a single value; arrays are left out.
    """

    size: int
    values: dict[str, Value]

    @property
    def architecture(self) -> str:
        """The model's architecture (`llama`, `qwen3`, `bert`)."""
        return str(self.values.get("general.architecture", ""))

    @property
    def quantisation(self) -> str:
        """Name of the quantisation that most tensors have."""
        number = self.values.get("general.file_type")
        return FILE_TYPES.get(int(number), f"type {number}") if number is not None else "unknown"

    @property
    def context_length(self) -> int | None:
        """Tokens of context the model was trained with."""
        return self._whole("context_length")

    @property
    def chat_template(self) -> str | None:
        """The chat template inside the file."""
        found = self.values.get("tokenizer.chat_template")
        return None if found is None else str(found)

    @property
    def only_embeds(self) -> bool:
        """Whether it gives vectors instead of words: an encoder, or a model with a pooling type."""
        causal = self.values.get(f"{self.architecture}.attention.causal", True)
        return not causal or bool(self._whole("pooling_type"))

    def cache_bytes(self, tokens: int) -> int:
        """Bytes of the key-value cache of a context, at 16 bits; 0 where the head does not say."""
        heads = self._whole("attention.head_count")
        layers, width = self._whole("block_count"), self._whole("embedding_length")
        if not heads or not layers or not width:
            return 0
        shared = self._whole("attention.head_count_kv") or heads
        own = self._whole("attention.key_length") or width // heads
        return 2 * 2 * tokens * layers * shared * own

    def _whole(self, name: str) -> int | None:
        """A whole number of the architecture's own keys."""
        found = self.values.get(f"{self.architecture}.{name}")
        return int(found) if isinstance(found, int) else None


def read_head(path: Path) -> GgufHead:
    """Read the head of a file.

    Raises:
        DataError: There is no such file, it is no GGUF file, or it is cut off.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            return _head(path, file, size)
    except IsADirectoryError:
        raise DataError(path, "", "is a folder, not a GGUF file") from None
    except FileNotFoundError:
        raise DataError(path, "", "there is no such file", "Write gguf:PATH.") from None
    except OSError as error:
        raise DataError(path, "", f"cannot be read: {error.strerror}") from None


def _head(path: Path, file: BinaryIO, size: int) -> GgufHead:
    """Magic, values, and whether the tensors can all be there."""
    if file.read(4) != MAGIC:
        raise DataError(path, "", "is not a GGUF file", "Convert the model with llama.cpp.")
    reader = _Reader(path, file)
    version = reader.number("I")
    if version not in VERSIONS:
        raise DataError(path, "", f"is GGUF of version {version}, known are 2 and 3")
    tensors, pairs = reader.number("Q"), reader.number("Q")
    values: dict[str, Value] = {}
    for _ in range(pairs):
        name = reader.text()
        found = reader.value(reader.number("I"))
        if found is not None:
            values[name] = found
    last = max((reader.tensor_offset() for _ in range(tensors)), default=0)
    if tensors and file.tell() + last >= size:
        raise DataError(
            path,
            "",
            f"is cut off: {size:,} bytes, and a tensor begins at {file.tell() + last:,}",
            "Fetch it again.",
        )
    return GgufHead(size, values)


class _Reader:
    """Reads little-endian values in order."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        """Start where the file stands."""
        self._path = path
        self._file = file

    def _bytes(self, count: int) -> bytes:
        found = self._file.read(count)
        if len(found) != count:
            raise DataError(self._path, "", "is cut off in its head", "Fetch it again.")
        return found

    def number(self, code: str) -> int:
        """One whole number."""
        return int(self._scalar(code))

    def _scalar(self, code: str) -> Value:
        found: Value = struct.unpack(f"<{code}", self._bytes(struct.calcsize(code)))[0]
        return found

    def text(self) -> str:
        """One string."""
        length = self.number("Q")
        if length > LONGEST_TEXT:
            raise DataError(self._path, "", f"is damaged: a string of {length:,} bytes")
        return self._bytes(length).decode("utf-8", errors="replace")

    def value(self, kind: int) -> Value | None:
        """One value; None for an array, which is skipped."""
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            self._skip_array()
            return None
        if kind not in _SCALARS:
            raise DataError(self._path, "", f"is damaged: a value of unknown type {kind}")
        return self._scalar(_SCALARS[kind])

    def _skip_array(self) -> None:
        """Go on behind an array."""
        kind, count = self.number("I"), self.number("Q")
        if kind in _SCALARS:
            self._file.seek(count * struct.calcsize(_SCALARS[kind]), 1)
            return
        for _ in range(count):
            if kind == _STRING:
                self._file.seek(self.number("Q"), 1)
            else:
                self.value(kind)

    def tensor_offset(self) -> int:
        """The offset of the next tensor's data behind the head."""
        self.text()
        for _ in range(self.number("I")):
            self.number("Q")
        self.number("I")
        return self.number("Q")
