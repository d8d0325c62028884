"""Write the tables of results in README.md and docs/local-models.md, from results/.

Usage: python docs/make_results.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
LOCAL_MODELS = ROOT / "docs" / "local-models.md"

Run = tuple[dict[str, Any], dict[str, Any]]
"""Manifest and summary of a bundle."""

Column = Callable[[dict[str, Any]], str]
"""A cell of a run's summary."""


def context_tokens(summary: dict[str, Any]) -> str:
    """Tokens of recalled text, on average."""
    return f"{summary['context_tokens']['mean']:,.0f}"


def question_cpu(summary: dict[str, Any]) -> str:
    """CPU milliseconds of recall and answer per question."""
    seconds = [summary["cpu_s"][phase] for phase in ("recall", "answer")]
    return (
        "–" if None in seconds else f"{1000 * sum(seconds) / summary['counts']['questions']:,.1f}"
    )


def question_joules(summary: dict[str, Any]) -> str:
    """Modelled joules of recall and answer per question; a dash where there are none."""
    phases = summary["energy"]["phases"]
    parts = [phases.get(phase, {}).get("joules") for phase in ("recall", "answer")]
    return "–" if None in parts else f"{sum(parts) / summary['counts']['questions']:.2g}"


def memory_usage(summary: dict[str, Any], name: str) -> int:
    """A count of the calls to the memory model, over all phases."""
    return sum(
        phase["roles"].get("memory", {}).get(name) or 0 for phase in summary["usage"].values()
    )


def memory_calls(summary: dict[str, Any]) -> str:
    """Calls to the memory model."""
    return f"{memory_usage(summary, 'calls'):,}"


def useless_replies(summary: dict[str, Any]) -> str:
    """Replies that the system could not use, of those that it asked for."""
    replies = summary["replies"]
    asked, unusable = replies.get("asked", 0), replies.get("unusable", 0)
    return f"{unusable} of {asked:,}" if asked else "–"


def memory_cpu(summary: dict[str, Any]) -> str:
    """CPU seconds of the memory model per history."""
    seconds = sum(
        phase["roles"].get("memory", {}).get("cpu_s") or 0.0 for phase in summary["usage"].values()
    )
    return f"{seconds / summary['counts']['cases']:,.1f}"


PER_QUESTION: Mapping[str, Column] = {
    "context tokens": context_tokens,
    "CPU ms/question": question_cpu,
    "J/question": question_joules,
}
OF_MEMORY_MODEL: Mapping[str, Column] = {
    "calls": memory_calls,
    "replies of no use": useless_replies,
    "CPU s/history": memory_cpu,
}


@dataclass(frozen=True)
class Table:
    """One table of a page.

    Attributes:
        mark: What the comment above it calls it.
        file: The page.
        task: Folder of the bundles under results/.
        division: Division of the rows.
        metrics: Metric -> heading; the first one orders the rows.
        columns: Heading -> cell, behind the metrics.
    """

    mark: str
    file: Path
    task: str
    division: str
    metrics: dict[str, str]
    columns: Mapping[str, Column]

    def place(self) -> re.Pattern[str]:
        """Where it stands: behind its comment, up to the next empty line."""
        comment = re.escape(f"<!-- {self.mark}: made by docs/make_results.py -->\n\n")
        return re.compile(rf"(?<={comment}).*?(?=\n\n)", re.DOTALL)

    def text(self) -> str:
        """A line per bundle, the best first."""
        runs = [run for run in bundles(self.task) if run[0]["division"] == self.division]
        first = next(iter(self.metrics))
        runs.sort(key=lambda run: -(run[1]["metrics"][first]["value"] or 0.0))
        head = ["system", *self.metrics.values(), *self.columns]
        rule = "|---|" + "---|" * len(self.metrics) + "--:|" * len(self.columns)
        rows = ["| " + " | ".join(self.cells(*run)) + " |" for run in runs]
        return "\n".join(["| " + " | ".join(head) + " |", rule, *rows])

    def cells(self, manifest: dict[str, Any], summary: dict[str, Any]) -> Iterator[str]:
        """The cells of one run."""
        settings = (f"{name}={value}" for name, value in manifest["spec"]["set"].items())
        named = ", ".join(settings)
        yield f"{summary['system']} ({named})" if named else summary["system"]
        for name in self.metrics:
            yield figure(summary["metrics"][name])
        for cell in self.columns.values():
            yield cell(summary)


TABLES = (
    Table(
        "results",
        README,
        "locomo",
        "offline",
        {
            "evidence.turn.recall@10": "evidence recall@10",
            "evidence.turn.ndcg@10": "nDCG@10",
            "f1": "F1 (extractive)",
        },
        PER_QUESTION,
    ),
    Table(
        "results of synthetic",
        README,
        "synthetic",
        "offline",
        {
            "evidence.turn.recall@10": "evidence recall@10",
            "evidence.turn.ndcg@10": "nDCG@10",
        },
        PER_QUESTION,
    ),
    Table(
        "results of tiny-local",
        README,
        "synthetic",
        "tiny-local",
        {
            "accuracy": "accuracy (SmolLM2-135M)",
            "f1": "F1",
            "evidence.turn.recall@10": "evidence recall@10",
        },
        PER_QUESTION,
    ),
    Table(
        "results of a small memory model",
        LOCAL_MODELS,
        "synthetic",
        "open",
        {
            "evidence.turn.recall@10": "evidence recall@10",
            "memory.recall": "facts stored",
            "accuracy": "accuracy (extractive)",
        },
        OF_MEMORY_MODEL,
    ),
)


def page(file: Path = README) -> str:
    """A page with its tables as the bundles have them."""
    text = file.read_text(encoding="utf-8")
    for table in TABLES:
        if table.file == file:
            made = table.text()
            text = table.place().sub(lambda _, made=made: made, text)
    return text


def bundles(task: str) -> list[Run]:
    """Manifest and summary of every bundle of a task."""
    folders = sorted(path.parent for path in (ROOT / "results" / task).glob("*/manifest.json"))
    return [
        (
            json.loads((folder / "manifest.json").read_bytes()),
            json.loads((folder / "summary.json").read_bytes()),
        )
        for folder in folders
    ]


def figure(metric: dict[str, Any]) -> str:
    """A figure with its interval; a dash where it is unknown."""
    if metric["value"] is None:
        return "–"
    if metric["ci95"] is None:
        return f"{metric['value']:.3f}"
    low, high = metric["ci95"]
    return f"{metric['value']:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    for written in (README, LOCAL_MODELS):
        written.write_text(page(written), encoding="utf-8")
