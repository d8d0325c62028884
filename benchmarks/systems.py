"""What native systems and their parts cost: calls against their cards, and speed against a floor.

    python -m benchmarks.systems calls [NAME...]      # one LoCoMo conversation ($MEMBENCH_DATA)
    OMP_NUM_THREADS=1 python -m benchmarks.systems stores [--sizes 1000,10000,100000]

`calls` plays the first sessions of a real conversation against scripted models, everything
metered, and sets the calls beside what the system's method says. `stores` fills each store and
retriever with made-up items and asks it; embeddings cost nothing there. Its times are CPU seconds
of this process, so that other work on the machine counts less.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from membench.adapters.configured import configured_card
from membench.adapters.parts.dense import Dense
from membench.adapters.parts.fusion import Fusion
from membench.adapters.parts.items import ItemStore, StoredItem, VectorIndex, WordIndex
from membench.adapters.parts.lexical import Lexical
from membench.adapters.parts.segments import chunks, pairs
from membench.adapters.registry import checked_parameters, get_card
from membench.domain.case import Ask, Case, Ingest, Session, opaque_ids
from membench.domain.labels import Phase, Scalar
from membench.records.usage import Usage
from membench.tasks.find import find_source
from membench.tasks.registry import get_task
from membench.testing.trial import Trial, play

QUESTIONS = 20
SHARES = (0.25, 0.5, 1.0)
WIDTH = 384
K = 20

Fill = Callable[[list[str]], Callable[[str], object]]
"""Stores texts, and gives what asks for them."""


@dataclass(frozen=True)
class Size:
    """How much of a conversation was played."""

    sessions: int
    turns: int
    pairs: int
    chunks: int
    days: int


@dataclass(frozen=True)
class Method:
    """What a system's method says it calls: at ingest, at finalize, and for a question."""

    ingest: Callable[[Size], str]
    finalize: Callable[[Size], str] = lambda size: "0"
    recall: str = "0"
    given: dict[str, Scalar] | None = None


METHODS: dict[str, Method] = {
    "a-mem": Method(lambda s: f"{2 * s.turns}", recall="1"),
    "engram": Method(lambda s: f"{s.turns} to {4 * s.turns}"),
    "gam": Method(lambda s: f"{s.sessions}", recall="3 to 11"),
    "hema": Method(lambda s: f"{s.turns + s.turns // 100}"),
    "light": Method(lambda s: f"{2 * s.pairs}", recall="1 per piece"),
    "lightmem-native": Method(lambda s: f"at least {s.sessions}", lambda s: "at most 1 per fact"),
    "memorybank": Method(lambda s: f"{2 * (s.days - 1)}", lambda s: "4"),
    "memoryos-native": Method(lambda s: f"{3 * (s.pairs - 7)} and promotions"),
    "structural-memory": Method(
        lambda s: f"{3 * s.chunks}", recall="4", given={"units": "mixed", "retrieval": "iterative"}
    ),
    "aeon": Method(lambda s: "0"),
    "unifiedmem": Method(lambda s: f"{3 * s.sessions}"),
    "keep-me-updated": Method(lambda s: f"{s.sessions} and up to 5 per sentence"),
    "think-in-memory": Method(lambda s: f"{s.pairs} and up to 2 per bucket and session"),
    "caim": Method(lambda s: f"{4 * s.sessions} at most", recall="1 to 5"),
    "magma": Method(lambda s: "0", lambda s: f"{s.turns}", recall="1"),
    "sedm": Method(lambda s: f"{2 * s.sessions} and 6 per fact"),
    "hgmem": Method(lambda s: "1 per chunk", recall="2 to 13"),
    "memgpt": Method(lambda s: "1 to 10 per piece, and summaries", recall="1 to 10, and summaries"),
    "mem-alpha": Method(lambda s: "1 per piece"),
    "mem-t": Method(lambda s: "1 per 4 turns and 1 per fact", recall="1 to 6"),
    "atommem": Method(lambda s: "0", recall="1 per chunk"),
    "mem1": Method(lambda s: "0", recall="1 per chunk"),
    "memr3": Method(lambda s: "0", recall="1 to 5"),
    "need-gate": Method(lambda s: "0", recall="1"),
    "budgetmem": Method(lambda s: "0", recall="5", given={"tier": "high", "inner": "bm25"}),
    "a-memguard": Method(lambda s: "0", recall="11"),
    "steem": Method(lambda s: "0"),
    "session-summaries": Method(lambda s: f"{s.sessions}"),
    "block-extraction": Method(lambda s: "0", recall="1 per block"),
    "file-agent": Method(lambda s: "0", recall="1 to 6"),
}
"""By system; the counts are those of /docs/native-systems.md."""


def conversation(share: float) -> Case:
    """The first part of the first LoCoMo conversation, with some of its questions."""
    task_type = get_task("locomo")
    source = find_source(task_type, None, None)
    case = next(iter(task_type({}, 0).cases(source, opaque_ids("locomo", 0))))[0]
    sessions = [event for event in case.timeline if isinstance(event, Ingest)]
    kept = sessions[: max(1, round(share * len(sessions)))]
    others = [event for event in case.timeline if not isinstance(event, Ingest | Ask)]
    asks = [event for event in case.timeline if isinstance(event, Ask)][:QUESTIONS]
    return replace(case, timeline=(*kept, *others, *asks))


def size_of(case: Case) -> Size:
    """Everything that the methods count."""
    sessions: list[Session] = [e.session for e in case.timeline if isinstance(e, Ingest)]
    return Size(
        len(sessions),
        sum(len(session.turns) for session in sessions),
        sum(len(pairs(session)) for session in sessions),
        sum(len(chunks(session, 1000, 200)) for session in sessions),
        len({session.time.date() for session in sessions if session.time}),
    )


def calls_table(names: Sequence[str]) -> Iterator[str]:
    """One row per system and share of the conversation."""
    yield (
        "| system | turns | ingest: calls | by its method | tokens per turn | finalize | by its "
        "method | per question | by its method | tokens per question |"
    )
    yield "|---|" + "--:|" * 9
    for name in names or METHODS:
        for share in SHARES:
            case = conversation(share)
            method = METHODS[name]
            card = get_card(name)
            given = method.given or {}
            card = configured_card(card, checked_parameters(card, given))
            trial = play(card, case, parameters=given, width=WIDTH)
            yield row(name, size_of(case), method, trial)


def row(name: str, size: Size, method: Method, trial: Trial) -> str:
    """Calls to the memory model; embedders are not counted here."""
    if trial.faults or trial.metered != trial.served:
        raise SystemExit(f"{name}: {trial.metered} metered, {trial.served} served, {trial.faults}")
    calls, tokens = {}, {}
    for phase in (Phase.INGEST, Phase.FINALIZE, Phase.RECALL):
        cost = trial.phases.get(phase)
        used = cost.memory if cost else Usage()
        calls[phase] = used.calls
        tokens[phase] = used.prompt_tokens + used.completion_tokens
    per = calls[Phase.RECALL] / QUESTIONS
    cells = [
        name,
        f"{size.turns:,}",
        f"{calls[Phase.INGEST]:,}",
        method.ingest(size),
        f"{tokens[Phase.INGEST] / size.turns:,.0f}",
        f"{calls[Phase.FINALIZE]:,}",
        method.finalize(size),
        f"{per:.1f}",
        method.recall,
        f"{tokens[Phase.RECALL] / QUESTIONS:,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


class FreeEmbedder:
    """Vectors that cost nothing: a row of a table of random unit vectors."""

    def __init__(self, rows: int) -> None:
        """Draw as many as are ever needed, so that timing them measures a copy."""
        drawn = np.random.default_rng(7).standard_normal((rows, WIDTH), dtype=np.float32)
        self.table = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        self.next = 0

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """The next rows of the table."""
        start = self.next % (len(self.table) - len(texts) + 1)
        self.next += len(texts)
        return self.table[start : start + len(texts)]


def texts(count: int) -> list[str]:
    """Made-up turns of a dozen words, drawn as words are in a language."""
    drawn = np.random.default_rng(3).zipf(1.3, (count, 12)) % 20_000
    return [" ".join(f"word{number}" for number in row) for row in drawn]


def stores_table(sizes: Sequence[int]) -> Iterator[str]:
    """One row per store or retriever and size, and beside it what its floor takes."""
    yield "| part | items | stored per s | recall p50 ms | p95 ms | floor p50 ms | ratio |"
    yield "|---|" + "--:|" * 6
    for size in sizes:
        said, asked = texts(size), texts(size + 50)[size:]
        floors = {"dense": dense_floor(size), "words": words_floor(said, asked)}
        for name, (kind, fill) in PARTS.items():
            started = time.process_time()
            ask = fill(said)
            ask(asked[0])
            stored_s = time.process_time() - started
            p50, p95 = timed(ask, asked)
            yield (
                f"| {name} | {size:,} | {size / stored_s:,.0f} | {p50:.2f} | {p95:.2f} | "
                f"{floors[kind]:.2f} | {p50 / floors[kind]:.1f} |"
            )


def timed(ask: Callable[[str], object], asked: Sequence[str]) -> tuple[float, float]:
    """CPU milliseconds of the middle and the slow questions."""
    spent = []
    for question in asked:
        started = time.process_time()
        ask(question)
        spent.append(1000 * (time.process_time() - started))
    return float(np.percentile(spent, 50)), float(np.percentile(spent, 95))


def dense_floor(size: int) -> float:
    """A bare product with a matrix, and a partition."""
    table = FreeEmbedder(size + 100).table
    rows = table[:size]

    def ask(_: str) -> object:
        scores = rows @ table[-1]
        return np.argpartition(-scores, min(K, size - 1))[:K]

    return timed(ask, [""] * 50)[0]


def words_floor(said: list[str], asked: list[str]) -> float:
    """bm25s over the same words."""
    from bm25s import BM25

    index = BM25(method="lucene", k1=1.5, b=0.75, backend="numpy")
    index.index([text.split() for text in said], show_progress=False)

    def ask(question: str) -> object:
        return index.get_scores(question.split()).argpartition(-K)[-K:]

    return timed(ask, asked)[0]


def fill_store(index: VectorIndex | WordIndex) -> Fill:
    """Fill an item store, a session of twenty at a time."""

    def fill(said: list[str]) -> Callable[[str], object]:
        store = ItemStore(index)
        for start in range(0, len(said), 20):
            for text in said[start : start + 20]:
                store.add(StoredItem("", text))
            store.flush()
        return lambda question: store.search(question, K)

    return fill


def fill_retriever(retriever: Dense | Lexical | Fusion) -> Fill:
    """Fill a retriever of the plain systems, a session of twenty at a time."""

    def fill(said: list[str]) -> Callable[[str], object]:
        for start in range(0, len(said), 20):
            retriever.add(said[start : start + 20])
        return lambda question: retriever.rank(question).rows[:K]

    return fill


def parts() -> dict[str, tuple[str, Fill]]:
    """A fresh one of each, with the floor it is compared with."""
    free = FreeEmbedder(200_000)
    return {
        "item store, vectors": ("dense", lambda said: fill_store(VectorIndex(free))(said)),
        "item store, words": ("words", lambda said: fill_store(WordIndex())(said)),
        "dense": ("dense", lambda said: fill_retriever(Dense(free))(said)),
        "BM25 okapi": ("words", lambda said: fill_retriever(Lexical("alnum", "okapi"))(said)),
        "BM25 lucene": ("words", lambda said: fill_retriever(Lexical("alnum", "lucene"))(said)),
        "fusion of both": (
            "dense",
            lambda said: fill_retriever(Fusion([Lexical("alnum", "okapi"), Dense(free)]))(said),
        ),
    }


PARTS = parts()


def main() -> None:
    """Print one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("calls").add_argument("names", nargs="*")
    commands.add_parser("stores").add_argument("--sizes", default="1000,10000,100000")
    given = parser.parse_args()
    if given.command == "calls":
        lines = calls_table(given.names)
    else:
        lines = stores_table([int(size) for size in given.sizes.split(",")])
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
