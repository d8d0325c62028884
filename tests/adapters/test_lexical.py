"""BM25: equal to rank_bm25 to the last bit, equal to bm25s, whatever the history looks like."""

import numpy as np
import pytest
from bm25s import BM25
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from membench.adapters.parts.lexical import (
    Lucene,
    Okapi,
    official_ranking,
)
from membench.adapters.parts.tokenizers import TOKENIZERS, alnum, stem, whitespace
from membench.adapters.parts.unit_memory import stable_ranking

words = st.sampled_from(["a", "b", "c", "dog", "", "été"])
rows = st.lists(st.lists(words, max_size=8), min_size=1, max_size=30)
queries = st.lists(words, max_size=6)


@given(rows.filter(any), queries, st.integers(0, 30))
def test_okapi_is_rank_bm25_bit_for_bit_however_the_rows_arrive(
    corpus: list[list[str]], query: list[str], first: int
) -> None:
    index = Okapi()
    index.add(corpus[:first])
    index.scores(query)
    index.add(corpus[first:])
    expected = BM25Okapi(corpus).get_scores(query)
    assert index.scores(query).tobytes() == expected.tobytes()


def test_rows_without_words_score_nothing() -> None:
    for index in (Okapi(), Lucene()):
        assert index.scores(["a"]).tolist() == []
        index.add([[], []])
        assert index.scores(["a"]).tolist() == [0.0, 0.0]
        assert index.scores([]).tolist() == [0.0, 0.0]


@given(rows.filter(any), queries)
def test_lucene_is_bm25s(corpus: list[list[str]], query: list[str]) -> None:
    index = Lucene()
    index.add(corpus)
    reference = BM25(method="lucene", k1=1.5, b=0.75)
    reference.index(corpus, show_progress=False)
    known = [word for word in query if any(word in row for row in corpus)]
    expected = reference.get_scores(known) if known else np.zeros(len(corpus))
    np.testing.assert_array_equal(index.scores(query), expected)


def test_lucene_prints_no_progress(capfd: pytest.CaptureFixture[str]) -> None:
    index = Lucene()
    index.add([["a"], ["b"]])
    index.scores(["a"])
    assert capfd.readouterr() == ("", "")


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5]), max_size=40))
def test_the_stable_order_keeps_ties_as_they_were_added(values: list[float]) -> None:
    scores = np.array(values)
    expected = sorted(range(len(values)), key=lambda row: -values[row])
    assert stable_ranking(scores).rows.tolist() == expected


def test_the_official_order_is_argsort_reversed() -> None:
    scores = np.random.default_rng(0).integers(0, 3, 200).astype(float)
    np.testing.assert_array_equal(official_ranking(scores).rows, np.argsort(scores)[::-1])


def test_whitespace_keeps_case_punctuation_and_empty_words() -> None:
    assert whitespace("Hi,  Bo!\nYes") == ["Hi,", "", "Bo!\nYes"]


def test_alnum_takes_lower_cased_ascii_runs() -> None:
    assert alnum("Zoë's 3rd  Café-Bar!") == ["zo", "s", "3rd", "caf", "bar"]


def test_stem_is_alnum_plus_porter() -> None:
    assert stem("Running dogs, happily") == ["run", "dog", "happili"]


@given(st.text())
def test_no_tokenizer_fails_on_any_text(text: str) -> None:
    for name in ("whitespace", "alnum"):
        assert all(isinstance(word, str) for word in TOKENIZERS[name](text))
