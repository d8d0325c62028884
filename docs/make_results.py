"""Write the table of results in README.md, from the bundles under results/.

Usage: python docs/make_results.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PLACE = re.compile(r"(?<=<!-- results: made by docs/make_results.py -->\n\n).*?(?=\n\n)", re.DOTALL)
FIGURES = ("evidence.turn.recall@10", "evidence.turn.ndcg@10", "f1")
HEAD = """\
| system | evidence recall@10 | nDCG@10 | F1 (extractive) | context tokens | CPU ms/question |
|---|---|---|---|--:|--:|"""


def page() -> str:
    """README.md with the table as the bundles have it."""
    return PLACE.sub(table(ROOT / "results" / "locomo"), README.read_text(encoding="utf-8"))


def table(bundles: Path) -> str:
    """A line per bundle, the best recall first."""
    runs = [json.loads(path.read_bytes()) for path in sorted(bundles.glob("*/manifest.json"))]
    summaries = [
        json.loads((bundles / run["run_id"] / "summary.json").read_bytes()) for run in runs
    ]
    lines = sorted(
        zip(runs, summaries, strict=True),
        key=lambda pair: -(pair[1]["metrics"][FIGURES[0]]["value"] or 0.0),
    )
    return "\n".join([HEAD, *("| " + " | ".join(cells(*pair)) + " |" for pair in lines)])


def cells(manifest: dict[str, Any], summary: dict[str, Any]) -> Iterator[str]:
    """The cells of one run."""
    settings = (f"{name}={value}" for name, value in manifest["spec"]["set"].items())
    named = ", ".join(settings)
    yield f"{summary['system']} ({named})" if named else summary["system"]
    for name in FIGURES:
        yield figure(summary["metrics"][name])
    yield f"{summary['context_tokens']['mean']:,.0f}"
    yield f"{1000 * sum(summary['cpu_s'].values()) / summary['counts']['questions']:.1f}"


def figure(metric: dict[str, Any]) -> str:
    """A figure with its interval; a dash where it is unknown."""
    if metric["value"] is None:
        return "–"
    low, high = metric["ci95"]
    return f"{metric['value']:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    README.write_text(page(), encoding="utf-8")
