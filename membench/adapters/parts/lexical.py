"""Lexical indices: two BM25 variants behind one interface.

`Okapi` gives the numbers of rank_bm25 0.2.2 (its IDF and its floor for frequent words are that
package's own code) but keeps postings, so that a query touches only the rows that hold its words,
and counts each row once, however often the index grows. `Lucene` is bm25s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from rank_bm25 import BM25Okapi

from membench.adapters.parts.tokenizers import TOKENIZERS
from membench.adapters.parts.unit_memory import RankedRows, Scores, stable_ranking


class LexicalIndex(Protocol):
    """Rows of words, scored against the words of a query. Rows are numbered as added."""

    def add(self, rows: Sequence[list[str]]) -> None:
        """Append rows."""

    def scores(self, query: list[str]) -> Scores:
        """One score per row, shape (rows,), higher is better."""


class Okapi(BM25Okapi):  # type: ignore[misc]
    """rank_bm25's BM25Okapi (k1 1.5, b 0.75, epsilon 0.25) that can grow.

    Scores are equal to the last bit to those of a `BM25Okapi` built from all rows at once: the
    same operations in the same order, left out only where they add zero.
    """

    def __init__(self) -> None:
        """Start without rows; the package's own constructor cannot."""
        self.k1, self.b, self.epsilon = 1.5, 0.75, 0.25
        self.corpus_size = 0
        self.avgdl = 0.0
        self.doc_len: list[int] = []
        self.idf: dict[str, float] = {}
        self._rows_with: dict[str, tuple[list[int], list[int]]] = {}
        self._stale = False
        self._length_norm: Scores = np.zeros(0)
        self._weights: dict[str, tuple[npt.NDArray[np.intp], Scores]] = {}

    def add(self, rows: Sequence[list[str]]) -> None:
        """Count the words of new rows."""
        for words in rows:
            for word, count in _counts(words).items():
                row_numbers, counts = self._rows_with.setdefault(word, ([], []))
                row_numbers.append(self.corpus_size)
                counts.append(count)
            self.doc_len.append(len(words))
            self.corpus_size += 1
            self._stale = True

    def scores(self, query: list[str]) -> Scores:
        """One score per row, as `BM25Okapi.get_scores`."""
        if self._stale:
            self._refresh()
        scores = np.zeros(self.corpus_size)
        for word in query:
            if word in self.idf:
                rows, weights = self._weighted(word)
                scores[rows] += weights
        return scores

    def _refresh(self) -> None:
        """Everything that depends on the whole corpus."""
        self.avgdl = sum(self.doc_len) / self.corpus_size
        self.idf = {}
        self._weights = {}
        self._stale = False
        if self._rows_with:
            self._calc_idf({word: len(rows) for word, (rows, _) in self._rows_with.items()})
            lengths = np.array(self.doc_len)
            self._length_norm = self.k1 * (1 - self.b + self.b * lengths / self.avgdl)

    def _weighted(self, word: str) -> tuple[npt.NDArray[np.intp], Scores]:
        """The rows that hold a word, and what it adds to each of them."""
        if word not in self._weights:
            row_numbers, counts = self._rows_with[word]
            rows = np.array(row_numbers, dtype=np.intp)
            frequency = np.array(counts)
            saturated = frequency * (self.k1 + 1) / (frequency + self._length_norm[rows])
            self._weights[word] = (rows, self.idf[word] * saturated)
        return self._weights[word]


class Lucene:
    """bm25s in its `lucene` variant (k1 1.5, b 0.75), built again when rows were added."""

    def __init__(self) -> None:
        """Start without rows."""
        self._rows: list[list[str]] = []
        self._index: Any = None

    def add(self, rows: Sequence[list[str]]) -> None:
        """Append rows."""
        self._rows.extend(rows)
        self._index = None

    def scores(self, query: list[str]) -> Scores:
        """One score per row."""
        if not any(self._rows):
            return np.zeros(len(self._rows))
        if self._index is None:
            self._index = self._build()
        known = self._index.get_tokens_ids(query)
        if not known:
            return np.zeros(len(self._rows))
        scores: Scores = self._index.get_scores_from_ids(known)
        return scores

    def _build(self) -> Any:
        from bm25s import BM25

        index = BM25(method="lucene", k1=1.5, b=0.75, backend="numpy")
        index.index(self._rows, create_empty_token=False, show_progress=False)
        return index


def official_ranking(scores: Scores) -> RankedRows:
    """Every row by falling score, as the official LongMemEval retriever sorts.

    Equal scores come in the order that NumPy's unstable sort leaves them in, reversed.
    """
    rows = np.argsort(scores)[::-1]
    return RankedRows(rows, scores[rows])


class Lexical:
    """A retriever of a tokenizer, an index and an order of equal scores.

    Args:
        tokenizer: A name in `TOKENIZERS`.
        variant: `okapi` or `lucene`.
        official_ties: Whether equal scores come in `official_ranking`'s order; else stable.
    """

    def __init__(self, tokenizer: str, variant: str, *, official_ties: bool = False) -> None:
        """Start without rows."""
        self.tokenize = TOKENIZERS[tokenizer]
        self.index = INDICES[variant]()
        self.ranking = official_ranking if official_ties else stable_ranking

    def add(self, texts: Sequence[str]) -> None:
        """Append rows."""
        self.index.add([self.tokenize(text) for text in texts])

    def rank(self, text: str) -> RankedRows:
        """Rank every row, those without a word of the query too."""
        return self.ranking(self.index.scores(self.tokenize(text)))


INDICES: dict[str, Callable[[], LexicalIndex]] = {"okapi": Okapi, "lucene": Lucene}


def _counts(words: list[str]) -> dict[str, int]:
    """How often each word occurs, in the order of first occurrence."""
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts
