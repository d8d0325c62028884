"""The output file of PersistBench's own program.

Source: `src/benchmark/checkpoint.py` of ivaxi0s/PersistBench: one object whose `entries` are named
by the upstream sample id; each has `results` by model, with `generations` of `memory_response` and
`judge` (`score`, `reasoning`). The port in Inspect Evals writes logs: `tasks/inspect_log.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from membench.domain.labels import JsonView
from membench.tasks.external_format import ConvertedLine, PredictionFormat, QuestionIndex


def is_checkpoint(document: Any) -> bool:
    """An object with entries that have results."""
    entries = document.get("entries") if isinstance(document, dict) else None
    return (
        isinstance(entries, dict)
        and bool(entries)
        and all(isinstance(entry, dict) and "results" in entry for entry in entries.values())
    )


def one_model(document: Any) -> str:
    """The one model that the file has results of.

    Raises:
        ValueError: None or several.
    """
    models = {name for entry in document["entries"].values() for name in entry["results"]}
    if len(models) != 1:
        found = ", ".join(sorted(models)) or "none"
        raise ValueError(f"expected results of one model, found {found}")
    return str(models.pop())


def from_checkpoint(document: Any, index: QuestionIndex) -> Iterator[ConvertedLine]:
    """Replies and verdicts by generation; a generation without a reply is a failed one."""
    model = one_model(document)
    for name, entry in document["entries"].items():
        (question,) = index.ids_in(name)
        made = entry["results"].get(model, {}).get("generations", [])
        replies = [None if each.get("error") else each.get("memory_response") for each in made]
        yield ConvertedLine(
            f"entries.{name}",
            {"question_id": question, "predictions": [reply or None for reply in replies]},
            [verdict(each.get("judge")) for each in made],
        )


def verdict(judge: Any) -> JsonView:
    """Fields of a verdict; empty without one."""
    if not isinstance(judge, dict) or judge.get("score") is None:
        return {}
    return {"score": judge["score"], "reasoning": judge.get("reasoning")}


FORMATS = (
    PredictionFormat("persistbench", "the official output file", is_checkpoint, from_checkpoint),
)
