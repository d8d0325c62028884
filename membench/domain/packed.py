"""Many small values in few bytes each: a run has millions of them. Standard library alone."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from heapq import merge

WIDER = {"B": "H", "H": "I", "I": "Q"}


class PackedNumbers:
    """Whole numbers from 0, in the fewest bytes (1, 2, 4 or 8) that the largest of them needs.

    Adding what is no such number, or needs more, raises what an array raises.

    Attributes:
        values: The numbers as an array, replaced by a wider one when it must be.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.values: array[int] = array("B")

    def append(self, number: int) -> None:
        """Add one."""
        self._hold(number)
        self.values.append(number)

    def __setitem__(self, at: int, number: int) -> None:
        """Replace one."""
        self._hold(number)
        self.values[at] = number

    def _hold(self, number: int) -> None:
        """Be wide enough for a number."""
        while number >> (8 * self.values.itemsize) and self.values.typecode in WIDER:
            self.values = array(WIDER[self.values.typecode], self.values)

    def __getitem__(self, at: int) -> int:
        """One of them."""
        return self.values[at]

    def __iter__(self) -> Iterator[int]:
        """All of them, in the order in which they came."""
        return iter(self.values)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.values)


class PackedStrings:
    """Strings as UTF-8 behind each other, and where each ends."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Start with some."""
        self._data = bytearray()
        self._ends = PackedNumbers()
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """Add one."""
        self._data += text.encode()
        self._ends.append(len(self._data))

    def __getitem__(self, at: int) -> str:
        """One of them."""
        return self._bytes(range(len(self))[at]).decode()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._ends)

    def encoded(self) -> Iterator[bytes]:
        """All of them in UTF-8, in the order in which they came."""
        return map(self._bytes, range(len(self)))

    def _bytes(self, at: int) -> bytes:
        return bytes(self._data[self._ends[at - 1] if at else 0 : self._ends[at]])


class SortedStrings:
    """Strings that come in any order and are wanted sorted; of equal ones all are kept."""

    def __init__(self, block: int = 1 << 16) -> None:
        """Start empty; `block` strings are sorted at a time."""
        self._block = block
        self._new: list[str] = []
        self._blocks: list[PackedStrings] = []

    def append(self, text: str) -> None:
        """Add one."""
        self._new.append(text)
        if len(self._new) == self._block:
            self._pack()

    def encoded(self) -> Iterator[bytes]:
        """All of them in UTF-8, sorted: bytes of UTF-8 have the order of their characters."""
        self._pack()
        return merge(*(block.encoded() for block in self._blocks))

    def _pack(self) -> None:
        self._blocks.append(PackedStrings(sorted(self._new)))
        self._new.clear()
