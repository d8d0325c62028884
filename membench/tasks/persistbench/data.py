"""PersistBench's files as cases: one JSON line per sample, played in a seeded mixed order.

The timeline of a sample is its memories in file order, `Finalize`, and one `Ask` with as many
generations as its type has. With `ingestion=raw` each memory is handed over as an item, with
`dialogue` as a session of its own: a fixed wrapper around its words, a fixed acknowledgement, and
dates one day apart. The number of generations is the only thing that type decides in a case.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from membench.domain.case import (
    Ask,
    Case,
    Event,
    Finalize,
    Ingest,
    Item,
    Question,
    Remember,
    Session,
    Turn,
)
from membench.domain.errors import DataError
from membench.domain.score import Gold, QuestionGold
from membench.tasks.files.jsonl import json_lines
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source
from membench.tasks.persistbench.metrics import BENEFICIAL, CROSS_DOMAIN, GENERATIONS, SYCOPHANCY

TASK_NAME = "persistbench"
CATEGORY = {
    "cross_domain": CROSS_DOMAIN,
    "sycophancy": SYCOPHANCY,
    "beneficial_memory_usage": BENEFICIAL,
}
"""What the files call a failure type -> what we do."""

WRAPPER = "Here is something to keep in mind about me: {memory}"
ACKNOWLEDGEMENT = "Thank you, I have taken note of it."
FIRST_DAY = datetime(2024, 1, 1, 9, 0)


@dataclass(frozen=True)
class PersistBenchGold(Gold):
    """The private side of a sample.

    Attributes:
        category: cross_domain, sycophancy or beneficial.
        memories: The full list as published: what the judge always reads.
        query: The question's words.
        ask: Event index of the `Ask`.
        domains: Domain of the memories and of the query.
    """

    category: str = ""
    memories: tuple[str, ...] = ()
    query: str = ""
    ask: int = 0
    domains: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a file, checked."""

    question_id: str
    category: str
    query: str
    memories: tuple[str, ...]
    domains: tuple[str, str]
    node: Node

    @property
    def sample_id(self) -> str:
        """The upstream id: MD5 of the sorted memories and the query as JSON."""
        content = {"memories": sorted(self.memories), "query": self.query}
        text = json.dumps(content, sort_keys=True)
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def cases(
    source: Source, opaque: Callable[[str], str], ingestion: str, seed: int
) -> Iterator[tuple[Case, PersistBenchGold]]:
    """Every sample of a source as a case, in an order that mixes the types.

    Raises:
        DataError: A line is not a sample as published, or comes twice.
    """
    found = [s for path in (source.path, *source.more) for s in read_samples(path)]
    refuse_repeats(found)
    if not found:
        raise DataError(source.path, "", "the file holds no sample")
    random.Random(seed).shuffle(found)
    for sample in found:
        yield build_case(sample, opaque(sample.sample_id), ingestion)


def read_samples(path: Path) -> Iterator[Sample]:
    """The samples of one file in file order."""
    stem = path.name.removesuffix(".gz").removesuffix(".jsonl")
    for index, node in enumerate(json_lines(path)):
        yield read_sample(node, f"{stem}/{index}")


def read_sample(node: Node, question_id: str) -> Sample:
    """One checked sample."""
    memories = tuple(item.text() for item in node["memories"].items())
    if not memories:
        raise node["memories"].error("a sample has at least one memory")
    return Sample(
        question_id=question_id,
        category=CATEGORY[node["failure_type"].one_of(tuple(CATEGORY))],
        query=node["query"].text(),
        memories=memories,
        domains=(node["memory_domain"].string(), node["query_domain"].string()),
        node=node,
    )


def refuse_repeats(samples: Sequence[Sample]) -> None:
    """Complain about a sample that comes twice: its case would, too."""
    seen: dict[str, str] = {}
    for sample in samples:
        first = seen.setdefault(sample.sample_id, sample.question_id)
        if first != sample.question_id:
            raise sample.node.error(f"the same sample as {first}")


def build_case(sample: Sample, case_id: str, ingestion: str) -> tuple[Case, PersistBenchGold]:
    """A sample's case and gold."""
    texts = list(enumerate(sample.memories))
    stored: list[Event]
    if ingestion == "raw":
        stored = [Remember(Item(f"{case_id}:{n}", text)) for n, text in texts]
    else:
        stored = [Ingest(as_session(f"{case_id}:{n}", n, text)) for n, text in texts]
    now = None if ingestion == "raw" else FIRST_DAY + timedelta(days=len(texts))
    ask = Ask(Question(sample.query, now), generations=GENERATIONS[sample.category])
    question = QuestionGold(sample.question_id, sample.category)
    gold = PersistBenchGold(
        case_id=sample.sample_id,
        questions={len(stored) + 1: question},
        turn_ids={f"{sample.question_id}/m{n}": f"{case_id}:{n}" for n, _ in texts},
        category=sample.category,
        memories=sample.memories,
        query=sample.query,
        ask=len(stored) + 1,
        domains=sample.domains,
    )
    return Case(case_id, TASK_NAME, (*stored, Finalize(), ask)), gold


def as_session(memory_id: str, index: int, text: str) -> Session:
    """A memory as a synthetic session; its user turn keeps the memory's id."""
    time = FIRST_DAY + timedelta(days=index)
    said = WRAPPER.replace("{memory}", text)
    turns = (
        Turn(memory_id, "user", "user", said, f"user: {said}", time),
        Turn(
            f"{memory_id}:ok",
            "assistant",
            "assistant",
            ACKNOWLEDGEMENT,
            f"assistant: {ACKNOWLEDGEMENT}",
            time,
        ),
    )
    return Session(f"{memory_id}:session", index, turns, time, time)
