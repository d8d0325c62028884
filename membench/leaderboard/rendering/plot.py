"""Accuracy against cost as a picture: a self-contained HTML page, or PNG and SVG by a browser.

Cost on a logarithmic axis, error bars on both, the step frontier through the points that nothing
cheaper matches. The HTML holds plotly itself and asks nobody for anything.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import JsonObject
from membench.domain.temporary_folder import TemporaryFolder
from membench.experiments.finished_run import FinishedRun
from membench.metrics.frontier import Point, frontier
from membench.metrics.statistics import ENOUGH_CASES, Interval, log_interval, ratio_metric
from membench.records.costs import COSTS, PER, Cost, cost_named, name_of
from membench.records.summary import scored_value

if TYPE_CHECKING:
    import plotly.graph_objects as go

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FORMATS = (".html", ".png", ".svg")
WIDTH, HEIGHT = 960, 600
DRAW_S = 60


@dataclass(frozen=True)
class PlottedRun:
    """One run in the picture.

    Attributes:
        name: System and run id.
        run_id: The run id alone.
        cost: Cost per question, or per history where memory is built.
        cost_ci95: Its interval; None where there is none.
        accuracy: The metric's value.
        accuracy_ci95: Its interval; None where there is none.
        ceiling: Whether it was granted the evidence: drawn hollow, never on the frontier.
    """

    name: str
    run_id: str
    cost: float
    cost_ci95: Interval | None
    accuracy: float
    accuracy_ci95: Interval | None
    ceiling: bool = False


def mark(run: FinishedRun, metric: str, cost: str) -> PlottedRun | None:
    """A run as a mark; None where its cost is unknown or zero, which no log axis shows.

    Args:
        run: A finished run.
        metric: Name of a metric of its summary.
        cost: A name that `costs.cost_named` knows: `seconds` is what recall and answer cost
            together per question, `recall.seconds` recall alone, `setup.seconds` per history.

    Raises:
        UnknownName: There is no such cost.
    """
    found = run.summary.metrics.get(metric)
    score = scored_value(run.summary.metrics, metric)
    value, interval = cost_with_interval(run, *cost_named(cost))
    if found is None or score is None or not value:
        return None
    ci95 = found.ci95 if found.clusters >= ENOUGH_CASES else None
    name = f"{run.summary.system} ({run.name})"
    return PlottedRun(name, run.name, value, interval, score, ci95, run.granted)


def cost_with_interval(
    run: FinishedRun, part: str, cost: Cost
) -> tuple[float | None, Interval | None]:
    """Mean cost per question or history, with its interval by case on the log scale."""
    value, by_case = run.mean_cost(part, cost), run.case_costs(part, cost)
    if value is None or by_case is None:
        return value, None
    questions = run.questions
    counts = [float(questions[case]) if PER[part] == "question" else 1.0 for case in by_case]
    metric = ratio_metric(list(by_case.values()), counts, list(by_case), fraction=False)
    interval = log_interval(metric)
    if interval is None or not metric.value or metric.clusters < ENOUGH_CASES:
        return value, None
    low, high = (end * value / metric.value for end in interval)
    return value, (low, high)


def marks(runs: Sequence[FinishedRun], metric: str, cost: str) -> list[PlottedRun]:
    """The runs that can be drawn.

    Raises:
        UnknownName: No run has the metric, there is no such cost, or none has it.
    """
    metrics = {name for run in runs for name in run.summary.metrics}
    if metric not in metrics:
        raise UnknownName("metric", metric, metrics)
    found = [item for run in runs if (item := mark(run, metric, cost)) is not None]
    if not found:
        raise UnknownName("cost that a run has", cost, known_costs(runs))
    return found


def known_costs(runs: Sequence[FinishedRun]) -> set[str]:
    """Names of costs that some run has, and not as zero."""
    return {
        name_of(part, cost)
        for part in PER
        for cost in COSTS.values()
        if any(run.mean_cost(part, cost) for run in runs)
    }


def figure(found: Sequence[PlottedRun], metric: str, cost: str) -> go.Figure:
    """The picture."""
    import plotly.graph_objects as go

    drawing = go.Figure()
    if any(not item.ceiling for item in found):
        drawing.add_trace(frontier_trace(found))
    for item in found:
        drawing.add_trace(mark_trace(item))
    drawing.update_layout(
        template="simple_white",
        width=WIDTH,
        height=HEIGHT,
        title=f"{metric} against {cost} per {PER[cost_named(cost)[0]]}",
        legend={"orientation": "h", "y": -0.2},
        margin={"l": 70, "r": 30, "t": 60, "b": 60},
    )
    drawing.update_xaxes(
        type="log", title=f"{cost} per {PER[cost_named(cost)[0]]} (log scale)", showgrid=True
    )
    drawing.update_yaxes(title=metric, rangemode="tozero", showgrid=True)
    return drawing


def frontier_trace(found: Sequence[PlottedRun]) -> go.Scatter:
    """The step frontier, drawn on to the dearest mark."""
    import plotly.graph_objects as go

    systems = [item for item in found if not item.ceiling]
    front = frontier(Point(item.name, item.cost, item.accuracy) for item in systems)
    dearest = max(item.cost for item in found)
    return go.Scatter(
        x=[*(point.cost for point in front), dearest],
        y=[*(point.accuracy for point in front), front[-1].accuracy],
        mode="lines",
        line={"shape": "hv", "dash": "dot", "color": "#777777"},
        name="frontier",
        hoverinfo="skip",
    )


def mark_trace(item: PlottedRun) -> go.Scatter:
    """One run with both error bars."""
    import plotly.graph_objects as go

    return go.Scatter(
        x=[item.cost],
        y=[item.accuracy],
        mode="markers",
        marker={"size": 10, "symbol": "circle-open" if item.ceiling else "circle"},
        name=f"{item.name}, ceiling" if item.ceiling else item.name,
        error_x=error_bar(item.cost, item.cost_ci95),
        error_y=error_bar(item.accuracy, item.accuracy_ci95),
    )


def error_bar(value: float, interval: Interval | None) -> JsonObject:
    """An asymmetric error bar; none without an interval."""
    if interval is None:
        return {"visible": False}
    return {
        "type": "data",
        "symmetric": False,
        "array": [interval[1] - value],
        "arrayminus": [value - interval[0]],
        "thickness": 1,
    }


# --- writing ------------------------------------------------------------------------------------


def write_plot(path: Path, found: Sequence[PlottedRun], metric: str, cost: str) -> None:
    """Write the picture in the format its file name asks for.

    Raises:
        UsageError: An unknown format; plotly or, for PNG and SVG, a browser is missing; or the
            file cannot be written.
    """
    form = path.suffix.lower()
    if form not in FORMATS:
        raise UsageError(
            f"--plot {path}: cannot write '{form or path.name}'", f"Use {', '.join(FORMATS)}."
        )
    browser = None if form == ".html" else browser_path()
    page = page_of(found, metric, cost)
    content = page.encode() if browser is None else photographed(page, form[1:], browser)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"--plot {path}: {error.strerror}", "Choose another file.") from None


def page_of(found: Sequence[PlottedRun], metric: str, cost: str) -> str:
    """The picture as an HTML page that needs nothing else."""
    try:
        drawing = figure(found, metric, cost)
    except ModuleNotFoundError:
        raise UsageError("--plot needs plotly", "pip install 'membench[leaderboard]'") from None
    page: str = drawing.to_html(include_plotlyjs=True, full_html=True, div_id="plot")
    return page


def browser_path() -> str:
    """A browser that can draw pictures.

    Raises:
        UsageError: There is none.
    """
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise UsageError(
            "--plot to PNG or SVG needs Chromium, and none was found",
            "Install chromium, or write an .html file.",
        )
    return found


PHOTOGRAPH = """<script>
Plotly.toImage(document.getElementById("plot"), {{format: "{form}", width: {width},
height: {height}, scale: {scale}}}).then(function (image) {{
document.body.innerHTML = "<pre id='image'></pre>";
document.getElementById("image").textContent = image; }});
</script></body>"""


def photographed(page: str, form: str, browser: str) -> bytes:
    """The page's picture as PNG or SVG, drawn by a headless browser.

    Raises:
        UsageError: The browser drew nothing.
    """
    script = PHOTOGRAPH.format(
        form=form, width=WIDTH, height=HEIGHT, scale=2 if form == "png" else 1
    )
    head, _, tail = page.rpartition("</body>")
    with TemporaryFolder("plot") as folder:
        file = folder / "plot.html"
        file.write_text(head + script + tail, encoding="utf-8")
        image = re.search(r'<pre id="image">(data:image/[^<]+)<', dumped(file, browser, folder))
    if image is None:
        raise UsageError("the browser drew no picture", "Write an .html file instead.")
    return decoded(image.group(1))


def dumped(file: Path, browser: str, profile: Path) -> str:
    """The page's document after its scripts ran."""
    command = [browser, "--headless", "--disable-gpu", f"--user-data-dir={profile}/profile"]
    command += ["--virtual-time-budget=20000", "--dump-dom", file.as_uri()]
    if os.geteuid() == 0:
        command.insert(1, "--no-sandbox")
    try:
        done = subprocess.run(command, capture_output=True, timeout=DRAW_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(
            f"the browser failed: {type(error).__name__}", "Write an .html file instead."
        ) from None
    return done.stdout.decode("utf-8", "replace")


def decoded(address: str) -> bytes:
    """The content of a data URL."""
    header, _, body = address.partition(",")
    if header.endswith(";base64"):
        return base64.b64decode(body)
    return urllib.parse.unquote(body.replace("&amp;", "&")).encode()
