"""`membench report RUN --html FILE`: one run as one file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from membench.domain.labels import JsonObject
from membench.domain.temporary_folder import TemporaryFolder
from membench.harness.places import open_run_or_bundle
from membench.leaderboard.bundles.bundle import write_bundle
from membench.leaderboard.rendering import html
from membench.leaderboard.rendering.cards import CARD_STYLE, any_width
from membench.leaderboard.rendering.standing import STANDING_STYLE, scores_html
from membench.leaderboard.store.reading import reading
from membench.leaderboard.store.rows import figure_of
from membench.leaderboard.validation.parsing import manifest_of, summary_of
from membench.leaderboard.validation.unpacking import UnpackedBundle, open_bundle
from membench.leaderboard.views import run as view
from membench.leaderboard.views.bundles import LoadedBundle, question_rows
from membench.leaderboard.views.standing import MetricStanding
from membench.metrics.names import is_fraction
from membench.metrics.numbers import significant
from membench.records.run_directory import RunDir
from membench.records.summary import never_scored

AS_RECORDED = (
    "As the run recorded them, on the machine that it ran on; a dash is unknown, never zero. "
    "Energy has its provenance: measured, modelled or estimated."
)


def write_report(run: Path, file: Path) -> None:
    """Write the report of a run: what its bundle would show, so no text of the dataset.

    Raises:
        RunStateError: The run is not finished, or the bundle is altered or malformed.
    """
    opened = open_run_or_bundle(run)
    loaded = of_bundle(run) if opened.is_bundle else as_loaded(opened)
    file.parent.mkdir(parents=True, exist_ok=True)
    head = f"<style>{CARD_STYLE}{STANDING_STYLE}</style>"
    parts = html.section("Scores", scores_html(headline(loaded))) + body(loaded)
    file.write_text(html.page(title_of(loaded), parts, head=head), encoding="utf-8")


def title_of(loaded: LoadedBundle) -> str:
    """What was run on what, when, and its id."""
    manifest, summary = loaded.manifest, loaded.summary
    place = f"{summary.system} on {summary.task} ({manifest.task.split})"
    return f"{place}, {manifest.created_utc[:10]}, run {manifest.run_id}"


def as_loaded(run: RunDir) -> LoadedBundle:
    """A run directory as the bundle it would become."""
    with TemporaryFolder("report") as folder:
        write_bundle(run, folder)
        opened = UnpackedBundle({path.name: path.read_bytes() for path in folder.iterdir()})
    return LoadedBundle(run.manifest(), run.summary(), None, opened)


def of_bundle(path: Path) -> LoadedBundle:
    """What was published of a run, as nobody verified it here."""
    with reading(path):
        opened = open_bundle(path)
        return LoadedBundle(manifest_of(opened), summary_of(opened), None, opened)


def headline(loaded: LoadedBundle) -> list[MetricStanding]:
    """The headline figures of a run that have a value, with their intervals."""
    metrics, words = loaded.summary.metrics, view.metrics_of(loaded)
    blank = never_scored(metrics)
    found = []
    for name in view.headline(loaded):
        figure = figure_of(metrics[name]) if name in metrics and name not in blank else None
        if figure is not None:
            found.append(MetricStanding(words[name], figure, {}))
    return found


def body(loaded: LoadedBundle) -> str:
    """Scores by category, costs, facts, questions; long tables open on demand."""
    words = view.metric_titles(loaded)
    asked, metrics = questions(loaded), view.metric_records(loaded)
    facts = {str(line["fact"]): str(line["value"]) for line in view.facts(loaded)}
    by_category = any_width(view.category_records(loaded), "By category", words)
    by_phase = any_width(view.cost_records(loaded), "By phase")
    return "".join(
        [
            html.section("Scores by category", by_category),
            html.section("Costs by phase", by_phase, html.note(AS_RECORDED)),
            html.section("Facts", html.definitions(facts, "facts")),
            html.section(
                "All figures",
                html.folded(f"All {len(metrics):,} metrics", any_width(metrics, "Metrics")),
                html.folded(
                    f"All {len(asked):,} questions", any_width(asked, "Every question", words)
                ),
            ),
        ]
    )


def questions(loaded: LoadedBundle) -> list[JsonObject]:
    """Every question; fractions in percent, as the titles of their columns say."""
    names = view.headline(loaded)
    records = view.question_records(question_rows(loaded.rows()), names)
    return [
        {key: score_of(key, value) if key in names else value for key, value in record.items()}
        for record in records
    ]


def score_of(metric: str, value: float | None) -> str:
    """A question's score in the unit of its column."""
    if value is None:
        return html.UNKNOWN
    return f"{100 * value:.1f}" if is_fraction(metric) else significant(value)
