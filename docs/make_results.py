"""Write the tables of results in README.md, from the bundles under results/.

Usage: python docs/make_results.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


@dataclass(frozen=True)
class Table:
    """One table of README.md.

    Attributes:
        mark: What the comment above it calls it.
        task: Folder of the bundles under results/.
        division: Division of the rows.
        metrics: Metric -> heading; the first one orders the rows.
    """

    mark: str
    task: str
    division: str
    metrics: dict[str, str]

    def place(self) -> re.Pattern[str]:
        """Where it stands: behind its comment, up to the next empty line."""
        comment = re.escape(f"<!-- {self.mark}: made by docs/make_results.py -->\n\n")
        return re.compile(rf"(?<={comment}).*?(?=\n\n)", re.DOTALL)

    def text(self) -> str:
        """A line per bundle, the best first."""
        runs = [run for run in bundles(self.task) if run[0]["division"] == self.division]
        first = next(iter(self.metrics))
        runs.sort(key=lambda run: -(run[1]["metrics"][first]["value"] or 0.0))
        head = ["system", *self.metrics.values(), "context tokens", "CPU ms/question", "J/question"]
        rule = "|---|" + "---|" * len(self.metrics) + "--:|--:|--:|"
        rows = ["| " + " | ".join(self.cells(*run)) + " |" for run in runs]
        return "\n".join(["| " + " | ".join(head) + " |", rule, *rows])

    def cells(self, manifest: dict[str, Any], summary: dict[str, Any]) -> Iterator[str]:
        """The cells of one run; costs are those of recall and answer."""
        settings = (f"{name}={value}" for name, value in manifest["spec"]["set"].items())
        named = ", ".join(settings)
        yield f"{summary['system']} ({named})" if named else summary["system"]
        for name in self.metrics:
            yield figure(summary["metrics"][name])
        yield f"{summary['context_tokens']['mean']:,.0f}"
        questions = summary["counts"]["questions"]
        seconds = [summary["cpu_s"][phase] for phase in ("recall", "answer")]
        yield "–" if None in seconds else f"{1000 * sum(seconds) / questions:,.1f}"
        yield joules(summary, questions)


TABLES = (
    Table(
        "results",
        "locomo",
        "offline",
        {
            "evidence.turn.recall@10": "evidence recall@10",
            "evidence.turn.ndcg@10": "nDCG@10",
            "f1": "F1 (extractive)",
        },
    ),
    Table(
        "results of synthetic",
        "synthetic",
        "offline",
        {
            "evidence.turn.recall@10": "evidence recall@10",
            "evidence.turn.ndcg@10": "nDCG@10",
        },
    ),
    Table(
        "results of tiny-local",
        "synthetic",
        "tiny-local",
        {
            "accuracy": "accuracy (SmolLM2-135M)",
            "f1": "F1",
            "evidence.turn.recall@10": "evidence recall@10",
        },
    ),
)


def page() -> str:
    """README.md with the tables as the bundles have them."""
    text = README.read_text(encoding="utf-8")
    for table in TABLES:
        made = table.text()
        text = table.place().sub(lambda _, made=made: made, text)
    return text


def bundles(task: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
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


def joules(summary: dict[str, Any], questions: int) -> str:
    """Modelled joules of recall and answer per question; a dash where there are none."""
    phases = summary["energy"]["phases"]
    parts = [phases.get(phase, {}).get("joules") for phase in ("recall", "answer")]
    return "–" if None in parts else f"{sum(parts) / questions:.2g}"


if __name__ == "__main__":
    README.write_text(page(), encoding="utf-8")
