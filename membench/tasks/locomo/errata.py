"""The audit of LoCoMo's gold as an overlay: second figures beside the published ones.

The audit (dial481/locomo-audit, an LLM auditor with human review) lists questions whose answer or
citation it holds for wrong. Key `locomo_<c>_qa<i>` is question i of conversation c in the file,
both from zero. With the overlay every published figure stays, `errata.` figures are scored
against the audited gold, and `errata.ceiling` is what a perfect system can reach against the
published one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from membench.domain.case import Ask, Case
from membench.domain.errors import DataError
from membench.domain.score import Aggregate, Metric
from membench.tasks.files.arrays import stream_array
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source
from membench.tasks.locomo.gold import Correction, LocomoGold, LocomoQuestion, repair

KEY = re.compile(r"locomo_(0|[1-9]\d*)_qa(0|[1-9]\d*)")
CITATION_ONLY = "WRONG_CITATION"
CEILING = "errata.ceiling"
CAPPED = ("judged.accuracy", "f1")
"""Figures that a ceiling bounds, for a perfect system."""


@dataclass(frozen=True)
class Erratum:
    """One line of the audit."""

    node: Node
    question: str
    answer: str
    evidence: tuple[str, ...]
    corrupting: bool


@dataclass(frozen=True)
class Corrections:
    """The audit, by (conversation, question) index."""

    file: Path
    entries: Mapping[tuple[int, int], Erratum]

    def applied(self, index: int, case: Case, gold: LocomoGold) -> LocomoGold:
        """The gold of conversation `index` with its corrections.

        Raises:
            DataError: The audit is about other questions than the file has.
        """
        asks = [(e, ask) for e, ask in enumerate(case.timeline) if isinstance(ask, Ask)]
        questions = dict(gold.questions)
        for (conversation, number), entry in self.entries.items():
            if conversation != index:
                continue
            if number >= len(asks) or asks[number][1].question.text != entry.question:
                raise DataError(
                    self.file,
                    entry.node.place,
                    "its question is not the one at this place of the data: these are the errata "
                    "of another split or version",
                    "Leave --errata out, or choose the split that they were made for.",
                )
            event = asks[number][0]
            questions[event] = corrected(questions[event], entry, gold)
        return replace(gold, questions=questions, audited=True)


def corrected(question: LocomoQuestion, entry: Erratum, gold: LocomoGold) -> LocomoQuestion:
    """A question with the audit's opinion attached; the published gold stays."""
    evidence, _ = repair(entry.evidence, gold.turn_ids)
    return replace(question, correction=Correction(entry.answer, evidence, entry.corrupting))


def read_corrections(path: Path) -> Corrections:
    """Read the audit file.

    Raises:
        DataError: The file is not what it should be.
    """
    entries: dict[tuple[int, int], Erratum] = {}
    for i, value in enumerate(stream_array(Source(path, "errata"))):
        node = Node(value, path, f"[{i}]")
        key = read_key(node["question_id"])
        if key in entries:
            raise node["question_id"].error("this question is already there")
        entries[key] = Erratum(
            node=node,
            question=node["question"].text(),
            answer=node["correct_answer"].answer(),
            evidence=node["correct_evidence"].strings(),
            corrupting=node["error_type"].text() != CITATION_ONLY,
        )
    if not entries:
        raise DataError(path, "", "the file lists no errata")
    return Corrections(path, entries)


def read_key(node: Node) -> tuple[int, int]:
    """`locomo_<c>_qa<i>` as (c, i)."""
    match = KEY.fullmatch(node.string())
    if match is None:
        raise node.error(f"expected a key like 'locomo_0_qa17', found '{node.value[:40]}'")
    return int(match[1]), int(match[2])


def above_ceiling(made: Aggregate) -> Aggregate:
    """Note every figure that is higher than a perfect system could reach."""
    groups = {"overall": made.metrics} | {n: c.metrics for n, c in made.categories.items()}
    notes = [note for name, metrics in groups.items() for note in excesses(name, metrics)]
    return replace(made, notes=(*made.notes, *notes))


def excesses(group: str, metrics: Mapping[str, Metric]) -> list[str]:
    """A sentence per figure of a group that is above the group's ceiling."""
    ceiling = metrics[CEILING].value if CEILING in metrics else None
    if ceiling is None:
        return []
    return [
        f"above_ceiling: {group} {name} {value:.3f} exceeds {ceiling:.3f}, "
        "the share of published answers that the audit does not dispute"
        for name in CAPPED
        if name in metrics and (value := metrics[name].value) is not None and value > ceiling
    ]
