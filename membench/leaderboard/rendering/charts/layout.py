"""What all charts of the board share: sizes, colours, tools."""

from __future__ import annotations

from membench.domain.labels import JsonObject

WIDE, NARROW = 1200, 300
"""Pixels of a chart's width that names are placed for."""

HEIGHT, NARROW_HEIGHT = 380, 310

CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["lasso2d", "autoScale2d", "sendChartToCloud"],
    "toImageButtonOptions": {"format": "png", "scale": 2, "filename": "membench"},
}
"""Of every chart: PNG download by the browser itself, nothing sent anywhere."""

LINES = (
    "#0b78a8", "#b9855a", "#5a8f5a", "#8a6bb0", "#c2506b",
    "#2a968c", "#d0672f", "#5b6fd6", "#8f8029", "#8a8f98",
)  # fmt: skip
"""Colours of lines and bars side by side: each stands out from a white and from a dark page."""

LAYOUT: JsonObject = {
    "colorway": LINES,
    "height": HEIGHT,
    "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    "clickmode": "event+select",
    "hoverlabel": {"align": "left"},
    "dragmode": "pan",
}

PATTERNS = ("", "/", ".", "x", "-")
"""Of bars side by side: they repeat what colours say."""

DASHES = ("solid", "dash", "dot")
"""With the ten colours, thirty kinds of line."""
