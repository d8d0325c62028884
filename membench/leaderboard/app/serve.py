"""ServeOptions the board: Streamlit in this process, on loopback, without telemetry."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from membench.domain.errors import UsageError

SCRIPT = Path(__file__).parent / "script" / "main.py"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class ServeOptions:
    """How to serve.

    Attributes:
        results: The store.
        data: Benchmark data of this machine.
        host: Address to listen on.
        port: Port.
        tokens: File of hashed tokens: then bundles can be posted.
        runs: Run directories of this machine.
    """

    results: Path
    data: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8501
    tokens: Path | None = None
    runs: Path = Path("runs")


def serve(serving: ServeOptions) -> None:
    """Serve until stopped.

    Raises:
        UsageError: Streamlit is not installed.
    """
    try:
        import streamlit as st
    except ImportError:
        raise UsageError(
            "the leaderboard needs Streamlit", "Install it: pip install 'membench[leaderboard]'"
        ) from None
    os.environ.update(environment(serving))
    warm(serving)
    app = st.App(SCRIPT, routes=routes(serving))
    app.run(config=configuration(serving))


def warm(serving: ServeOptions) -> None:
    """Bring the index up to date, load and draw what the first page shows, before anyone waits."""
    import scipy.special  # noqa: F401

    from membench.leaderboard.app import state
    from membench.leaderboard.app.pages import load_pages
    from membench.leaderboard.rendering.charts.scatter import scatter
    from membench.leaderboard.rendering.charts.selection import drawable
    from membench.leaderboard.views.board.query import BoardQuery

    load_pages()
    state.index()  # writes badges of new bundles
    first = state.the_board(BoardQuery())
    if drawable(first):
        scatter(first)


def environment(serving: ServeOptions) -> dict[str, str]:
    """Settings for the pages. The dataset's words are shown to this machine's user alone."""
    private = serving.host in LOOPBACK and serving.tokens is None
    return {
        "MEMBENCH_BOARD_RESULTS": str(serving.results),
        "MEMBENCH_BOARD_DATA": str(serving.data) if serving.data else "",
        "MEMBENCH_BOARD_SHOW_TEXT": "1" if private else "0",
        "MEMBENCH_BOARD_SUBMISSIONS": "1" if serving.tokens else "0",
        "MEMBENCH_BOARD_RUNS": str(serving.runs),
    }


def configuration(serving: ServeOptions) -> dict[str, Any]:
    """Streamlit's options: nothing leaves this machine, nothing is watched.

    Without a `serverAddress` Streamlit asks an outside service for this machine's address.
    """
    return {
        "browser.gatherUsageStats": False,
        "browser.serverAddress": serving.host if serving.host in LOOPBACK else "localhost",
        "server.address": serving.host,
        "server.port": serving.port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "client.toolbarMode": "viewer",
        "theme.light.primaryColor": "#0b78a8",
        "client.showErrorDetails": "none",
        "server.maxUploadSize": 1,
    }


def routes(serving: ServeOptions) -> Sequence[Any]:
    """Routes beside the pages."""
    if serving.tokens is None:
        return []
    from membench.leaderboard.submission.server import submission_routes

    return submission_routes(serving.results, serving.tokens, serving.data)
