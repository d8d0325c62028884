"""Write the table of docs/published-answers.md, from results/.

Usage: python docs/make_published.py
"""

from __future__ import annotations

from collections.abc import Iterator

from make_results import ROOT, UNKNOWN, Run, best_first, bundles, figure, handed_in, place_behind

PAGE = ROOT / "docs" / "published-answers.md"

STATED = {"run_by": "run by", "reader": "reader", "judge": "judge", "claimed": "printed"}
"""What the source says of an answer file, as a parameter -> heading."""
SCORED = {"judged.accuracy": "its judge's verdicts", "f1": "F1"}


def published_answers(task: str) -> str:
    """A line per file of answers that others published, the best by their own judge on top."""
    runs = best_first(task, [run for run in bundles(task) if handed_in(run)])
    head = ["system", *STATED.values(), *SCORED.values(), "file"]
    lines = ["| " + " | ".join(published_cells(run)) + " |" for run in runs]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *lines])


def published_cells(run: Run) -> Iterator[str]:
    """The cells of one file."""
    manifest, summary = run
    system, stated = manifest["system"], manifest["system"]["parameters"]
    yield f"{system['name']} {system['version']}"
    for name in STATED:
        yield stated.get(name) or "not stated"
    for name in SCORED:
        yield figure(summary["metrics"].get(name, UNKNOWN))
    yield f"`{stated['source']}`"


def page() -> str:
    """The page with its table as the bundles have it."""
    text = PAGE.read_text(encoding="utf-8")
    place = place_behind("published answers: made by docs/make_published.py")
    return place.sub(lambda _: published_answers("locomo"), text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
