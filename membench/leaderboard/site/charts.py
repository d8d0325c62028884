"""Charts of the static site: data that the site's script draws as soon as they are seen."""

from __future__ import annotations

from typing import Any

from membench.domain.labels import JsonObject
from membench.leaderboard.rendering.charts.layout import CONFIG

HEIGHT = 380
"""Pixels that are kept free for a chart that does not say its own."""

LOCAL_TOOLS: JsonObject = {
    **CONFIG,
    "modeBarButtonsToRemove": [*CONFIG["modeBarButtonsToRemove"], "sendChartToCloud"],  # type: ignore[misc]
    "showSendToCloud": False,
}
"""The tools of every chart: none of them sends anything anywhere."""


def drawn(figure: Any) -> str:
    """A chart as HTML: its data, and room for the drawing."""
    import plotly.io

    data = str(plotly.io.to_json(figure)).replace("<", "\\u003c")
    height = figure.layout.height or HEIGHT
    return (
        f'<div class="mb-chart" style="min-height:{height}px">'
        f'<script type="application/json">{data}</script></div>'
    )
