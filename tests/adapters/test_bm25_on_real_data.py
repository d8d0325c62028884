"""BM25 against the official recipe on the real files ($MEMBENCH_DATA)."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from histories import CASE, turn
from rank_bm25 import BM25Okapi

from membench.domain.case import Session
from membench.domain.system import Query

pytestmark = pytest.mark.data
DATA = Path(os.environ.get("MEMBENCH_DATA", "/nonexistent"))


def real(name: str) -> Path:
    if not (DATA / name).is_file():
        pytest.skip(f"{name} is not at hand ($MEMBENCH_DATA)")
    return DATA / name


@pytest.mark.slow
def test_locomo_turns_rank_as_rank_bm25_ranks_them(system: Callable[..., Any]) -> None:
    bm25 = system("bm25", tokenizer="whitespace")
    for sample in json.loads(real("locomo/locomo10.json").read_text()):
        talk = sample["conversation"]
        said = [line for key in talk if isinstance(talk[key], list) for line in talk[key]]
        bm25.reset(CASE)
        lines = tuple(turn(line["dia_id"], line["text"]) for line in said)
        bm25.ingest(Session("s", 0, lines))
        official = BM25Okapi([line["text"].split(" ") for line in said])
        for question in sample["qa"]:
            ranking = np.argsort(official.get_scores(question["question"].split(" ")))[::-1][:50]
            recalled = bm25.recall(Query(question["question"], 50))
            assert [found.sources[0] for found in recalled] == [
                said[row]["dia_id"] for row in ranking
            ]


def test_longmemeval_sessions_rank_as_the_official_retriever_ranks_them(
    system: Callable[..., Any],
) -> None:
    place = real("longmemeval/longmemeval_s_subset.json.gz")
    bm25 = system("bm25", tokenizer="whitespace", granularity="session", roles="user")
    for instance in json.loads(gzip.decompress(place.read_bytes()))[:6]:
        corpus, ids = [], []
        bm25.reset(CASE)
        for number, said in enumerate(instance["haystack_sessions"]):
            lines = [line["content"] for line in said if line["role"] == "user"]
            corpus.append(" ".join(lines))
            ids.append(f"{number}:0" if lines else None)
            turns = [turn(f"{number}:{n}", line) for n, line in enumerate(lines)]
            turns += [turn("x", line["content"], "assistant") for line in said if not lines]
            bm25.ingest(Session(str(number), number, tuple(turns)))
        official = BM25Okapi([text.split(" ") for text in corpus])
        scores = official.get_scores(instance["question"].split(" "))
        ranking = [row for row in np.argsort(scores)[::-1] if corpus[row]]
        recalled = bm25.recall(Query(instance["question"], 50))
        assert [found.sources[0] for found in recalled] == [ids[row] for row in ranking[:50]]
        assert [found.score for found in recalled] == scores[ranking[:50]].tolist()
