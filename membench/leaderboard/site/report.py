"""`membench report RUN --html FILE`: one run as one file that needs nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path

from membench.harness.places import open_run_or_bundle
from membench.leaderboard.bundles.bundle import write_bundle
from membench.leaderboard.rendering import html
from membench.leaderboard.store.reading import reading
from membench.leaderboard.validation.parsing import manifest_of, summary_of
from membench.leaderboard.validation.unpacking import UnpackedBundle, open_bundle
from membench.leaderboard.views import run as view
from membench.leaderboard.views.bundles import LoadedBundle, question_rows
from membench.leaderboard.views.cost_origin import origin_note
from membench.metrics.names import is_fraction
from membench.records.run_directory import RunDir
from membench.records.summary import scored_value


def write_report(run: Path, file: Path) -> None:
    """Write the report of a run: what its bundle would show, so no text of the dataset.

    Raises:
        RunStateError: The run is not finished, or the bundle is altered or malformed.
    """
    opened = open_run_or_bundle(run)
    loaded = of_bundle(run) if opened.is_bundle else as_loaded(opened)
    file.parent.mkdir(parents=True, exist_ok=True)
    system, task = loaded.summary.system, loaded.summary.task
    file.write_text(html.page(f"{system} on {task}", body(loaded)), encoding="utf-8")


def as_loaded(run: RunDir) -> LoadedBundle:
    """A run directory as the bundle it would become."""
    with tempfile.TemporaryDirectory(prefix="membench-report-") as folder:
        write_bundle(run, Path(folder))
        opened = UnpackedBundle({path.name: path.read_bytes() for path in Path(folder).iterdir()})
    return LoadedBundle(run.manifest(), run.summary(), None, opened)


def of_bundle(path: Path) -> LoadedBundle:
    """What was published of a run, as nobody verified it here."""
    with reading(path):
        opened = open_bundle(path)
        return LoadedBundle(manifest_of(opened), summary_of(opened), None, opened)


def body(loaded: LoadedBundle) -> str:
    """Scores, costs, facts, questions."""
    rows = question_rows(loaded.rows())
    names, titles = view.headline(loaded), view.metric_titles(loaded)
    figures = {
        titles[name][0]: value
        for name in names
        if is_fraction(name) and (value := scored_value(loaded.summary.metrics, name)) is not None
    }
    return "".join(
        [
            html.section("Scores", html.bars(figures, "Headline figures"), categories(loaded)),
            html.section(
                "Costs", html.table(view.cost_records(loaded), "By phase"), html.note(origin_note())
            ),
            html.section("All metrics", html.table(view.metric_records(loaded), "Metrics")),
            html.section("Facts", html.table(view.facts(loaded), "What the manifest says")),
            html.section(
                "Questions",
                html.table(view.question_records(rows, names), "Every question", words=titles),
            ),
        ]
    )


def categories(loaded: LoadedBundle) -> str:
    """Headline scores by category."""
    words = view.metric_titles(loaded)
    return html.table(view.category_records(loaded), "By category", words=words)
